/** A path that is silent for two seconds while live video flows: what comes right after it must not wait for a probe. */
import { describe, expect, it } from 'vitest';
import { runCell } from '../../src/lab/cell.ts';
import { DECODABLE_WITHIN_MS } from '../../src/lab/measure.ts';
import { AUDIO } from '../../src/lab/workload.ts';
import { symmetric } from '../../src/sim/network.ts';

/** Frames that a decoder could show within 200 ms, of all after the start; a key frame comes when the silence ends. */
function decodableFrames(rateBps: number, seed: number): { decodable: number; frames: number } {
  const link = { delayMs: 30, rateBps, queue: { ms: 100 }, loss: { kind: 'iid', ratio: 0.02 } } as const;
  const { result } = runCell({
    transport: 'millrace',
    network: symmetric(link),
    workload: { video: { bitrateBps: 4e6, follow: { minBps: 300_000, maxBps: 4e6 } }, audio: AUDIO },
    latencyMs: 120,
    startupMs: 3_000,
    durationMs: 13_000,
    steps: [{ atMs: 8_000, do: 'blackout', link: 'both', durationMs: 2_000 }],
    seed,
  });
  const steady = result.sources[0]?.steady;
  expect(result.faults).toEqual([]);
  return { decodable: steady?.decodable[DECODABLE_WITHIN_MS.indexOf(200)] ?? 0, frames: steady?.frames ?? 0 };
}

describe('a silence of two seconds', () => {
  it.each([6e6, 20e6])(
    'costs live video no more than its length, over %d bit/s (seeds 1 to 6)',
    (rateBps) => {
      const lost = [1, 2, 3, 4, 5, 6].map((seed) => {
        const { decodable, frames } = decodableFrames(rateBps, seed);
        return frames - decodable;
      });
      // 30 frames a second. A key frame that expires costs the 60 frames of its group as well.
      const whole = lost.filter((frames) => frames <= 64);
      expect(whole.length, `frames lost by seed: ${lost.join(', ')}`).toBeGreaterThanOrEqual(5);
    },
  );
});
