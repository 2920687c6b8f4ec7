import { describe, expect, test } from 'vitest';
import { Channel } from '../../src/plan/channel.ts';
import { FlightTable } from '../../src/plan/flights.ts';
import { Planner, priceOf } from '../../src/plan/planner.ts';
import { roundsThatFit, spanThatFits } from '../../src/plan/rounds.ts';
import { missRatio, sparesFor } from '../../src/plan/spare.ts';

const MS = 1_000;

/** P(more than r of k + r packets are lost), independent losses, by the binomial formula. */
function binomialMiss(k: number, r: number, p: number): number {
  let term = (1 - p) ** (k + r);
  let within = term;
  for (let j = 1; j <= r; j++) {
    term *= ((k + r - j + 1) / j) * (p / (1 - p));
    within += term;
  }
  return 1 - within;
}

describe('channel', () => {
  test.each([
    [0.01, 12, 2],
    [0.05, 12, 4],
    [0.1, 48, 9],
    [0.2, 100, 30],
  ])('with loss of %f counts independent losses like the binomial formula (k %i, r %i)', (p, k, r) => {
    const channel = new Channel(p, 1);
    expect(channel.isBursty).toBe(false);
    expect(channel.moreThan(r, k + r)).toBeCloseTo(binomialMiss(k, r, p), 12);
  });

  test('counts runs as a chain of two states does', () => {
    const channel = new Channel(0.05, 4);
    // Both of two lost: the first in the bad state, which lasts with 3/4.
    expect(channel.exactly(2, 2)).toBeCloseTo(0.05 * 0.75, 12);
    expect(channel.moreThan(0, 1)).toBeCloseTo(0.05, 12);
    let mean = 0;
    for (let j = 1; j <= 40; j++) mean += j * channel.exactly(j, 40);
    expect(mean).toBeCloseTo(2, 9);
  });

  test('loses nothing where nothing is lost', () => {
    expect(new Channel(0, 1).moreThan(0, 200)).toBe(0);
  });
});

describe('dynamic program', () => {
  /** Overhead of the optimum at one miss in 1000, k and p as in the published table of hybrid repair and resends. */
  function overheadAt(k: number, p: number, rounds: number, target: number): number {
    const channel = new Channel(p, 1);
    let best = Number.POSITIVE_INFINITY;
    for (let price = 50; price < 2e5; price *= 1.15) {
      const { sent, miss } = play(channel, new FlightTable(channel, price, rounds + 1), k, rounds + 1);
      if (miss <= target) best = Math.min(best, sent / k - 1);
    }
    return best;
  }

  /** Exact expectation of symbols sent and misses under the table's policy. */
  function play(
    channel: Channel,
    table: FlightTable,
    k: number,
    flights: number,
  ): { sent: number; miss: number } {
    let states = new Map([[k, 1]]);
    let sent = 0;
    for (let left = flights; left >= 1; left--) {
      const next = new Map<number, number>();
      for (const [missing, chance] of states) {
        if (missing === 0) continue;
        const spares = table.spares(missing, left);
        const n = missing + spares;
        sent += chance * n;
        for (let lost = spares + 1; lost <= n; lost++) {
          const gap = lost - spares;
          next.set(gap, (next.get(gap) ?? 0) + chance * channel.exactly(lost, n));
        }
      }
      states = next;
    }
    return { sent, miss: [...states.values()].reduce((sum, chance) => sum + chance, 0) };
  }

  test.each([
    [10, 0.01, 0, 0.2],
    [10, 0.05, 0, 0.4],
    [10, 0.05, 1, 0.099],
    [10, 0.05, 2, 0.055],
    [10, 0.1, 1, 0.202],
    [20, 0.1, 1, 0.173],
    [50, 0.05, 1, 0.074],
    [5, 0.05, 2, 0.053],
  ])('reaches the known optimum: %i symbols, loss %f, %i rounds', (k, p, rounds, asked) => {
    const found = overheadAt(k, p, rounds, 1e-3);
    expect(found).toBeGreaterThan(asked - 0.012);
    expect(found).toBeLessThan(asked + 0.006);
  });

  test('sends nothing ahead where rounds fit and loss is small, and spares on the last flight', () => {
    const table = new FlightTable(new Channel(0.05, 1), priceOf(1e-3, 12, 'ordinary', 0), 4);
    expect(table.spares(12, 4)).toBe(0);
    expect(table.spares(12, 3)).toBe(0);
    expect(table.spares(1, 3)).toBe(0);
    expect(table.spares(1, 1)).toBeGreaterThanOrEqual(1);
    expect(table.spares(12, 1)).toBeGreaterThanOrEqual(4);
  });

  test('protects a resend more than a first flight', () => {
    const table = new FlightTable(new Channel(0.1, 1), priceOf(1e-3, 12, 'ordinary', 0), 2);
    expect(table.spares(2, 1) / 2).toBeGreaterThan(table.spares(12, 2) / 12);
  });

  test('scales blocks beyond its rows', () => {
    const table = new FlightTable(new Channel(0.05, 1), 1000, 1);
    expect(table.spares(128, 1)).toBe(2 * table.spares(64, 1));
  });
});

