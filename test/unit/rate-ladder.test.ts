import { describe, expect, it } from 'vitest';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { Ladder, type LadderStep } from '../../src/rate/ladder.ts';

const MBPS = 1_000_000;

function fixed(bps: number, layerShares: readonly number[] = [1]): LadderStep {
  return { minBps: bps, targetBps: bps, maxBps: bps, layerShares };
}

const THREE = [fixed(0.4 * MBPS), fixed(1.5 * MBPS), fixed(4 * MBPS)];

/** A ladder, a clock, and encoders that answer a request for a key frame at once, or never. */
class World {
  readonly ladder: Ladder;
  now = 100 * SECOND;
  queueUs = 0;
  isCompeting = false;
  hasKeyFrames = true;
  readonly requests: number[] = [];
  /** Every rendition that was switched to, with when, seconds from the start. */
  readonly switches: { to: number; atS: number }[] = [];

  constructor(steps: readonly LadderStep[], budgetBps: number) {
    this.ladder = new Ladder(steps, budgetBps);
  }

  run(seconds: number, budgetBps: number | ((atS: number) => number)): this {
    const untilUs = this.now + seconds * SECOND;
    for (; this.now < untilUs; this.now += 10 * MILLISECOND) {
      const bps = typeof budgetBps === 'number' ? budgetBps : budgetBps(this.now / SECOND - 100);
      const { queueUs, isCompeting } = this;
      this.ladder.onPath({ budgetBps: bps, queueUs, isCompeting, latencyUs: 300 * MILLISECOND }, this.now);
      const request = this.ladder.takeRequest(this.now);
      if (request >= 0) this.requests.push(request);
      if (this.hasKeyFrames && this.ladder.wanted !== this.ladder.current) {
        this.ladder.switched(this.now);
        this.switches.push({ to: this.ladder.current, atS: (this.now - 100 * SECOND) / SECOND });
      }
    }
    return this;
  }
}

describe('a ladder', () => {
  it('begins with the best rendition that fits, the lowest if none does', () => {
    expect(new Ladder(THREE, 10 * MBPS).current).toBe(2);
    expect(new Ladder(THREE, 2 * MBPS).current).toBe(1);
    expect(new Ladder(THREE, 0.1 * MBPS).current).toBe(0);
  });

  it('goes up one rendition at a time, each when there has been 1.2 times its minimum for 2 s', () => {
    const world = new World(THREE, 0.5 * MBPS).run(8, 6 * MBPS);
    expect(world.switches.map(({ to }) => to)).toEqual([1, 2]);
    expect(world.switches[0]?.atS).toBeCloseTo(2, 1);
    expect(world.switches[1]?.atS).toBeCloseTo(4, 1);
    expect(new World(THREE, 0.5 * MBPS).run(20, 1.75 * MBPS).switches).toEqual([]);
  });

  it('never goes up on 2 s that are interrupted', () => {
    const flicker = (atS: number): number => (atS % 1.5 < 0.1 ? 1.7 : 1.85) * MBPS;
    expect(new World(THREE, 0.5 * MBPS).run(20, flicker).switches).toEqual([]);
  });

  it('goes down after 150 ms of too little, as far as needed', () => {
    const world = new World(THREE, 5 * MBPS);
    world.run(1, 3.9 * MBPS);
    expect(world.switches.map(({ to }) => to)).toEqual([1]);
    expect(world.switches[0]?.atS).toBeCloseTo(0.15, 2);
  });

  it('goes down at once when the path is cut, over several renditions', () => {
    const world = new World(THREE, 5 * MBPS).run(1, 5 * MBPS).run(0.02, 0.6 * MBPS);
    expect(world.switches).toEqual([{ to: 0, atS: 1 }]);
  });

  it('stays where it is through a dip of 100 ms that is no cut', () => {
    const dip = (atS: number): number => (atS % 2 < 0.1 ? 3.9 : 4.2) * MBPS;
    expect(new World(THREE, 5 * MBPS).run(10, dip).switches).toEqual([]);
  });

  it('takes a step down back that still waits for its key frame when there is enough again, and no other', () => {
    const world = new World(THREE, 2 * MBPS);
    world.hasKeyFrames = false;
    world.run(0.3, 1 * MBPS);
    expect(world.ladder.wanted).toBe(0);
    world.run(0.5, 1.6 * MBPS);
    expect(world.ladder.wanted).toBe(0);
    world.run(0.2, 2 * MBPS);
    expect([world.ladder.current, world.ladder.wanted]).toEqual([1, 1]);
    const far = new World(THREE, 5 * MBPS);
    far.hasKeyFrames = false;
    far.run(0.3, 0.5 * MBPS).run(0.2, 2 * MBPS);
    expect([far.ladder.current, far.ladder.wanted]).toEqual([2, 1]);
  });

  it('keeps the lowest rendition whatever happens', () => {
    const world = new World(THREE, 0.5 * MBPS).run(10, 0.05 * MBPS);
    expect(world.switches).toEqual([]);
    expect(world.ladder.current).toBe(0);
  });

  it('does not go up for 3 s after a cut', () => {
    const world = new World(THREE, 0.5 * MBPS)
      .run(1.5, 3 * MBPS)
      .run(1, 2.2 * MBPS)
      .run(5, 2.2 * MBPS);
    expect(world.switches[0]?.atS).toBeGreaterThan(4.4);
  });

  it('does not go up while a queue stands, unless it is another flow that makes it stand', () => {
    const world = new World(THREE, 0.5 * MBPS);
    world.queueUs = 60 * MILLISECOND;
    world.run(10, 3 * MBPS);
    expect(world.switches).toEqual([]);
    world.isCompeting = true;
    world.run(3, 3 * MBPS);
    expect(world.switches.map(({ to }) => to)).toEqual([1]);
  });

  it('waits longer after each step up that was undone soon, at most a minute', () => {
    // Whatever it takes, it loses again: the pathological case of a link right between two renditions.
    const world = new World(THREE, 0.5 * MBPS);
    const ups: number[] = [];
    for (let atS = 0; atS < 600; atS += 0.05) {
      world.run(0.05, world.ladder.current === 0 ? 1.9 * MBPS : 1.4 * MBPS);
    }
    for (const { to, atS } of world.switches) if (to === 1) ups.push(atS);
    const gaps = ups.slice(1).map((atS, i) => atS - (ups[i] as number));
    expect(gaps[0]).toBeLessThan(15);
    for (let i = 1; i < 3; i++) expect(gaps[i]).toBeGreaterThan(1.5 * (gaps[i - 1] as number));
    expect(Math.max(...gaps)).toBeGreaterThan(60);
    expect(Math.max(...gaps)).toBeLessThan(66);
  });

  it('forgets that once a step up has lasted for 10 s', () => {
    const world = new World(THREE, 0.5 * MBPS);
    world
      .run(3, 2 * MBPS)
      .run(1, 1.4 * MBPS)
      .run(13, 2 * MBPS);
    expect(world.switches.map(({ to }) => to)).toEqual([1, 0, 1]);
    world.run(12, 2 * MBPS).run(1, 1.4 * MBPS);
    const before = world.switches.length;
    world.run(6, 2 * MBPS);
    expect(world.switches.length).toBe(before + 1);
  });
});

