/** The event loop, the timer, the trace hash and the arithmetic of src/sim. */
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { cubeRoot, exponential, naturalLog, standardNormal } from '../../src/sim/distributions.ts';
import { EventQueue } from '../../src/sim/event-queue.ts';
import { SimTimer, Simulator } from '../../src/sim/simulator.ts';
import { TraceHash } from '../../src/sim/trace-hash.ts';

describe('the event queue', () => {
  it('gives events back in order of time, and equal times in order of scheduling (seed 1)', () => {
    const random = new SeededRandom(1);
    const queue = new EventQueue();
    const expected: { atUs: number; order: number }[] = [];
    for (let order = 0; order < 5_000; order++) {
      const atUs = random.u32() % 700;
      expected.push({ atUs, order });
      queue.push(atUs, () => {});
    }
    expected.sort((a, b) => a.atUs - b.atUs || a.order - b.order);
    for (const { atUs, order } of expected) expect(queue.pop()).toMatchObject({ atUs, order });
    expect(queue.pop()).toBeUndefined();
  });
});

describe('the simulator', () => {
  it('runs what is due up to the instant asked for, that instant included, and sets the clock there', () => {
    const sim = new Simulator({ seed: 1 });
    const seen: number[] = [];
    for (const atUs of [5, 10, 11]) sim.schedule(atUs, () => seen.push(sim.now));
    sim.run(10);
    expect(seen).toEqual([5, 10]);
    expect(sim.now).toBe(10);
  });

  it('never turns the clock back for an event in the past', () => {
    const sim = new Simulator({ seed: 1 });
    sim.run(100);
    let atUs = 0;
    sim.schedule(3, () => {
      atUs = sim.now;
    });
    sim.run(200);
    expect(atUs).toBe(100);
  });

  it('names seed, instant and replay command when something fails, and keeps the cause', () => {
    const sim = new Simulator({ seed: 42, replayCommand: 'run-it --seed {seed}' });
    const cause = new Error('it broke');
    sim.schedule(17, () => {
      throw cause;
    });
    expect(() => sim.run(100)).toThrow('it broke [seed 42, t = 17 us; replay: run-it --seed 42]');
    const again = new Simulator({ seed: 42 });
    again.schedule(1, () => {
      throw cause;
    });
    try {
      again.run(2);
      expect.unreachable();
    } catch (error) {
      expect((error as Error).cause).toBe(cause);
    }
  });

  it('runs its checkers after every event', () => {
    const sim = new Simulator({ seed: 1 });
    let value = 0;
    sim.addChecker({
      name: 'at most 2',
      check: () => {
        if (value > 2) throw new Error(`value ${value}`);
      },
    });
    for (let i = 0; i < 5; i++) sim.schedule(i * 10, () => value++);
    expect(() => sim.run(100)).toThrow('value 3 [seed 1, t = 20 us]');
  });

  it('refuses a seed that is not a whole number below 2^53', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53])
      expect(() => new Simulator({ seed })).toThrow(RangeError);
  });
});

describe('the timer', () => {
  it('fires once at its last deadline, whether that moved later or earlier', () => {
    const sim = new Simulator({ seed: 1 });
    const fired: number[] = [];
    const timer = new SimTimer(sim, () => fired.push(sim.now));
    timer.arm(10);
    timer.arm(50);
    timer.arm(30);
    sim.schedule(20, () => timer.arm(25));
    sim.run(100);
    expect(fired).toEqual([25]);
    timer.arm(150);
    timer.disarm();
    sim.run(200);
    expect(fired).toEqual([25]);
  });

  it('does not fill the heap when it is re-armed with every packet', () => {
    const sim = new Simulator({ seed: 1 });
    const timer = new SimTimer(sim, () => {});
    for (let i = 0; i < 10_000; i++) timer.arm(1_000 + i);
    expect(sim.pendingEvents).toBe(1);
  });
});

describe('the trace hash', () => {
  it('is equal for equal inputs and differs for another order, value or high half', () => {
    const hashOf = (...values: number[]): string => {
      const hash = new TraceHash();
      for (const value of values) hash.add(value);
      return hash.digest();
    };
    const digests = [hashOf(), hashOf(0), hashOf(0, 0), hashOf(1, 2), hashOf(2, 1), hashOf(2 ** 32 + 1, 2)];
    expect(new Set(digests).size).toBe(digests.length);
    expect(hashOf(1, 2)).toBe(hashOf(1, 2));
    expect(hashOf(1, 2)).toMatch(/^[0-9a-f]{16}$/);
  });

  it('collides for none of 200 000 neighbouring inputs', () => {
    const digests = new Set<string>();
    for (let i = 0; i < 200_000; i++) {
      const hash = new TraceHash();
      hash.add(i);
      hash.add(1_000_000 - i);
      digests.add(hash.digest());
    }
    expect(digests.size).toBe(200_000);
  });
});

describe('the arithmetic', () => {
  it('agrees with the engine on logarithms and cube roots over 30 decades', () => {
    for (let exponent = -15; exponent <= 15; exponent += 0.37) {
      const value = 10 ** exponent;
      expect(naturalLog(value)).toBeCloseTo(Math.log(value), 12);
      expect(cubeRoot(value) / Math.cbrt(value)).toBeCloseTo(1, 13);
    }
    expect(cubeRoot(0)).toBe(0);
  });

  it('draws exponential and normal numbers with the right moments (seed 3)', () => {
    const random = new SeededRandom(3);
    const count = 100_000;
    let sum = 0;
    let normalSum = 0;
    let normalSquares = 0;
    for (let i = 0; i < count; i++) {
      sum += exponential(random, 5);
      const normal = standardNormal(random);
      normalSum += normal;
      normalSquares += normal * normal;
    }
    expect(sum / count).toBeGreaterThan(4.95);
    expect(sum / count).toBeLessThan(5.05);
    expect(Math.abs(normalSum / count)).toBeLessThan(0.012);
    expect(Math.abs(normalSquares / count - 1)).toBeLessThan(0.02);
  });
});
