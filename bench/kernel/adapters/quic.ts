/** QUIC, by Cloudflare's quiche: all frames behind each other on one stream, as an application over TCP would move them. */
import { fileURLToPath } from 'node:url';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from '../emulator/addresses.ts';
import { TYPESCRIPT } from '../emulator/emulator.ts';
import { quicheAbsence } from '../ends/quiche.ts';
import type { Adapter } from './adapter.ts';

const SEND = fileURLToPath(new URL('../ends/quic-send.ts', import.meta.url));
const RECEIVE = fileURLToPath(new URL('../ends/quic-receive.ts', import.meta.url));
const PORT = '9000';
const CONGESTION = 'cubic';

export const quic: Adapter = {
  name: 'quic',
  description: 'QUIC (quiche, cubic), all frames on one stream',
  tasks: ['frames', 'bulk'],
  absence: quicheAbsence,
  plan: ({ task }) => {
    const common = { command: process.execPath, isTransport: true };
    const mode = task === 'bulk' ? ['bulk'] : [];
    return {
      framing: 'u32',
      receiver: {
        ...common,
        side: 'server',
        parameters: [...TYPESCRIPT, RECEIVE, SERVER_ADDRESS, PORT, CONGESTION],
        ready: /^LISTENING .*$/m,
      },
      gateways: [],
      sender: {
        ...common,
        side: 'client',
        parameters: [...TYPESCRIPT, SEND, CLIENT_ADDRESS, SERVER_ADDRESS, PORT, CONGESTION, ...mode],
        ready: /^READY .*$/m,
      },
    };
  },
};
