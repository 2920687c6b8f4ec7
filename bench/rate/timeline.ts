/** One run as charts: capacity, target and what was sent over time, and below it the queue. */
import type { Chart, Series } from '../report/section.ts';
import type { RateCase } from './case.ts';
import { quantile } from './measure.ts';
import { BIN_MS, type FlowResult, type RunResult } from './result.ts';

/** Points of a chart, at most. */
const POINTS_MAX = 400;
const TONES = ['accent', 'warm', 'cool', 'accent2', 'warm2'] as const;

/** Seconds per point: whole bins. */
function stepOf(run: RunResult): number {
  const bins = Math.max(4, Math.ceil((run.seconds * 1000) / BIN_MS / POINTS_MAX));
  return (bins * BIN_MS) / 1000;
}

export function timeLines(rateCase: RateCase, run: RunResult): Chart[] {
  return [rates(rateCase, run), queues(rateCase, run)];
}

function over(
  run: RunResult,
  value: (fromS: number, toS: number) => number | null,
): [number, number | null][] {
  const step = stepOf(run);
  const points: [number, number | null][] = [];
  for (let t = 0; t + step <= run.seconds + 1e-9; t += step) {
    points.push([Number((t + step / 2).toFixed(3)), value(t, t + step)]);
  }
  return points;
}

function mbps(bps: number): number {
  return Number((bps / 1e6).toFixed(3));
}

function rates(rateCase: RateCase, run: RunResult): Chart {
  const isAlone = run.flows.length === 1;
  const series: Series[] = [];
  const capacity = over(run, (from) => {
    const bps = run.capacityBps(from);
    return Number.isFinite(bps) ? mbps(bps) : null;
  });
  series.push({ name: 'capacity', points: capacity, tone: 'grey', style: 'step' });
  run.flows.forEach((flow, i) => {
    const tone = TONES[i % TONES.length] as (typeof TONES)[number];
    const name = isAlone ? 'sent' : `sent ${flow.name}`;
    series.push({ name, tone, points: over(run, (from, to) => mbps(flow.sent.rate(from, to))) });
    if (isAlone) {
      const points = over(run, (from) => targetAt(flow, from));
      series.push({ name: 'target', tone: 'warm', style: 'dashed', points });
    }
  });
  if (run.tcp.length > 0) {
    const points = over(run, (from, to) =>
      mbps(run.tcp.reduce((sum, tcp) => sum + tcp.through.rate(from, to), 0)),
    );
    series.push({ name: 'TCP', tone: 'warm3', points });
  }
  return {
    title: `${rateCase.name}, seed ${run.seed}: rate`,
    x: { name: 's', max: run.seconds, min: 0 },
    y: { name: 'Mbit/s', min: 0 },
    series,
  };
}

function targetAt(flow: FlowResult, atS: number): number | null {
  const bps = flow.target[Math.round((atS * 1000) / BIN_MS)] as number;
  return Number.isNaN(bps) ? null : mbps(bps);
}

function queues(rateCase: RateCase, run: RunResult): Chart {
  const step = stepOf(run);
  const waits: number[][] = Array.from({ length: Math.ceil(run.seconds / step) + 1 }, () => []);
  for (const { waits: all } of run.flows) {
    for (let i = 0; i < all.us.length; i++) {
      waits[Math.floor((all.atUs[i] as number) / 1e6 / step)]?.push((all.us[i] as number) / 1000);
    }
  }
  const points = (q: number): [number, number | null][] =>
    over(run, (from) => {
      const slot = waits[Math.round(from / step)] as number[];
      return slot.length === 0 ? null : Number(quantile(slot, q).toFixed(2));
    });
  return {
    title: `${rateCase.name}, seed ${run.seed}: queue delay`,
    x: { name: 's', max: run.seconds, min: 0 },
    y: { name: 'ms', min: 0 },
    series: [
      { name: 'median', points: points(0.5), tone: 'accent' },
      { name: 'largest', points: points(1), tone: 'grey', style: 'dots' },
    ],
  };
}
