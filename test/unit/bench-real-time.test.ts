/** The real-time driver of the simulator, with a clock that the test moves. */
import { describe, expect, it, vi } from 'vitest';
import { Lateness } from '../../bench/kernel/emulator/lateness.ts';
import { monotonicUs, RealTimeDriver, RealTimeWorld } from '../../bench/kernel/emulator/real-time.ts';
import { Link, Simulator } from '../../src/sim.ts';

describe('a world in real time', () => {
  it('starts at its present, whatever the clock shows', () => {
    const world = new RealTimeWorld(new Simulator({ seed: 1 }), () => 123_456_789);
    expect(world.catchUp()).toBe(Number.POSITIVE_INFINITY);
    expect(world.sim.now).toBe(0);
  });

  it('runs what is due, and says how long nothing will be', () => {
    let nowUs = 1_000_000;
    const world = new RealTimeWorld(new Simulator({ seed: 1 }), () => nowUs);
    const seen: number[] = [];
    for (const atUs of [300, 700]) world.sim.schedule(atUs, () => seen.push(world.sim.now));
    nowUs += 500;
    expect(world.catchUp()).toBe(200);
    expect(seen).toEqual([300]);
    nowUs += 10_000;
    world.catchUp();
    expect(seen).toEqual([300, 700]);
    expect(world.sim.now).toBe(10_500);
  });

  it('keeps the instants of a link exact when it wakes late', () => {
    let nowUs = 0;
    const world = new RealTimeWorld(new Simulator({ seed: 1 }), () => nowUs);
    const link = new Link(world.sim, { rateBps: 12e6, delayMs: 10 });
    const deliveredAtUs: number[] = [];
    link.onDeliver = () => deliveredAtUs.push(world.sim.now);
    for (let i = 0; i < 3; i++) link.send(new Uint8Array(1_500), 1_500);
    nowUs = 50_000;
    world.catchUp();
    expect(deliveredAtUs).toEqual([11_000, 12_000, 13_000]);
  });
});

describe('the driver in an event loop', () => {
  it('delivers without further calls, never before the instant', async () => {
    const driver = new RealTimeDriver(new RealTimeWorld(new Simulator({ seed: 1 })));
    const link = new Link(driver.world.sim, { delayMs: 15 });
    const startUs = monotonicUs();
    const tookUs = await new Promise<number>((resolve) => {
      link.onDeliver = () => resolve(monotonicUs() - startUs);
      driver.do(() => link.send(new Uint8Array(100), 100));
    });
    driver.stop();
    expect(tookUs).toBeGreaterThanOrEqual(15_000);
  });

  it('does nothing any more once it is stopped', () => {
    vi.useFakeTimers();
    const driver = new RealTimeDriver(new RealTimeWorld(new Simulator({ seed: 1 })));
    const seen: string[] = [];
    driver.do(() => driver.world.sim.schedule(driver.world.sim.now + 2_000, () => seen.push('late')));
    driver.stop();
    vi.advanceTimersByTime(1_000);
    vi.useRealTimers();
    expect(seen).toEqual([]);
  });
});

describe('the histogram of timing errors', () => {
  it('gives exact percentiles of whole microseconds', () => {
    const lateness = new Lateness();
    for (let us = 1; us <= 1_000; us++) lateness.add(us);
    expect(lateness.summary()).toEqual({ count: 1_000, p50Us: 500, p99Us: 990, p999Us: 999, maxUs: 1_000 });
    lateness.clear();
    expect(lateness.summary()).toEqual({ count: 0, p50Us: 0, p99Us: 0, p999Us: 0, maxUs: 0 });
  });

  it('keeps a maximum beyond its last bucket', () => {
    const lateness = new Lateness();
    lateness.add(5_000_000);
    expect(lateness.summary()).toMatchObject({ p99Us: 5_000_000, maxUs: 5_000_000 });
  });
});
