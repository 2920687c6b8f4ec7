/** Asked and measured: medians over seeds, held against the demands of a scenario. */
import type { Metrics, RateCase } from './case.ts';
import { median } from './measure.ts';

/** One demand and how it went. */
export interface Check {
  readonly metric: string;
  /** Empty: nothing is asked of it. */
  readonly asked: string;
  readonly measured: number;
  readonly least: number;
  readonly most: number;
  readonly isMet: boolean;
}

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  readonly checks: readonly Check[];
}

/** Medians of all metrics of one scenario, with what is asked of them. @param runs One record of metrics per seed. */
export function judge(
  rateCase: RateCase,
  runs: readonly Metrics[],
  before: readonly CaseResult[],
): CaseResult {
  const checks = Object.keys(runs[0] as Metrics).map((metric) => {
    const values = runs.map((run) => run[metric] as number);
    const measured = median(values);
    const { min, max } = limits(rateCase, metric, before);
    return {
      metric,
      asked: asked(min, max),
      measured,
      least: Math.min(...values),
      most: Math.max(...values),
      isMet: !(measured < min) && !(measured > max) && !(Number.isNaN(measured) && asked(min, max) !== ''),
    };
  });
  return { name: rateCase.name, title: rateCase.title, checks };
}

function limits(
  rateCase: RateCase,
  metric: string,
  before: readonly CaseResult[],
): { min: number; max: number } {
  const { compare, gates } = rateCase;
  if (compare?.metric === metric) {
    const other = before
      .find(({ name }) => name === compare.to)
      ?.checks.find((check) => check.metric === metric);
    return {
      min: (other?.measured ?? Number.NEGATIVE_INFINITY) - compare.within,
      max: Number.POSITIVE_INFINITY,
    };
  }
  const gate = gates.find((one) => one.metric === metric);
  return { min: gate?.min ?? Number.NEGATIVE_INFINITY, max: gate?.max ?? Number.POSITIVE_INFINITY };
}

function asked(min: number, max: number): string {
  const parts: string[] = [];
  if (Number.isFinite(min)) parts.push(`>= ${show(min)}`);
  if (Number.isFinite(max)) parts.push(`<= ${show(max)}`);
  return parts.join(', ');
}

/** Three significant digits, without a needless exponent. */
export function show(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '-' : 'never';
  return value === 0 ? '0' : String(Number(value.toPrecision(3)));
}
