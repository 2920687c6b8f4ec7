/** The sections of the report about the set `matrix`. In: pooled cells. Out: charts and tables as data. */
import type { Block, Chart, Section, Series, Tone } from '../report/section.ts';
import { BOUND_LOSSES, CAPACITY, HYBRID_BOUNDS } from './bounds.ts';
import { percentPoint } from './format.ts';
import { CHANNELS, LATENCIES_MS, RTTS_MS, USUAL_LATENCY_MS } from './matrix.ts';
import type { PooledCell, PooledPhase } from './pool.ts';

/** One line of a chart: who, and at which latency. */
interface Contender {
  readonly name: string;
  readonly transport: string;
  readonly latencyMs: number;
  readonly tone: Tone;
  readonly isDashed?: boolean;
}

const MILLRACE_TONES: readonly Tone[] = ['accent2', 'accent', 'accent3'];

const CONTENDERS: readonly Contender[] = [
  ...LATENCIES_MS.map((latencyMs, i) => ({
    name: `millrace, ${latencyMs} ms`,
    transport: 'millrace',
    latencyMs,
    tone: MILLRACE_TONES[i] as Tone,
  })),
  { name: 'TCP CUBIC', transport: 'tcp-cubic', latencyMs: USUAL_LATENCY_MS, tone: 'warm' },
  { name: 'TCP Reno', transport: 'tcp-reno', latencyMs: USUAL_LATENCY_MS, tone: 'warm3', isDashed: true },
  { name: 'TCP, skipping', transport: 'tcp-skip', latencyMs: USUAL_LATENCY_MS, tone: 'warm2' },
  { name: 'plain UDP', transport: 'udp', latencyMs: USUAL_LATENCY_MS, tone: 'grey', isDashed: true },
];
const STEADY_CHANNELS = CHANNELS.filter(({ burst }) => burst === 1);

/** Looks cells up by what they are. */
export class Matrix {
  readonly #cells: Map<string, PooledCell> = new Map();

  constructor(cells: readonly PooledCell[]) {
    for (const pooled of cells) {
      const { rttMs, loss, transport, latencyMs } = pooled.cell.facets;
      this.#cells.set([rttMs, loss, transport, latencyMs].join('|'), pooled);
    }
  }

  at(rttMs: number, loss: string, transport: string, latencyMs: number): PooledCell | undefined {
    return this.#cells.get([rttMs, loss, transport, latencyMs].join('|'));
  }