describe('the key frame of a switch', () => {
  it('is waited for, and asked for once a second', () => {
    const world = new World(THREE, 0.5 * MBPS);
    world.hasKeyFrames = false;
    world.run(5.5, 3 * MBPS);
    expect(world.ladder.current).toBe(0);
    expect(world.ladder.wanted).toBe(1);
    expect(world.requests).toEqual([1, 1, 1, 1]);
  });

  it('is not waited for any more when the path has become worse', () => {
    const world = new World(THREE, 0.5 * MBPS);
    world.hasKeyFrames = false;
    world.run(3, 3 * MBPS).run(0.3, 1.2 * MBPS);
    expect(world.ladder.wanted).toBe(0);
  });

  it('counts: a rendition whose key frame takes longer than the latency is none to go to', () => {
    const ladder = new World(THREE, 0.5 * MBPS);
    // 100 kB at 2 Mbit/s take 400 ms of 300.
    ladder.ladder.onFrame(1, true, 100_000);
    expect(ladder.run(10, 2 * MBPS).switches).toEqual([]);
    expect(ladder.run(4, 3.5 * MBPS).switches.map(({ to }) => to)).toEqual([1]);
  });

  it('counts: it is spread over the 5 s that a rendition stays at the least', () => {
    const world = new World(THREE, 0.5 * MBPS);
    world.ladder.onFrame(1, true, 60_000);
    // 1.2 x 1.5 + 0.48 / 5 Mbit/s.
    expect(world.run(10, 1.88 * MBPS).switches).toEqual([]);
    expect(world.run(3, 1.91 * MBPS).switches.map(({ to }) => to)).toEqual([1]);
  });
});

describe('temporal layers', () => {
  const layered = [fixed(0.4 * MBPS), fixed(2 * MBPS, [0.5, 0.7, 1])];

  it('go before the rendition does', () => {
    const world = new World(layered, 3 * MBPS).run(1, 3 * MBPS);
    expect(world.ladder.layers).toBe(3);
    world.run(1, 1.9 * MBPS);
    expect([world.ladder.current, world.ladder.layers]).toEqual([1, 2]);
    world.run(1, 1.1 * MBPS);
    expect([world.ladder.current, world.ladder.layers]).toEqual([1, 1]);
    world.run(1, 0.9 * MBPS);
    expect(world.ladder.current).toBe(0);
  });

  it('come back after half a second of enough', () => {
    const world = new World(layered, 3 * MBPS).run(1, 3 * MBPS).run(1, 1.9 * MBPS);
    world.run(0.4, 2.5 * MBPS);
    expect(world.ladder.layers).toBe(2);
    world.run(0.2, 2.5 * MBPS);
    expect(world.ladder.layers).toBe(3);
    expect(world.switches).toEqual([]);
  });
});

describe('the bitrate for the encoder', () => {
  it('is what fits, within what the wanted rendition can do', () => {
    const steps = [
      { minBps: 150_000, targetBps: 400_000, maxBps: 500_000, layerShares: [1] },
      { minBps: 600_000, targetBps: 1_500_000, maxBps: 2_000_000, layerShares: [1] },
    ];
    const world = new World(steps, 0.3 * MBPS).run(1, 0.3 * MBPS);
    expect(world.ladder.bitrateBps).toBe(300_000);
    world.run(1, 0.1 * MBPS);
    expect(world.ladder.bitrateBps).toBe(150_000);
    world.run(8, 1.7 * MBPS);
    expect(world.ladder.bitrateBps).toBe(1_700_000);
    world.run(1, 9 * MBPS);
    expect(world.ladder.bitrateBps).toBe(2_000_000);
  });
});
