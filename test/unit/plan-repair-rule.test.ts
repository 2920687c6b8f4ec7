import { describe, expect, test } from 'vitest';
import { binomialRepair, burstRepair, repairFor, spareFor } from '../../src/plan/repair-rule.ts';
import { roundsThatFit } from '../../src/plan/rounds.ts';

const base = { symbols: 10, lossRatio: 0.05, burstMean: 1, roundsLeft: 0, target: 1e-3 };

describe('repair rule', () => {
  test('sends nothing on a clean path, whatever the block and the target', () => {
    for (const symbols of [1, 10, 100, 254]) {
      for (const roundsLeft of [0, 1, 2]) {
        expect(repairFor({ ...base, symbols, roundsLeft, lossRatio: 0, target: 1e-9 })).toBe(0);
      }
    }
  });

  test('matches the binomial table for residual frame loss of 1e-3', () => {
    const table: [number, number, number][] = [
      [0.01, 1, 1],
      [0.01, 10, 2],
      [0.01, 20, 3],
      [0.01, 50, 4],
      [0.05, 1, 2],
      [0.05, 5, 3],
      [0.05, 10, 4],
      [0.05, 20, 6],
      [0.05, 50, 9],
      [0.2, 5, 7],
      [0.2, 10, 10],
      [0.2, 50, 27],
    ];
    for (const [loss, k, r] of table) expect(binomialRepair(k, loss, 1e-3), `k ${k} p ${loss}`).toBe(r);
  });

  test('aims at a third of the target', () => {
    expect(repairFor(base)).toBe(binomialRepair(10, 0.05, 1e-3 / 3));
    expect(repairFor(base)).toBeGreaterThanOrEqual(4);
  });

  test('sends no first-flight repair where a round fits and loss is small', () => {
    expect(repairFor({ ...base, lossRatio: 0.02, symbols: 20, roundsLeft: 1 })).toBe(0);
    expect(repairFor({ ...base, symbols: 20, roundsLeft: 2 })).toBe(0);
    expect(repairFor({ ...base, lossRatio: 0.2, symbols: 20, roundsLeft: 3 })).toBe(0);
  });

  test('follows the dynamic program within one symbol where one round fits', () => {
    const table: [number, number, number][] = [
      [10, 0.1, 1],
      [10, 0.2, 3],
      [20, 0.05, 1],
      [20, 0.1, 2],
      [50, 0.05, 2],
      [50, 0.1, 5],
    ];
    for (const [symbols, lossRatio, r] of table) {
      expect(Math.abs(repairFor({ ...base, symbols, lossRatio, roundsLeft: 1 }) - r)).toBeLessThanOrEqual(1);
    }
  });

  test('adds repair against bursts, up to half of the block', () => {
    expect(burstRepair(20, 0.02, 1, 1e-3)).toBe(0);
    expect(burstRepair(22, 0.02, 3, 1e-3)).toBeGreaterThanOrEqual(11);
    const quiet = repairFor({ ...base, symbols: 20, lossRatio: 0.02 });
    const bursty = repairFor({ ...base, symbols: 20, lossRatio: 0.02, burstMean: 3 });
    expect(bursty).toBeGreaterThan(quiet);
    expect(bursty).toBe(10);
  });

  test('never asks for more than a block holds', () => {
    for (const symbols of [1, 200, 253, 254, 300]) {
      const count = repairFor({ ...base, symbols, lossRatio: 0.6, burstMean: 50, target: 1e-6 });
      expect(count).toBeGreaterThanOrEqual(0);
      expect(count).toBeLessThanOrEqual(Math.max(0, 254 - symbols));
    }
  });

  test('lets a resend carry spare symbols on the last round only', () => {
    expect(spareFor({ ...base, symbols: 1, roundsLeft: 1 })).toBe(0);
    expect(spareFor({ ...base, symbols: 1, roundsLeft: 0 })).toBe(2);
    expect(spareFor({ ...base, symbols: 1, lossRatio: 0 })).toBe(0);
  });
});

describe('rounds that fit', () => {
  const path = { smoothedRttUs: 40_000, rttVarianceUs: 5_000, ackDelayUs: 5_000, detectUs: 10_000 };
  test('count whole rounds, after half a round trip for the last copy, up to three', () => {
    expect(roundsThatFit({ ...path, timeLeftUs: 82_499 })).toBe(0);
    expect(roundsThatFit({ ...path, timeLeftUs: 82_500 })).toBe(1);
    expect(roundsThatFit({ ...path, timeLeftUs: 142_500 })).toBe(2);
    expect(roundsThatFit({ ...path, timeLeftUs: 10_000_000 })).toBe(3);
    expect(roundsThatFit({ ...path, timeLeftUs: -1 })).toBe(0);
  });
});
