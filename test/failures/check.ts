/** Runs failure cases as tests: every case on twenty seeds, each fault named with its seed. */
import { expect, test } from 'vitest';
import { type FailureCase, isChosen, judge } from './case.ts';
import { SEEDS } from './seeds.ts';

/** One test per case. */
export function checkCases(cases: readonly FailureCase[]): void {
  for (const one of cases) {
    if (one.isLong === true) continue;
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1).filter((seed) => isChosen(one, seed));
    test(`${one.row}: ${one.name} (${seeds.length === 1 ? 'seed 1' : `${seeds.length} seeds`})`, () => {
      const faults = seeds.map((seed) => judge(one, seed)).filter(({ isGood }) => !isGood);
      expect(faults.map(({ seed, fault }) => `seed ${seed}: ${fault}`)).toEqual([]);
    });
  }
}
