/** Three encoders, a ladder and a connection over a path whose capacity changes, in virtual time. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { Ladder, type LadderPath, type LadderStep } from '../../src/rate/ladder.ts';
import { RenditionSwitch } from '../../src/rate/rendition-switch.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { TrackSender } from '../../src/track/send.ts';
import { connectPair } from '../helpers/calls.ts';
import { collectFrames, makePair } from '../helpers/pair.ts';

const FPS = 30;
const GOP = 30;
const LATENCY_MS = 200;
const RATES = [400_000, 1_500_000, 4_000_000];
const CLEAN: LinkOptions = { delayMs: 20, rateBps: 100_000_000 };

interface Sent {
  readonly atS: number;
  readonly rendition: number;
}

/** Runs for `seconds`; gives which rendition each frame that was sent is of, and how many came in time, by second. */
function film(
  up: LinkOptions,
  seconds: number,
  seed: number,
): {
  sent: Sent[];
  inTime: number[];
  keyOnly: boolean;
} {
  const pair = makePair({ seed, up, down: CLEAN, startBitrateBps: 500_000 });
  connectPair(pair);
  const received = collectFrames(pair, pair.server);
  const { connection, host } = pair.client;
  const track = host.call(() =>
    connection.tracks.openLive({ kind: 'video', latencyUs: LATENCY_MS * MILLISECOND }),
  ) as TrackSender;
  connection.limitTrack(track, 1.4 * (RATES.at(-1) as number));
  const steps: LadderStep[] = RATES.map((bps) => ({
    minBps: bps,
    targetBps: bps,
    maxBps: bps,
    layerShares: [1],
  }));
  const path: LadderPath = { budgetBps: 0, queueUs: 0, isCompeting: false, latencyUs: 0 };
  connection.describePath(track, path);
  const ladder = new Ladder(steps, path.budgetBps);
  const startUs = pair.sim.now;
  const sent: Sent[] = [];
  let keyOnly = true;
  let last = -1;
  const renditions = new RenditionSwitch<{ bytes: number; timestampUs: number; keyFrame: boolean }>(
    ladder,
    ({ bytes, timestampUs, keyFrame }, rendition) => {
      if (rendition !== last && !keyFrame) keyOnly = false;
      last = rendition;
      sent.push({ atS: (pair.sim.now - startUs) / SECOND, rendition });
      track.send(new Uint8Array(bytes), { timestampUs, keyFrame }, pair.sim.now);
      connection.onMediaQueued(track, pair.sim.now);
    },
  );
  for (let picture = 0; picture < seconds * FPS; picture++) {
    const timestampUs = pair.sim.now - startUs;
    for (let rendition = 0; rendition < RATES.length; rendition++) {
      const keyFrame = picture % GOP === 0;
      const mean = (RATES[rendition] as number) / 8 / FPS;
      const bytes = Math.round(keyFrame ? 4 * mean : (mean * (GOP - 4)) / (GOP - 1));
      host.call((now) => {
        ladder.onFrame(rendition, keyFrame, bytes);
        connection.describePath(track, path);
        ladder.onPath(path, now);
        connection.wantRate(track, ladder.wantedBps(now));
        renditions.push({ bytes, timestampUs, keyFrame }, rendition, timestampUs, keyFrame, now);
      });
      // Each encoder takes its time.
      pair.run(3);
    }
    pair.run(1000 / FPS - 9);
  }
  pair.run(1000);
  const inTime = new Array<number>(seconds).fill(0);
  for (const { frame, atUs } of received) {
    const second = Math.floor(frame.timestampUs / SECOND);
    // The media frame of the slowest encoder is sent up to 9 ms after its picture; 20 ms is the path's own delay.
    const latenessMs = (atUs - startUs - frame.timestampUs) / MILLISECOND - 29;
    if (latenessMs <= LATENCY_MS) inTime[second] = (inTime[second] as number) + 1;
  }
  return { sent, inTime, keyOnly };
}

function shareOf(sent: readonly Sent[], rendition: number, fromS: number, toS: number): number {
  const part = sent.filter(({ atS }) => atS >= fromS && atS < toS);
  return part.filter((frame) => frame.rendition === rendition).length / part.length;
}

describe('a ladder over a path of 8, then 2.4, then 8 Mbit/s', () => {
  const link: LinkOptions = {
    delayMs: 20,
    queue: { ms: 300 },
    capacity: {
      kind: 'schedule',
      steps: [
        { atMs: 0, rateBps: 8_000_000 },
        { atMs: 20_000, rateBps: 2_400_000 },
        { atMs: 40_000, rateBps: 8_000_000 },
      ],
    },
  };
  test.each([1, 2, 3])('goes up, down and up again at key frames, in time (seed %i)', (seed) => {
    const { sent, inTime, keyOnly } = film(link, 65, seed);
    expect(keyOnly).toBe(true);
    expect(shareOf(sent, 2, 10, 19.5)).toBe(1);
    // Key frames come once a second.
    expect(shareOf(sent, 1, 21.5, 40)).toBe(1);
    expect(shareOf(sent, 2, 60, 65)).toBe(1);
    // What was on its way when the path broke down comes late, nothing else.
    expect(inTime.filter((count) => count < FPS).length).toBeLessThanOrEqual(2);
    expect(inTime.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0.995 * 65 * FPS);
  });
});
