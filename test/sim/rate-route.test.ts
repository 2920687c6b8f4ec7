/** A route that becomes longer, and shorter again, at once; and a connection that is silent: neither is congestion. */
import { describe, expect, test } from 'vitest';
import type { Micros } from '../../src/base/protocol.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { symmetric } from '../../src/sim/network.ts';
import { World } from '../failures/world.ts';

const LINK = { delayMs: 10, rateBps: 20e6, queue: { ms: 100 } } as const;
const STEP_MS = 5_000;
const BACK_MS = 10_000;

/** From now on the clock of `connection` runs `ppm` parts per million fast. */
function drift(connection: Connection, ppm: number): void {
  const ratio = 1 + ppm / 1e6;
  const own = (now: Micros): Micros => Math.round(now * ratio);
  const { handleDatagram, handleTimeout, pollTransmit, pollTimeout } = connection;
  connection.handleDatagram = (datagram, path, now) =>
    handleDatagram.call(connection, datagram, path, own(now));
  connection.handleTimeout = (now) => handleTimeout.call(connection, own(now));
  connection.pollTransmit = (out, now) => pollTransmit.call(connection, out, own(now));
  // Never an instant at which the fast clock has not come so far.
  connection.pollTimeout = () => Math.ceil(pollTimeout.call(connection) / ratio) + 1;
}

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

  test('does not take two hours of drift for a queue when media begin again (seed 3)', () => {
    const world = new World({ seed: 3, network: symmetric({ ...LINK, delayMs: 15 }), startBitrateBps: 4e6 });
    drift(world.pair.client.connection, 100);
    world.connect();
    const { controller } = world.pair.server.connection.state;
    const media = { from: 'server', frameBytes: 8_333, latencyMs: 120, durationMs: 5_000 } as const;
    world.track(media);
    world.run(5_500);
    // A call on hold: this end has nothing to send but ACKs, and little is heard of its way.
    world.run(2 * 3_600_000);
    const resumed = world.track(media);
    let queueMaxUs = 0;
    for (let i = 0; i < 55; i++) {
      world.run(100);
      queueMaxUs = Math.max(queueMaxUs, controller.queueDelayUs);
    }
    expect(resumed.frames.length).toBeGreaterThan(140);
    expect(resumed.frames.filter(({ isInTime }) => !isInTime)).toEqual([]);
    expect(queueMaxUs).toBeLessThan(10_000);
  });

  test('is reached again a minute after only the way back has become 240 ms longer (seed 3)', () => {
    const way = { delayMs: 5, rateBps: 20e6, queue: { ms: 200 } } as const;
    const world = new World({ seed: 3, network: symmetric(way), startBitrateBps: 8e6 });
    world.connect();
    world.track({ frameBytes: 33_333, latencyMs: 500, durationMs: 4_000 });
    world.run(4_000);
    world.pair.network.down.update({ delayMs: 245 });
    world.track({ frameBytes: 1_000, latencyMs: 500, durationMs: 72_000 });
    world.run(72_500);
    const { rtt } = world.pair.client.connection.state;
    expect(rtt.minUs).toBeLessThan(20_000);
    const video = world.track({ frameBytes: 33_333, latencyMs: 500, durationMs: 8_000 });
    world.run(9_000);
    expect(video.frames.length).toBeGreaterThan(230);
    expect(video.frames.slice(30).filter(({ isInTime }) => !isInTime)).toEqual([]);
  });
});
