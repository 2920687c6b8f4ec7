/** The sections of the report about the set `planner`. In: pooled cells. Out: charts and tables as data. */
import type { Block, Chart, Section } from '../report/section.ts';
import { milliseconds, percent, percentPoint, shareText } from './format.ts';
import type { PooledCell } from './pool.ts';
import { cheapestAsGood, perFrameReedSolomon } from './tambur.ts';
import { verdictsOf } from './verdict.ts';

export const PLANNER_HEAD: readonly string[] = [
  'cell',
  'on time',
  'overhead',
  'asked',
  'ideal',
  'resend + repair + probe',
  'p50 / p99 ms',
  'wire',
  'verdict',
];

/** One row per cell of the set: what was asked, what was measured, what is ideal. */
export function plannerRows(cells: readonly PooledCell[]): string[][] {
  return cells.map((pooled) => {
    const { cell, parts, sources } = pooled;
    const steady = sources[0]?.steady;
    const isMeasured = steady !== undefined && steady.frames > 0;
    const missed = verdictsOf(pooled).filter(({ isMet }) => !isMet);
    return [
      cell.id.slice(cell.id.indexOf('/') + 1),
      isMeasured ? percent(steady.onTimeShare, 3) : '-',
      isMeasured ? percent(pooled.overhead) : '-',
      cell.limits?.overheadMax === undefined ? '-' : percent(cell.limits.overheadMax, 1),
      cell.idealOverhead === undefined ? '-' : percent(cell.idealOverhead, 1),
      isMeasured ? [parts.resend, parts.repair, parts.probe].map((part) => percent(part)).join(' + ') : '-',
      isMeasured ? `${milliseconds(steady.p50Ms.median)} / ${milliseconds(steady.p99Ms.median)}` : '-',
      isMeasured ? pooled.wireRatio.median.toFixed(3) : '-',
      missed.length === 0
        ? 'ok'
        : `!${missed.map(({ asked, measured }) => `${asked}: ${measured}`).join('; ')}`,
    ];
  });
}

const TAMBUR_REPAIR_MAX = 8;

/** millrace and per-frame Reed-Solomon on Tambur's channel: undecodable frames and overhead. */
export function tamburRows(cells: readonly PooledCell[]): string[][] {
  return cells
    .filter(({ cell }) => cell.id.includes('/tambur-'))
    .flatMap((pooled) => {
      const { video } = pooled.cell.spec.workload;
      const steady = pooled.sources[0]?.steady;
      if (video === undefined || steady === undefined) return [];
      const points = perFrameReedSolomon(video.bitrateBps / 8 / 30, TAMBUR_REPAIR_MAX);
      const missing = 1 - steady.onTimeShare;
      const rival = cheapestAsGood(points, missing);
      const dear = points.findLast(({ overhead }) => overhead <= pooled.overhead);
      const isBeaten = rival === undefined || rival.overhead > pooled.overhead;
      return [
        [
          `${video.bitrateBps / 1e6} Mbit/s`,
          percent(missing, 3),
          percent(pooled.overhead, 1),
          dear === undefined ? '-' : `${percent(dear.undecodable, 2)} for ${percent(dear.overhead, 0)}`,
          rival === undefined
            ? 'more than any tried'
            : `${percent(rival.overhead, 0)} for ${percent(rival.undecodable, 3)}`,
          isBeaten ? 'ok' : '!dearer than per-frame Reed-Solomon',
        ],
      ];
    });
}

export const TAMBUR_HEAD: readonly string[] = [
  'video',
  'millrace: frames late or lost',
  'overhead',
  'per-frame Reed-Solomon at no more overhead: undecodable',
  'per-frame Reed-Solomon that is as good: overhead',
  'verdict',
];

