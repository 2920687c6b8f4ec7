/**
 * F1: one segment is lost again and again, and later ones arrive but cannot be used. Here every packet that carries a
 * chosen media frame, or a chosen piece of a stream, is lost ten times.
 */
import { MILLISECOND } from '../../src/base/protocol.ts';
import { symmetric } from '../../src/sim/network.ts';
import type { TcpSegment } from '../../src/sim/tcp/segment.ts';
import type { FailureCase } from './case.ts';
import { patternAt } from './stream-run.ts';
import { TcpRun } from './tcp-run.ts';
import { World } from './world.ts';

const NETWORK = symmetric({ delayMs: 30, rateBps: 50e6, jitter: { kind: 'late', ms: 1 } });
const COPIES = 10;
const DURATION_MS = 4_000;
const VIDEO_MARK = 0xee;
const AUDIO_MARK = 0x11;

/** True when the packet carries these bytes in a row. Stand-in keys leave them readable. */
function carries(datagram: Uint8Array, bytes: Buffer): boolean {
  return Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length).includes(bytes);
}

const VIDEO = Buffer.alloc(24, VIDEO_MARK);
const AUDIO = Buffer.alloc(24, AUDIO_MARK);

/** A second of audio and video, one video frame of which never gets through. The p99 of the audio, ms. */
function audioLatency(seed: number, isBlocked: boolean): number {
  const world = new World({ seed, network: NETWORK, startBitrateBps: 8e6 });
  world.connect();
  const audio = world.track({
    kind: 'audio',
    frameBytes: 300,
    framesPerSecond: 50,
    sendOrder: 10,
    mark: AUDIO_MARK,
    durationMs: DURATION_MS,
  });
  world.run(7);
  const video = world.track({ frameBytes: 9_000, mark: 0x22, durationMs: DURATION_MS });
  const victim = world.track({ frameBytes: 6_000, mark: VIDEO_MARK, durationMs: 30, latencyMs: 2_000 });
  let dropped = 0;
  world.pair.network.up.addTap((packet) => {
    const datagram = packet.payload as Uint8Array;
    if (!isBlocked || dropped >= COPIES * 6 || !carries(datagram, VIDEO)) return true;
    if (carries(datagram, AUDIO)) return true;
    dropped++;
    return false;
  });
  world.run(DURATION_MS + 500);
  world.assertOpen();
  if (isBlocked && dropped < 6) throw new Error(`only ${dropped} packets were dropped`);
  for (const track of [audio, video]) {
    if (track.inTimeRatio() !== 1) throw new Error(`another track lost frames: ${track.inTimeRatio()}`);
  }
  if (!isBlocked && victim.inTimeRatio() !== 1) throw new Error('the frame is lost without loss');
  return audio.latencyMs(0.99);
}

/** TCP: one segment lost ten times; the p99 latency of everything, ms. */
function tcpLatency(seed: number, copies: number): number {
  let lost = 0;
  let victim = -1;
  const run = new TcpRun({
    seed,
    network: NETWORK,
    frameBytes: 9_300,
    durationMs: DURATION_MS,
    arrange: ({ up }) =>
      up.addTap((packet, now) => {
        const segment = packet.payload as unknown as TcpSegment;
        if (segment.kind !== 'data' || now < 2_000 * MILLISECOND) return true;
        if (victim < 0) victim = segment.seq;
        if (segment.seq !== victim || lost >= copies) return true;
        lost++;
        return false;
      }),
  });
  return run.latencyMs(0.99);
}

/** Two streams; what carries the beginning of the first is lost ten times. How long the second takes, ms. */
function secondStream(seed: number, isBlocked: boolean): { tookMs: number; firstMs: number } {
  const world = new World({ seed, network: NETWORK, startBitrateBps: 8e6 });
  world.connect();
  const salt = 60_000;
  const victim = Buffer.from(patternAt(salt, 24));
  let dropped = 0;
  world.pair.network.up.addTap((packet) => {
    if (!isBlocked || dropped >= COPIES || !carries(packet.payload as Uint8Array, victim)) return true;
    dropped++;
    return false;
  });
  const first = world.stream({ bytes: 1_000, salt });
  world.run(1);
  const second = world.stream({ bytes: 50_000 });
  if (!world.runUntil(() => first.isFinished && second.isFinished, 60_000))
    throw new Error('a stream stands');
  if (isBlocked && dropped < COPIES) throw new Error(`only ${dropped} copies were sent`);
  return { tookMs: second.tookMs, firstMs: first.tookMs };
}

export const headOfLine: readonly FailureCase[] = [
  {
    row: 'F1',
    name: 'one media frame lost ten times',
    figure: "change of another track's p99 latency",
    unit: 'ms',
    most: 1,
    run: (seed) => {
      const value = Math.abs(audioLatency(seed, true) - audioLatency(seed, false));
      return { value, tcp: () => tcpLatency(seed, COPIES) - tcpLatency(seed, 0) };
    },
  },
  {
    row: 'F1',
    name: 'one piece of a stream lost ten times',
    figure: 'delay of another stream of 50 kB',
    unit: 'ms',
    most: 40,
    run: (seed) => {
      const blocked = secondStream(seed, true);
      const value = blocked.tookMs - secondStream(seed, false).tookMs;
      return { value, notes: { firstMs: blocked.firstMs } };
    },
  },
];
