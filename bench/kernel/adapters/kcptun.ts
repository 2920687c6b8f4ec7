/**
 * KCP with Reed-Solomon repair, through kcptun (Debian: kcptun): a tunnel for TCP connections whose two ends are local.
 * Its fastest profile, ten data and three parity shards, no encryption, no compression.
 */
import { SERVER_ADDRESS } from '../emulator/addresses.ts';
import { type Adapter, absenceOf, type Program } from './adapter.ts';
import { tcpReceiver, tcpSender } from './kernel-tcp.ts';

const CLIENT = 'kcptun-client';
const PORT = 9_000;
const RECEIVER_PORT = 9_001;
const SENDER_PORT = 9_002;
const PROFILE = ['--mode', 'fast3', '--crypt', 'none', '--nocomp', '--datashard', '10', '--parityshard', '3'];
const WINDOWS = ['--sndwnd', '1024', '--rcvwnd', '1024'];
/** Of the local connections, which lose nothing. */
const CONGESTION = 'cubic';

function tunnel(side: Program['side'], command: string, parameters: readonly string[]): Program {
  return {
    side,
    command,
    parameters: [...parameters, ...PROFILE, ...WINDOWS],
    ready: /key derivation done/,
    isTransport: true,
  };
}

export const kcptun: Adapter = {
  name: 'kcptun',
  description: 'kcptun fast3, Reed-Solomon 10+3, no encryption',
  tasks: ['frames', 'bulk'],
  absence: () => absenceOf(CLIENT, 'kcptun'),
  plan: ({ task }) => ({
    framing: 'u32',
    receiver: { ...tcpReceiver(RECEIVER_PORT), isTransport: false },
    gateways: [
      tunnel('server', 'kcptun-server', ['--target', `127.0.0.1:${RECEIVER_PORT}`, '--listen', `:${PORT}`]),
      tunnel('client', CLIENT, [
        '--localaddr',
        `127.0.0.1:${SENDER_PORT}`,
        '--remoteaddr',
        `${SERVER_ADDRESS}:${PORT}`,
      ]),
    ],
    sender: {
      ...tcpSender('127.0.0.1', SENDER_PORT, CONGESTION, task === 'bulk' ? 'bulk' : undefined),
      isTransport: false,
    },
  }),
};
