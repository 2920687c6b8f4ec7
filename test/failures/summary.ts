/** What many seeds of one case come to. In: outcomes. Out: a row for people and for JSON. */
import type { FailureCase, Outcome } from './case.ts';

export interface Summary {
  readonly row: string;
  readonly name: string;
  readonly figure: string;
  readonly unit: string;
  readonly bound: string;
  readonly seeds: number;
  readonly passed: number;
  readonly median: number | null;
  readonly worst: number | null;
  readonly worstSeed: number;
  /** Median of TCP in the same worlds. */
  readonly tcp?: number | null;
  readonly notes?: Outcome['notes'];
  readonly faults: readonly { readonly seed: number; readonly fault: string }[];
  readonly cpuMs: number;
}

/** Five digits are enough for anybody; JSON knows no infinity. */
function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : null;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Folds the outcomes of one case. The worst is the one nearest to its bound, or beyond. */
export function summarize(
  one: Omit<FailureCase, 'run'>,
  outcomes: readonly Outcome[],
  cpuMs: number,
): Summary {
  const { row, name, figure, unit, most, least } = one;
  const known = outcomes.filter(({ value }) => value !== undefined);
  const isWorse = (a: Outcome, b: Outcome): boolean =>
    least === undefined
      ? (a.value as number) > (b.value as number)
      : (a.value as number) < (b.value as number);
  const worst = known.reduce<Outcome | undefined>(
    (before, next) => (before === undefined || isWorse(next, before) ? next : before),
    undefined,
  );
  const tcp = outcomes.flatMap((outcome) => (outcome.tcp === undefined ? [] : [outcome.tcp]));
  const notes = outcomes[0]?.notes;
  return {
    row,
    name,
    figure,
    unit,
    bound: least === undefined ? `<= ${most}` : `>= ${least}`,
    seeds: outcomes.length,
    passed: outcomes.filter(({ isGood }) => isGood).length,
    median: rounded(medianOf(known.map(({ value }) => value as number))),
    worst: rounded(worst?.value ?? Number.NaN),
    worstSeed: worst?.seed ?? 0,
    ...(tcp.length === 0 ? {} : { tcp: rounded(medianOf(tcp)) }),
    ...(notes === undefined ? {} : { notes }),
    faults: outcomes.flatMap(({ seed, fault }) => (fault === undefined ? [] : [{ seed, fault }])),
    cpuMs: Math.round(cpuMs),
  };
}

/** One line for people. */
export function describe(summary: Summary): string {
  const { row, name, passed, seeds, median, worst, worstSeed, unit, bound, tcp } = summary;
  const verdict = passed === seeds ? 'ok  ' : 'FAIL';
  const beside = tcp === undefined ? '' : `; TCP ${tcp ?? 'never'}`;
  return (
    `${verdict} ${row.padEnd(8)} ${name}: ${median ?? '-'} ${unit} (worst ${worst ?? '-'}, seed ${worstSeed}; ${bound})` +
    `${beside}; ${passed}/${seeds}, ${summary.cpuMs} ms`
  );
}
