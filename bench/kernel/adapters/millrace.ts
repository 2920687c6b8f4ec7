/** millrace through its own command line, as anybody would run it. */
import { fileURLToPath } from 'node:url';
import { SERVER_ADDRESS } from '../emulator/addresses.ts';
import { TYPESCRIPT } from '../emulator/emulator.ts';
import type { Adapter, AdapterContext, Plan } from './adapter.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const PORT = 9_000;
const ENV: Readonly<Record<string, string>> = { MILLRACE_PASSPHRASE: 'kernel bench passphrase' };

function planOf({ task, latencyMs, bitrateBps, sources }: AdapterContext): Plan {
  const program = (command: 'send' | 'receive', parameters: readonly string[]): string[] => [
    ...TYPESCRIPT,
    MAIN,
    command,
    ...parameters,
  ];
  const common = { command: process.execPath, env: ENV, isTransport: true };
  const framing = ['--framing', task === 'bulk' ? 'raw' : 'record'];
  const latency = ['--latency', `${latencyMs}ms`];
  const paced =
    task === 'bulk' ? ['--pace', 'off'] : [...latency, '--start-bitrate', String(Math.round(bitrateBps))];
  const encoder = task === 'bulk' ? [] : ['--on-bitrate', 'fd:3'];
  return {
    framing: 'record',
    receiver: {
      ...common,
      side: 'server',
      parameters: program('receive', [`millrace://${SERVER_ADDRESS}:${PORT}?mode=listen`, '-', ...framing]),
      ready: /^LISTENING .*$/m,
    },
    gateways: [],
    sender: {
      ...common,
      side: 'client',
      parameters: program('send', [
        ...framing,
        ...paced,
        ...encoder,
        '--',
        `-#${sources.join(',')}`,
        `millrace://${SERVER_ADDRESS}:${PORT}`,
      ]),
      ready: /^READY .*$/m,
      tellsEncoder: task !== 'bulk',
    },
  };
}

export const millrace: Adapter = {
  name: 'millrace',
  description: 'millrace send and receive, framing record, delivery asap',
  tasks: ['frames', 'bulk'],
  absence: () => undefined,
  plan: planOf,
};
