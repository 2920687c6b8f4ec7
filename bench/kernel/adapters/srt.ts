/**
 * SRT through libsrt's own tool, `srt-live-transmit` (Debian: srt-tools), in live mode. Frames reach it as datagrams, as
 * from any encoder; it carries datagrams, so a frame is there when all of its fragments are.
 */
import { SERVER_ADDRESS } from '../emulator/addresses.ts';
import { HEADER_BYTES } from '../ends/fragments.ts';
import { type Adapter, type AdapterContext, absenceOf, type Program } from './adapter.ts';
import { udpReceiver, udpSender } from './plain-udp.ts';

const TOOL = 'srt-live-transmit';
const PORT = 9_000;
const RECEIVER_PORT = 9_001;
const SENDER_PORT = 9_002;
/** What live mode puts into one packet. */
const PAYLOAD_BYTES = 1_316;
/**
 * Its tool looks for datagrams every 10 ms, and hands out by a clock that was set when the connection began, so much too
 * late at most. Without the allowance every frame would be late by a hair. It costs SRT no round of resending at RTT 60 and
 * 150 ms; at 20 ms four are left.
 */
const CLOCK_MS = 30;
/** SRT's own advice for lossy paths. */
const RTTS = 4;

function tool(side: Program['side'], from: string, to: string, ready: RegExp): Program {
  return {
    side,
    command: TOOL,
    parameters: [`-chunk:${PAYLOAD_BYTES}`, from, to],
    ready,
    isTransport: true,
  };
}

function srt(name: string, description: string, latencyOf: (context: AdapterContext) => number): Adapter {
  return {
    name,
    description,
    tasks: ['frames'],
    absence: () => absenceOf(TOOL, 'srt-tools'),
    plan: (context) => {
      const latency = `latency=${Math.round(latencyOf(context))}`;
      return {
        framing: 'u32',
        receiver: udpReceiver(RECEIVER_PORT, false),
        gateways: [
          tool(
            'server',
            `srt://:${PORT}?mode=listener&${latency}`,
            `udp://127.0.0.1:${RECEIVER_PORT}`,
            /^Media path.*$/m,
          ),
          tool(
            'client',
            `udp://127.0.0.1:${SENDER_PORT}?rcvbuf=4194304`,
            `srt://${SERVER_ADDRESS}:${PORT}?mode=caller&${latency}`,
            /^SRT target connected$/m,
          ),
        ],
        sender: udpSender('127.0.0.1', SENDER_PORT, PAYLOAD_BYTES - HEADER_BYTES, false),
      };
    },
  };
}

export const SRT: readonly Adapter[] = [
  srt('srt', `libsrt, latency as millrace's less ${CLOCK_MS} ms`, ({ latencyMs }) => latencyMs - CLOCK_MS),
  srt('srt-4rtt', 'libsrt, latency 4 round trips (at least that of srt)', ({ latencyMs, rttMs }) =>
    Math.max(latencyMs - CLOCK_MS, RTTS * rttMs),
  ),
];
