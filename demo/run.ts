/**
 * `npm run demo:check`: ten seconds of real video over real UDP sockets of this machine, with 5 % of the datagrams lost in
 * both directions; then what it took, and whether every byte came through. Needs nothing but Node.
 * Options: --loss 5 (per cent), --latency 120 (ms), --help.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import {
  type Connection,
  type ConnectionStats,
  connect,
  generatePassphrase,
  type Listener,
  listen,
} from '../src/index.ts';
import { clipBytes, clipFrames } from './clip.ts';
import { explainErrors, numberOption } from './command-line.ts';

const HELP = `Ten seconds of real video over UDP on this machine, with losses, and what it took.

  npm run demo:check -- [options]

  --loss PERCENT    of the datagrams, in both directions (default 5)
  --latency MS      what millrace may take on top of the one-way delay (default 120)
  --help`;

explainErrors();

const { values } = parseArgs({
  options: {
    loss: { type: 'string', default: '5' },
    latency: { type: 'string', default: '120' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const lossRatio = numberOption('loss', values.loss, 0, 100) / 100;
const latency = numberOption('latency', values.latency, 1, 60_000);
const passphrase = generatePassphrase();
const transport = { latency, passphrase, startBitrate: 4e6 };

/** What the receiver noted. */
class Playback {
  readonly pieces: Uint8Array[] = [];
  /** From `send` to the application's hands, per media frame, ms. */
  readonly latenciesMs: number[] = [];
  skipped = 0;

  percentile(part: number): string {
    const sorted = this.latenciesMs.toSorted((a, b) => a - b);
    const value = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
    return `${value.toFixed(1)} ms`;
  }
}

async function play(
  listener: Listener,
  sentAtMs: readonly number[],
  playback: Playback,
): Promise<ConnectionStats> {
  for await (const connection of listener) {
    for await (const track of connection.incomingTracks) {
      for await (const frame of track) {
        playback.latenciesMs.push(performance.now() - (sentAtMs[frame.frameId] as number));
        playback.pieces.push(frame.data);
        playback.skipped += frame.skipped;
      }
    }
    return connection.stats();
  }
  throw new Error('nobody called');
}

async function film(connection: Connection, sentAtMs: number[], playback: Playback): Promise<void> {
  const frames = clipFrames();
  const track = connection.createTrack({ kind: 'video', latency, metadata: { container: 'mpegts' } });
  const startMs = performance.now();
  let nextLineMs = 0;
  for (const { data, dueUs, keyFrame } of frames) {
    const waitMs = startMs + dueUs / 1000 - performance.now();
    if (waitMs >= 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sentAtMs.push(performance.now());
    track.send(data, { timestamp: dueUs, keyFrame });
    if (performance.now() < nextLineMs) continue;
    nextLineMs = performance.now() + 200;
    progress(connection.stats(), dueUs / 1e6, sentAtMs.length, frames.length, playback);
  }
  await track.end();
  if (process.stderr.isTTY) process.stderr.write('\n');
}

function progress(
  stats: ConnectionStats,
  seconds: number,
  sent: number,
  all: number,
  playback: Playback,
): void {
  const line =
    `${seconds.toFixed(1).padStart(4)} s  frames ${String(sent).padStart(4)} of ${all}  received ${String(playback.pieces.length).padStart(4)}  ` +
    `datagrams lost ${String(stats.packetsLost).padStart(3)}  rtt ${stats.rttMs.toFixed(1)} ms  target ${(stats.targetBps / 1e6).toFixed(1)} Mbit/s`;
  process.stderr.write(process.stderr.isTTY ? `\r${line}\x1b[K` : `${line}\n`);
}

function summarize(sender: ConnectionStats, receiver: ConnectionStats, playback: Playback): boolean {
  const { framesReceived: frames } = receiver;
  const share = (bytes: number): string => `${((100 * bytes) / sender.mediaBytes).toFixed(1)} %`;
  const ratio = (part: number, all: number): string =>
    `${part} of ${all} (${((100 * part) / all).toFixed(1)} %)`;
  const received = Buffer.concat(playback.pieces);
  const isIdentical = received.equals(clipBytes);
  const rows: readonly (readonly [string, string])[] = [
    [
      'latency',
      `p50 ${playback.percentile(0.5)}, p95 ${playback.percentile(0.95)}, p99 ${playback.percentile(0.99)}; budget ${latency} ms`,
    ],
    [
      'lost on the path',
      `${ratio(sender.packetsLost, sender.packetsSent)} there, ${ratio(receiver.packetsLost, receiver.packetsSent)} known lost back`,
    ],
    [
      'media frames',
      `${frames.sent}: ${frames.onTime} on time at once, ${frames.fec} repaired by FEC, ${frames.resent} by resending, ${frames.late} late, ${frames.lost} lost`,
    ],
    [
      'overhead',
      `headers ${share(sender.headerBytes)}, resend ${share(sender.resendBytes)}, repair ${share(sender.repairBytes)}, probe ${share(sender.probeBytes)}, feedback ${share(sender.feedbackBytes + receiver.bytesSent)} of ${(sender.mediaBytes / 1e6).toFixed(2)} MB of media`,
    ],
    [
      'bytes',
      isIdentical
        ? `all ${clipBytes.length} identical`
        : `${received.length} of ${clipBytes.length} came; ${playback.skipped} media frames skipped`,
    ],
  ];
  for (const [name, text] of rows) console.log(`${name.padEnd(18)}${text}`);
  return isIdentical;
}

console.log(
  `10 s of video over UDP on this machine, ${values.loss} % of the datagrams lost in both directions, latency ${latency} ms`,
);
const listener = await listen({ ...transport, host: '127.0.0.1', port: 0, faults: { lossRatio, seed: 1 } });
const playback = new Playback();
const sentAtMs: number[] = [];
const playing = play(listener, sentAtMs, playback);
const connection = await connect(
  { host: '127.0.0.1', port: listener.address.port },
  { ...transport, faults: { lossRatio, seed: 2 } },
);
await film(connection, sentAtMs, playback);
const sender = connection.stats();
await connection.close({ reason: 'end of the clip' });
const receiver = await playing;
await listener.close();
process.exitCode = summarize(sender, receiver, playback) ? 0 : 1;