/** Everything about the set; nothing when none of its cells was run. */
export function plannerSections(cells: readonly PooledCell[]): Section[] {
  const chosen = cells.filter(({ cell }) => cell.set === 'planner');
  if (chosen.length === 0) return [];
  const blocks: Block[] = [idealBlock(chosen)].filter(
    ({ charts }) => (charts[0]?.series[0]?.points.length ?? 0) > 0,
  );
  blocks.push({
    kind: 'table',
    head: PLANNER_HEAD,
    rows: plannerRows(chosen),
    caption:
      'Round trip - latency - loss. On time and overhead are pooled over all seeds; overhead = (resend + repair + probe) / media. Ideal: what the best possible scheme needs for one frame in 1000 late.',
  });
  const tambur = tamburRows(chosen);
  if (tambur.length > 0) {
    blocks.push({
      kind: 'table',
      head: TAMBUR_HEAD,
      rows: tambur,
      caption:
        "Tambur's Gilbert-Elliott channel, 7.4 % loss, 50 ms one way, 100 ms to recover in. Reed-Solomon here has a fixed number of repair symbols for each frame and no resends.",
    });
  }
  const steps = chosen.flatMap(stepCharts);
  if (steps.length > 0) {
    blocks.push({
      kind: 'charts',
      charts: steps,
      columns: 2,
      caption:
        'What changes while it runs, first seed: bytes sent again and repair in each half second, and the latency of each frame.',
    });
  }
  return [{ id: 'planner', title: 'Deadlines, and what they cost', blocks }];
}

function idealBlock(cells: readonly PooledCell[]): Extract<Block, { kind: 'charts' }> {
  const known = cells.filter(({ cell }) => (cell.idealOverhead ?? 0) > 0);
  const points = known.map(({ cell, overhead }): [number, number | null] => [
    (cell.idealOverhead ?? 0) * 100,
    percentPoint(overhead),
  ]);
  return {
    kind: 'charts',
    charts: [
      {
        title: 'Overhead measured against ideal, one dot a cell',
        x: { name: 'ideal overhead, %', scale: 'log', min: 0.5, max: 60 },
        y: { name: 'measured overhead, %', scale: 'log', min: 0.5, max: 60 },
        series: [
          { name: 'measured', tone: 'accent', style: 'dots', points },
          {
            name: 'ideal',
            tone: 'grey',
            style: 'dashed',
            points: [
              [0.5, 0.5],
              [60, 60],
            ],
          },
          {
            name: 'asked at most',
            tone: 'warm',
            style: 'dots',
            points: known.map(({ cell }): [number, number | null] => [
              (cell.idealOverhead ?? 0) * 100,
              percentPoint(cell.limits?.overheadMax),
            ]),
          },
        ],
        heightPx: 380,
      },
    ],
    caption:
      'A dot below the line of the ideal belongs to a cell that misses more frames than the ideal may.',
  };
}

/** Samples this far apart make one point of a rate. */
const RATE_STEP_MS = 500;

function stepCharts({ cell, timeline }: PooledCell): Chart[] {
  if (timeline === undefined) return [];
  const { samples, frames } = timeline;
  const rate = (of: 'resendBytes' | 'repairBytes'): [number, number][] => {
    const points: [number, number][] = [];
    let from = samples[0];
    for (const sample of samples) {
      if (from === undefined || sample.atMs - from.atMs < RATE_STEP_MS) continue;
      const kbps = ((sample[of] - from[of]) * 8) / (sample.atMs - from.atMs);
      points.push([sample.atMs / 1_000, Math.round(kbps)]);
      from = sample;
    }
    return points;
  };
  const marks = (cell.spec.steps ?? []).map(({ atMs }) => ({
    axis: 'x' as const,
    at: atMs / 1_000,
    label: 'step',
  }));
  const name = `${cell.id.slice(cell.id.indexOf('/') + 1)}: ${cell.facets.loss}`;
  return [
    {
      title: name,
      x: { name: 'time, s', min: 0 },
      y: { name: 'kbit/s', min: 0 },
      series: [
        { name: 'repair', tone: 'accent', points: rate('repairBytes') },
        { name: 'resend', tone: 'warm2', points: rate('resendBytes') },
      ],
      marks,
    },
    {
      title: `latency of each frame; ${shareText(frames.filter(({ latencyMs }) => Number.isFinite(latencyMs)).length / frames.length)} arrived`,
      x: { name: 'time, s', min: 0 },
      y: { name: 'latency, ms', min: 0 },
      series: [
        {
          name: 'latency',
          tone: 'accent',
          style: 'dots',
          points: frames.flatMap(({ sentAtMs, latencyMs }): [number, number][] =>
            Number.isFinite(latencyMs) ? [[sentAtMs / 1_000, Math.round(latencyMs * 10) / 10]] : [],
          ),
        },
      ],
      marks,
    },
  ];
}
