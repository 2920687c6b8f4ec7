/** A route that becomes longer, and shorter again, at once; and a connection that is silent: neither is congestion. */
import { describe, expect, test } from 'vitest';
import { symmetric } from '../../src/sim/network.ts';
import { World } from '../failures/world.ts';

const LINK = { delayMs: 10, rateBps: 20e6, queue: { ms: 100 } } as const;
const STEP_MS = 5_000;
const BACK_MS = 10_000;

describe('the target', () => {
  test.each([1, 2, 3])(
    'stays above what media need when the round trip rises from 20 to 200 ms, and falls again (seed %i)',
    (seed) => {
      const steps = [
        { atMs: STEP_MS, do: 'set', link: 'both', options: { delayMs: 100 } },
        { atMs: BACK_MS, do: 'set', link: 'both', options: { delayMs: 10 } },
      ] as const;
      const world = new World({ seed, network: symmetric(LINK), steps });
      world.connect();
      const startUs = world.now;
      const video = world.track({ frameBytes: 16_000, durationMs: 14_000, latencyMs: 150 });
      const { controller } = world.pair.client.connection.state;
      let leastBps = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 140; i++) {
        world.run(100);
        if (world.now > STEP_MS * 1_000) leastBps = Math.min(leastBps, controller.targetRateBps);
      }
      world.run(1_000);
      expect(leastBps).toBeGreaterThan(4e6);
      const late = video.frames
        .map(({ isInTime }, i) => (isInTime ? -1 : startUs / 1e3 + (i * 1_000) / 30))
        .filter((atMs) => atMs >= 0);
      expect(late.filter((atMs) => atMs > STEP_MS + 1_000 && atMs < BACK_MS)).toEqual([]);
      expect(late.filter((atMs) => atMs > BACK_MS + 1_000)).toEqual([]);
    },
  );

  test.each([6, 7])('is not unlearned in five minutes of silence (seed %i)', (seed) => {
    const jitter = { kind: 'late', ms: 1 } as const;
    const world = new World({ seed, network: symmetric({ ...LINK, delayMs: 30, jitter }) });
    world.connect();
    const { controller } = world.pair.server.connection.state;
    const before = controller.targetRateBps;
    world.run(300_000);
    expect(controller.targetRateBps).toBeGreaterThanOrEqual(before);
  });
});
