/** What the rate bench says of figures against what is asked of them. */
import { expect, it } from 'vitest';
import type { RateCase } from '../../bench/rate/case.ts';
import { judge } from '../../bench/rate/gates.ts';

const plain: RateCase = {
  name: 'plain',
  title: '',
  seconds: 1,
  forward: {} as RateCase['forward'],
  flows: [],
  measure: () => ({}),
  gates: [{ metric: 'share', min: 0.5 }],
};
const compared: RateCase = {
  ...plain,
  name: 'compared',
  gates: [],
  compare: { to: 'plain', metric: 'share', within: 0.1 },
};

it('a demand is held against the median of the seeds, and what nothing is asked of is met', () => {
  const runs = [0.6, 0.2, 0.7].map((share) => ({ share, other: Number.NaN }));
  expect(judge(plain, runs, []).checks.map(({ isMet }) => isMet)).toEqual([true, true]);
  expect(judge(plain, runs.slice(1, 2), []).checks[0]?.isMet).toBe(false);
  expect(judge(plain, [{ share: Number.NaN }], []).checks[0]?.isMet).toBe(false);
});

it('a scenario is as good as another, or missed where that has not run', () => {
  const before = [judge(plain, [{ share: 0.6 }], [])];
  const verdict = (share: number, results = before): boolean | undefined =>
    judge(compared, [{ share }], results).checks[0]?.isMet;
  expect([verdict(0.51), verdict(0.49)]).toEqual([true, false]);
  expect(judge(compared, [{ share: 1 }], []).checks[0]).toMatchObject({ asked: 'as plain', isMet: false });
});
