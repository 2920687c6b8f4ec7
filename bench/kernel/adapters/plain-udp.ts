/** Plain UDP: every frame in fragments, sent at once, nothing sent again. And the two ends, for peers that carry datagrams. */
import { fileURLToPath } from 'node:url';
import { SERVER_ADDRESS } from '../emulator/addresses.ts';
import { TYPESCRIPT } from '../emulator/emulator.ts';
import { FRAGMENT_BYTES } from '../ends/fragments.ts';
import type { Adapter, Program } from './adapter.ts';

const SEND = fileURLToPath(new URL('../ends/udp-send.ts', import.meta.url));
const RECEIVE = fileURLToPath(new URL('../ends/udp-receive.ts', import.meta.url));
const PORT = 9_000;

export function udpReceiver(port: number, isTransport: boolean): Program {
  return {
    side: 'server',
    command: process.execPath,
    parameters: [...TYPESCRIPT, RECEIVE, String(port)],
    ready: /^LISTENING .*$/m,
    isTransport,
  };
}

export function udpSender(host: string, port: number, fragmentBytes: number, isTransport: boolean): Program {
  return {
    side: 'client',
    command: process.execPath,
    parameters: [...TYPESCRIPT, SEND, host, String(port), String(fragmentBytes)],
    ready: /^READY .*$/m,
    isTransport,
  };
}

export const plainUdp: Adapter = {
  name: 'udp',
  description: 'plain UDP, frames in fragments of 1400 bytes',
  tasks: ['frames'],
  absence: () => undefined,
  plan: () => ({
    framing: 'u32',
    receiver: udpReceiver(PORT, true),
    gateways: [],
    sender: udpSender(SERVER_ADDRESS, PORT, FRAGMENT_BYTES, true),
  }),
};
