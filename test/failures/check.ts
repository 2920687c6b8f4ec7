/** Runs failure cases as tests: each case on twenty seeds, each fault named with its seed. */
import { expect, test } from 'vitest';
import { type FailureCase, judge, SEEDS } from './case.ts';

/** Virtual time takes as much real time as the machine needs: this is for one that hangs. */
const TIMEOUT_MS = 600_000;

/** One test per case. */
export function checkCases(cases: readonly FailureCase[]): void {
  for (const one of cases) {
    if (one.isLong === true) continue;
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
    const name = `${one.row}: ${one.name} (seeds 1 to ${SEEDS})`;
    test(name, { timeout: TIMEOUT_MS }, () => {
      const faults = seeds.map((seed) => judge(one, seed)).filter(({ isGood }) => !isGood);
      expect(faults.map(({ seed, fault }) => `seed ${seed}: ${fault}`)).toEqual([]);
    });
  }
}