describe('last call', () => {
  const none = { missing: 0, unknown: 0, rowsArrived: 0, rowsUnknown: 0 };
  const channel = new Channel(0.05, 1);

  test('adds nothing when nothing is open, or enough is on its way', () => {
    expect(sparesFor(none, channel, 800)).toBe(0);
    expect(sparesFor({ ...none, unknown: 1, rowsUnknown: 3 }, channel, 800)).toBe(0);
    expect(sparesFor({ ...none, missing: 1, rowsArrived: 1 }, channel, 800)).toBe(0);
  });

  test('makes up for what is missing, and guards it', () => {
    expect(sparesFor({ ...none, missing: 2 }, channel, 800)).toBeGreaterThan(2);
    expect(sparesFor({ ...none, missing: 2 }, new Channel(0, 1), 800)).toBe(2);
  });

  test('shares spares among what many frames still wait for', () => {
    const one = sparesFor({ ...none, unknown: 1 }, channel, 800);
    const ten = sparesFor({ ...none, unknown: 10 }, channel, 800);
    expect(ten).toBeLessThan(5 * one);
  });

  test('spends up to the price and no further', () => {
    const inputs = { ...none, unknown: 4 };
    for (const price of [10, 100, 1_000, 10_000]) {
      const count = sparesFor(inputs, channel, price);
      const saved = missRatio(inputs, count, channel) - missRatio(inputs, count + 1, channel);
      expect(price * saved).toBeLessThanOrEqual(1);
    }
  });
});

describe('rounds and spans', () => {
  const path = {
    smoothedRttUs: 60 * MS,
    rttVarianceUs: 1 * MS,
    jitterUs: MS,
    detectUs: 8 * MS,
    packetUs: MS,
  };

  test.each([
    [20, 120, 3],
    [60, 120, 1],
    [150, 120, 0],
    [150, 250, 1],
  ])('RTT %i ms, latency %i ms: %i rounds', (rttMs, latencyMs, rounds) => {
    expect(roundsThatFit(latencyMs * MS, { ...path, smoothedRttUs: rttMs * MS })).toBe(rounds);
  });

  test('what is queued before a frame costs it rounds', () => {
    expect(roundsThatFit((120 - 50) * MS, path)).toBe(0);
  });

  test('repair of three later frames helps a frame of 30 per second in 120 ms, of five at 50', () => {
    expect(spanThatFits(120 * MS, 33_333, path)).toBe(3);
    expect(spanThatFits(120 * MS, 20_000, path)).toBe(5);
    expect(spanThatFits(120 * MS, 0, path)).toBe(0);
  });
});

describe('planner', () => {
  test('plans nothing on a clean path, whatever is asked', () => {
    const planner = new Planner();
    planner.observe(0, 1);
    for (const symbols of [1, 12, 250]) {
      expect(planner.flightSpares(symbols, 1, 1e9)).toBe(0);
      expect(planner.streamRatio(symbols, 3, 1e9)).toBe(0);
      expect(planner.spares({ missing: 0, unknown: symbols, rowsArrived: 0, rowsUnknown: 0 }, 1e9)).toBe(0);
    }
  });

  describe('first flights of frames that are handed out at once', () => {
    const price = priceOf(1e-3, 12, 'ordinary', 0);
    function firstSpares(
      lossRatio: number,
      burstMean: number,
      symbols: number,
      rounds: number,
      waiting: number,
    ) {
      const planner = new Planner();
      planner.observe(lossRatio, burstMean);
      return planner.firstSpares(symbols, rounds, price, 1, waiting);
    }
    /** Share of flights that are enough by themselves, when so many spares are the mean. */
    function promptShare(lossRatio: number, symbols: number, spares: number): number {
      const low = Math.floor(spares);
      const completes = (r: number): number => 1 - binomialMiss(symbols, r, lossRatio);
      return completes(low) + (spares - low) * (completes(low + 1) - completes(low));
    }

    test.each([
      [0.05, 1, 3],
      [0.1, 1, 3],
      [0.05, 2.1, 1],
      [0.1, 2.1, 1],
    ])('suffice for more than half of the frames: loss %f, resends that hold up %f', (p, waiting, rounds) => {
      const spares = firstSpares(p, 1, 12, rounds, waiting);
      expect(promptShare(p, 12, spares) ** waiting).toBeGreaterThan(0.5);
      // And not by much: the last spare was needed.
      expect(promptShare(p, 12, Math.max(0, spares - 1)) ** waiting).toBeLessThan(0.56);
    });

    test('carry nothing for it where being early is worth nothing, and hardly more where most are complete', () => {
      expect(firstSpares(0.1, 1, 12, 3, 0)).toBe(0);
      expect(firstSpares(0.01, 1, 12, 3, 1)).toBe(0);
      expect(firstSpares(0.05, 4, 12, 1, 2.1)).toBe(firstSpares(0.05, 4, 12, 1, 0));
    });

    test('of one symbol are not doubled for it', () => {
      expect(firstSpares(0.05, 1, 1, 1, 22)).toBe(0);
    });
  });

  test('key frames get more than ordinary ones, and these more than discardable ones', () => {
    const planner = new Planner();
    planner.observe(0.05, 1);
    const at = (frameClass: 'key' | 'ordinary' | 'discardable'): number =>
      planner.streamRatio(12, 3, priceOf(1e-3, 12, frameClass, 0));
    expect(at('key')).toBeGreaterThan(at('ordinary'));
    expect(at('ordinary')).toBeGreaterThan(at('discardable'));
  });

  test('under pressure discardable frames give up their redundancy first, key frames last', () => {
    expect(priceOf(1e-3, 12, 'discardable', 0.5)).toBe(0);
    expect(priceOf(1e-3, 12, 'ordinary', 0.5)).toBeLessThan(priceOf(1e-3, 12, 'ordinary', 0));
    expect(priceOf(1e-3, 12, 'key', 1)).toBe(priceOf(1e-3, 12, 'key', 0));
  });

  test('a stricter target costs more', () => {
    const planner = new Planner();
    planner.observe(0.05, 1);
    expect(planner.streamRatio(12, 3, priceOf(1e-5, 12, 'ordinary', 0))).toBeGreaterThan(
      planner.streamRatio(12, 3, priceOf(1e-2, 12, 'ordinary', 0)),
    );
  });
});
