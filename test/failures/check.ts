/** Runs failure cases as tests: each case on up to twenty seeds, each fault named with its seed. */
import { expect, test } from 'vitest';
import { type FailureCase, isChosen, judge } from './case.ts';
import { SEEDS } from './seeds.ts';

/** One test per case. */
export function checkCases(cases: readonly FailureCase[]): void {
  for (const one of cases) {
    if (one.isLong === true) continue;
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1).filter((seed) => isChosen(one, seed));
    const often = seeds.length === 1 ? 'seed 1' : `${seeds.length} seeds`;
    const name = `${one.row}: ${one.name} (${often})`;
    // What is open is known to fail; `npm run test:failures` runs it all the same.
    const isOpen = one.open !== undefined;
    test.skipIf(isOpen)(isOpen ? `${name}: open, ${one.open}` : name, () => {
      const faults = seeds.map((seed) => judge(one, seed)).filter(({ isGood }) => !isGood);
      expect(faults.map(({ seed, fault }) => `seed ${seed}: ${fault}`)).toEqual([]);
    });
  }
}