  /** Round trips with any cell, ascending. */
  get rttsMs(): number[] {
    return RTTS_MS.filter((rttMs) => [...this.#cells.keys()].some((key) => key.startsWith(`${rttMs}|`)));
  }
}

/** Everything about the set; nothing when none of its cells was run. */
export function matrixSections(cells: readonly PooledCell[]): Section[] {
  const chosen = cells.filter(({ cell }) => cell.set === 'matrix');
  if (chosen.length === 0) return [];
  const matrix = new Matrix(chosen);
  return [
    onTimeSection(matrix),
    latencySection(matrix),
    costSection(matrix),
    timelineSection(chosen),
    startupSection(matrix),
  ].filter(({ blocks }) => blocks.length > 0);
}

/** A chart over losses, a series per contender that has any point. */
function lossChart(
  title: string,
  yName: string,
  matrix: Matrix,
  rttMs: number,
  yOf: (pooled: PooledCell) => number | null,
  yMax?: number,
): Chart {
  const channels = STEADY_CHANNELS.filter((lost) =>
    CONTENDERS.some((who) => matrix.at(rttMs, lost.name, who.transport, who.latencyMs) !== undefined),
  );
  const series = CONTENDERS.flatMap((who): Series[] => {
    const points = channels.flatMap((lost, x): [number, number | null][] => {
      const pooled = matrix.at(rttMs, lost.name, who.transport, who.latencyMs);
      return pooled === undefined ? [] : [[x, yOf(pooled)]];
    });
    if (points.length === 0) return [];
    return [
      { name: who.name, points, tone: who.tone, ...(who.isDashed ? { style: 'dashed' as const } : {}) },
    ];
  });
  return {
    title,
    x: {
      name: 'loss, one way, both directions',
      scale: 'category',
      categories: channels.map(({ name }) => name),
    },
    y: { name: yName, min: 0, ...(yMax === undefined ? {} : { max: yMax }) },
    series,
  };
}

function video(pooled: PooledCell): PooledPhase | undefined {
  return pooled.sources[0]?.steady;
}

function onTimeSection(matrix: Matrix): Section {
  const charts = matrix.rttsMs.map((rttMs) =>
    lossChart(
      `RTT ${rttMs} ms: video frames on time`,
      'on time, %',
      matrix,
      rttMs,
      (pooled) => percentPoint(video(pooled)?.onTimeShare),
      100,
    ),
  );
  const decodable = matrix.rttsMs.map((rttMs) =>
    lossChart(
      `RTT ${rttMs} ms: decodable within ${rttMs >= 300 ? 400 : 200} ms`,
      'of all frames, %',
      matrix,
      rttMs,
      (pooled) => percentPoint(video(pooled)?.decodableShare[rttMs >= 300 ? 3 : 2]),
      100,
    ),
  );
  const audio = matrix.rttsMs.map((rttMs) =>
    lossChart(
      `RTT ${rttMs} ms: audio packets on time`,
      'on time, %',
      matrix,
      rttMs,
      (pooled) => percentPoint(pooled.sources[1]?.steady.onTimeShare),
      100,
    ),
  );
  return {
    id: 'on-time',
    title: 'What loss does',
    blocks: [
      {
        kind: 'charts',
        charts,
        columns: 2,
        caption: `A frame is on time within one-way delay + latency + its own serialisation. millrace is told its latency; TCP and plain UDP, which have none, are judged by ${USUAL_LATENCY_MS} ms. A frame that never arrives is late.`,
      },
      {
        kind: 'charts',
        charts: audio,
        columns: 2,
        caption: 'The audio beside it: 50 packets of 160 bytes a second, each on time by the same rule.',
      },
      {
        kind: 'charts',
        charts: decodable,
        columns: 2,
        caption:
          'What a viewer gets: a frame counts when it and every earlier frame of its group of 60 are there so soon after capture. One frame lost for good costs plain UDP the rest of the group.',
      },
    ],
  };
}

/** Share of frames (y) that arrived within so many milliseconds (x); what never arrives keeps the curve below 100. */
function curveChart(title: string, matrix: Matrix, rttMs: number, loss: string): Chart | undefined {
  const series = CONTENDERS.flatMap((who): Series[] => {
    const curve = matrix.at(rttMs, loss, who.transport, who.latencyMs)?.sources[0]?.steady.latencyCurveMs;
    if (curve === undefined) return [];
    const points = curve.flatMap((ms, i): [number, number][] =>
      Number.isFinite(ms) ? [[Math.round(ms * 10) / 10, (i * 100) / (curve.length - 1)]] : [],
    );
    return [
      { name: who.name, points, tone: who.tone, ...(who.isDashed ? { style: 'dashed' as const } : {}) },
    ];
  });
  if (series.length === 0) return undefined;
  return {
    title,
    x: { name: 'latency, ms', scale: 'log', min: 10, max: 30_000 },
    y: { name: 'of all frames, %', min: 0, max: 100 },
    series,
  };
}

function latencySection(matrix: Matrix): Section {
  const shown: readonly [number, string][] = [
    [60, '0 %'],
    [60, '2 %'],
    [60, '5 % x4'],
    [150, '5 %'],
  ];
  const charts = shown.flatMap(([rttMs, loss]) => {
    const chart = curveChart(`RTT ${rttMs} ms, ${loss} loss`, matrix, rttMs, loss);
    return chart === undefined ? [] : [chart];
  });
  if (charts.length === 0) return { id: 'latency', title: '', blocks: [] };
  return {
    id: 'latency',
    title: 'How long a frame takes',
    blocks: [
      {
        kind: 'charts',
        charts,
        columns: 2,
        caption:
          'From the sending call to the whole frame at the other end: the share of frames (up) that took at most so long (right, logarithmic). A curve that ends below 100 % ends at the share that ever arrived. Medians of the seeds.',
      },
    ],
  };
}

function costSection(matrix: Matrix): Section {
  const blocks: Block[] = [];
  const lossy = STEADY_CHANNELS.filter(({ ratio }) => ratio > 0);
  const tones: readonly Tone[] = ['accent2', 'accent', 'warm2', 'warm'];
  const measured = matrix.rttsMs.map(
    (rttMs, i): Series => ({
      name: `RTT ${rttMs} ms`,
      tone: tones[i % tones.length] as Tone,
      points: lossy.flatMap(({ name, ratio }): [number, number | null][] => {
        const pooled = matrix.at(rttMs, name, 'millrace', USUAL_LATENCY_MS);
        return pooled === undefined ? [] : [[ratio * 100, percentPoint(pooled.overhead)]];
      }),
    }),
  );
  const bounds = [CAPACITY, ...HYBRID_BOUNDS].map(
    (bound): Series => ({
      name: bound.name,
      style: 'dashed',
      tone:
        bound === CAPACITY
          ? 'grey'
          : (['accent2', 'accent', 'warm2', 'warm3'][HYBRID_BOUNDS.indexOf(bound)] as Tone),
      points: bound.overhead.flatMap((overhead, i): [number, number][] =>
        overhead === null ? [] : [[(BOUND_LOSSES[i] as number) * 100, overhead * 100]],
      ),
    }),
  );
  blocks.push({
    kind: 'charts',
    charts: [
      {
        title: `millrace, ${USUAL_LATENCY_MS} ms: overhead against what it has to be`,
        x: { name: 'loss, %', scale: 'log', min: 0.1, max: 20 },
        y: { name: '(resend + repair + probe) / media, %', scale: 'log', min: 0.1, max: 200 },
        series: [...measured, ...bounds],
        heightPx: 420,
      },
    ],
    caption:
      'Dashed: the least that any scheme needs for one frame in 1000 late, by how many resend rounds fit between one-way delay and deadline (20 ms: three; 60 ms: one; 150 and 300 ms: none). A point below its line is a cell that misses more frames than that.',
  });
  const bars = matrix.rttsMs
    .filter((rttMs) => rttMs === 60 || rttMs === 150)
    .flatMap((rttMs) => partsChart(matrix, rttMs, '5 %'));
  if (bars.length > 0) {
    blocks.push({
      kind: 'charts',
      charts: bars,
      columns: 2,
      caption:
        'Bytes on the wire in the media direction, IP headers included, per byte of media offered. A bar below 1 is a transport that did not get its media out: TCP at this loss carries a fraction of what the encoder makes.',
    });
  }
  return { id: 'cost', title: 'What it costs', blocks };
}

function partsChart(matrix: Matrix, rttMs: number, loss: string): Chart[] {
  const who = CONTENDERS.filter(
    (contender) => matrix.at(rttMs, loss, contender.transport, contender.latencyMs) !== undefined,
  );
  if (who.length === 0) return [];
  const tones: readonly (readonly [
    'media' | 'headers' | 'resend' | 'repair' | 'probe' | 'feedback',
    Tone,
  ])[] = [
    ['media', 'grey'],
    ['headers', 'cool'],
    ['resend', 'warm2'],
    ['repair', 'accent'],
    ['probe', 'warm3'],
    ['feedback', 'accent2'],
  ];
  return [
    {
      title: `RTT ${rttMs} ms, ${loss} loss: bytes on the wire / media`,
      x: {
        name: '',
        scale: 'category',
        categories: who.map(({ name }) => name.replace(/,? /, '\n')),
      },
      y: { name: 'times the media', min: 0 },
      series: tones.map(([part, tone]) => ({
        name: part,
        tone,
        style: 'bar',
        stack: 'wire',
        points: who.map((contender, x): [number, number | null] => [
          x,
          Math.round(
            (matrix.at(rttMs, loss, contender.transport, contender.latencyMs)?.parts[part] ?? 0) * 1e4,
          ) / 1e4,
        ]),
      })),
    },
  ];
}

function timelineSection(cells: readonly PooledCell[]): Section {
  const shown = cells.filter(({ timeline }) => timeline !== undefined);
  const tones: Readonly<Record<string, Tone>> = {
    millrace: 'accent',
    'tcp-cubic': 'warm',
    'tcp-skip': 'warm2',
  };
  const series = shown.map(
    ({ cell, timeline }): Series => ({
      name: String(cell.facets.transport),
      tone: tones[String(cell.facets.transport)] ?? 'grey',
      style: 'dots',
      points: (timeline?.frames ?? []).flatMap(({ sentAtMs, latencyMs }): [number, number][] =>
        Number.isFinite(latencyMs) ? [[Math.round(sentAtMs) / 1_000, Math.round(latencyMs * 10) / 10]] : [],
      ),
    }),
  );
  if (series.length === 0) return { id: 'timeline', title: '', blocks: [] };
  const { rttMs, loss } = shown[0]?.cell.facets ?? {};
  return {
    id: 'timeline',
    title: 'One run, frame by frame',
    blocks: [
      {
        kind: 'charts',
        charts: [
          {
            title: `RTT ${rttMs} ms, ${loss} loss, seed ${shown[0]?.cell.seeds[0]}: latency of each frame`,
            x: { name: 'time of capture, s', min: 0 },
            y: { name: 'latency, ms', scale: 'log', min: 10, max: 30_000 },
            series,
            heightPx: 360,
          },
        ],
        caption:
          'Each dot is a frame that arrived. TCP falls behind what the encoder makes and never catches up; an application that skips stays live and shows few frames.',
      },
    ],
  };
}

function startupSection(matrix: Matrix): Section {
  const rows = matrix.rttsMs.flatMap((rttMs) =>
    ['0 %', '5 %'].flatMap((loss) =>
      CONTENDERS.filter(({ latencyMs }) => latencyMs === USUAL_LATENCY_MS).flatMap((who): string[][] => {
        const pooled = matrix.at(rttMs, loss, who.transport, who.latencyMs);
        const startup = pooled?.sources[0]?.startup;
        if (pooled === undefined || startup === undefined) return [];
        const perSeed = startup.frames / pooled.cell.seeds.length;
        return [
          [
            `RTT ${rttMs} ms, ${loss}`,
            who.name,
            pooled.connectMs.median.toFixed(0),
            `${startup.lateMax} of ${perSeed}`,
            Number.isFinite(startup.p99Ms.median) ? startup.p99Ms.median.toFixed(0) : 'never',
          ],
        ];
      }),
    ),
  );
  if (rows.length === 0) return { id: 'startup', title: '', blocks: [] };
  return {
    id: 'startup',
    title: 'The first three seconds',
    blocks: [
      {
        kind: 'table',
        head: ['path', 'transport', 'connected after, ms', 'late, worst seed', 'p99, ms'],
        rows,
        caption:
          'Frames begin as soon as the transport is connected. All other figures leave these three seconds out.',
      },
    ],
  };
}
