/** TCP of the running kernel, with a congestion control of choice, read back from the socket. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SERVER_ADDRESS } from '../emulator/addresses.ts';
import { TYPESCRIPT } from '../emulator/emulator.ts';
import type { Adapter, Program } from './adapter.ts';

const SEND = fileURLToPath(new URL('../ends/tcp-send.ts', import.meta.url));
const RECEIVE = fileURLToPath(new URL('../ends/tcp-receive.ts', import.meta.url));
/** A live application's sender skips when its oldest unsent byte is older than this: as in the virtual-time bench. */
const SKIP_WHEN_BEHIND_MS = 200;

/** The receiving program. */
export function tcpReceiver(port: number): Program {
  return {
    side: 'server',
    command: process.execPath,
    parameters: [...TYPESCRIPT, RECEIVE, String(port)],
    ready: /^LISTENING .*$/m,
    isTransport: true,
  };
}

/** The sending program. @param mode Milliseconds after which it skips, `bulk`, or undefined: every frame. */
export function tcpSender(host: string, port: number, congestion: string, mode?: string): Program {
  const more = mode === undefined ? [] : [mode];
  return {
    side: 'client',
    command: process.execPath,
    parameters: [...TYPESCRIPT, SEND, host, String(port), congestion, ...more],
    ready: /^READY .*$/m,
    isTransport: true,
  };
}

/** What the sender's ready line says about the congestion control in use, if it is another than was asked for. */
export function confirmCongestion(line: string, congestion: string): string | undefined {
  const used = line.split(' ').at(-1);
  return used === congestion ? undefined : `the kernel uses ${used}, not ${congestion}`;
}

const PORT = 9_000;

/** The adapter for one congestion control. */
export function kernelTcp(congestion: string, skips: boolean): Adapter {
  const rule = skips ? `, frames skipped while ${SKIP_WHEN_BEHIND_MS} ms behind` : '';
  return {
    name: `tcp-${congestion}${skips ? '-skip' : ''}`,
    description: `TCP ${congestion} of this kernel, NODELAY, NOTSENT_LOWAT${rule}`,
    tasks: skips ? ['frames'] : ['frames', 'bulk'],
    absence: () => {
      const available = readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8');
      if (available.trim().split(' ').includes(congestion)) return undefined;
      return `this kernel has no ${congestion} (modprobe tcp_${congestion} may help)`;
    },
    plan: ({ task }) => {
      const mode = task === 'bulk' ? 'bulk' : skips ? String(SKIP_WHEN_BEHIND_MS) : undefined;
      return {
        framing: 'u32',
        receiver: tcpReceiver(PORT),
        gateways: [],
        sender: tcpSender(SERVER_ADDRESS, PORT, congestion, mode),
        confirm: (line) => confirmCongestion(line, congestion),
      };
    },
  };
}
