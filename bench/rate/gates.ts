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

/** What a metric must be; or whose figure it would be held against, had that scenario run. */
type Demand = { readonly min: number; readonly max: number } | { readonly without: string };

/** Medians of all metrics of one scenario, with what is asked of them. @param runs One record of metrics per seed. */
export function judge(
  rateCase: RateCase,
  runs: readonly Metrics[],
  before: readonly CaseResult[],
): CaseResult {
  const checks = Object.keys(runs[0] as Metrics).map((metric) => {
    const values = runs.map((run) => run[metric] as number);
    const measured = median(values);
    const demand = demandOf(rateCase, metric, before);
    return {
      metric,
      asked: asked(demand),
      measured,
      least: Math.min(...values),
      most: Math.max(...values),
      isMet: isMet(measured, demand),
    };
  });
  return { name: rateCase.name, title: rateCase.title, checks };
}

function demandOf(rateCase: RateCase, metric: string, before: readonly CaseResult[]): Demand {
  const { compare, gates } = rateCase;
  if (compare?.metric === metric) {
    const other = before
      .find(({ name }) => name === compare.to)
      ?.checks.find((check) => check.metric === metric);
    if (other === undefined) return { without: compare.to };
    return { min: other.measured - compare.within, max: Number.POSITIVE_INFINITY };
  }
  const gate = gates.find((one) => one.metric === metric);
  return { min: gate?.min ?? Number.NEGATIVE_INFINITY, max: gate?.max ?? Number.POSITIVE_INFINITY };
}

function isMet(measured: number, demand: Demand): boolean {
  if ('without' in demand) return false;
  if (asked(demand) === '') return true;
  return measured >= demand.min && measured <= demand.max;
}

function asked(demand: Demand): string {
  if ('without' in demand) return `as ${demand.without}`;
  const parts: string[] = [];
  if (Number.isFinite(demand.min)) parts.push(`>= ${show(demand.min)}`);
  if (Number.isFinite(demand.max)) parts.push(`<= ${show(demand.max)}`);
  return parts.join(', ');
}

/** Three significant digits, without a needless exponent. */
export function show(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '-' : 'never';
  return value === 0 ? '0' : String(Number(value.toPrecision(3)));
}
