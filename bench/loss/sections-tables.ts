/**
 * The sections that are tables: published set-ups, figures measured elsewhere beside ours, and every cell of the matrix.
 * In: pooled cells. Out: tables as data, which tables.ts prints as Markdown too.
 */
import type { Block, Chart, Section, Series, Tone } from '../report/section.ts';
import { ELSEWHERE, ELSEWHERE_NOTE, elsewhereRow } from './elsewhere.ts';
import { milliseconds, percent, percentPoint, shareText, spreadText } from './format.ts';
import { CHANNELS, USUAL_LATENCY_MS } from './matrix.ts';
import type { PooledCell } from './pool.ts';
import { SCENARIOS } from './published.ts';
import { Matrix } from './sections-matrix.ts';

export const CELL_HEAD: readonly string[] = [
  'path',
  'transport',
  'on time',
  'p50 ms',
  'p95 ms',
  'p99 ms',
  'max ms',
  'decodable 100 / 150 / 200 / 400 ms',
  'freezes, s',
  'gaps > 200 ms',
  'wire / media',
  'headers',
  'resend',
  'repair',
  'probe',
  'feedback',
];

/** One row per cell: everything about its first source. */
export function cellRows(cells: readonly PooledCell[], pathOf: (pooled: PooledCell) => string): string[][] {
  return cells.flatMap((pooled) => {
    const steady = pooled.sources[0]?.steady;
    if (steady === undefined) return [];
    const { parts, cell } = pooled;
    const latency = cell.spec.transport === 'millrace' ? ` ${cell.spec.latencyMs}` : '';
    return [
      [
        pathOf(pooled),
        `${cell.spec.transport}${latency}`,
        shareText(steady.onTimeShare),
        spreadText(steady.p50Ms),
        spreadText(steady.p95Ms),
        spreadText(steady.p99Ms),
        spreadText(steady.maxMs),
        steady.decodableShare.map((share) => (share * 100).toFixed(1)).join(' / '),
        `${spreadText(steady.freezes)}, ${(steady.frozenMs.median / 1_000).toFixed(1)} s`,
        `${spreadText(steady.gaps)}, ${(steady.gapMs.median / 1_000).toFixed(1)} s`,
        spreadText(pooled.wireRatio, (value) => value.toFixed(3)),
        ...[parts.headers, parts.resend, parts.repair, parts.probe, parts.feedback].map((part) =>
          percent(part, 2),
        ),
      ],
    ];
  });
}

/** Path of a cell of the matrix. */
export function matrixPath({ cell }: PooledCell): string {
  return `RTT ${cell.facets.rttMs}, ${cell.facets.loss}`;
}

const PUBLISHED_HEAD: readonly string[] = [
  'transport',
  'on time',
  'p50 / p99 / max ms',
  'decodable 200 ms',
  'stalled',
  'wire / media',
  'resend + repair + probe',
];

/** As {@link cellRows}, in short. */
function publishedRows(cells: readonly PooledCell[]): string[][] {
  return cells.flatMap((pooled) => {
    const steady = pooled.sources[0]?.steady;
    if (steady === undefined) return [];
    const { parts, cell } = pooled;
    const latency = cell.spec.transport === 'millrace' ? ` ${cell.spec.latencyMs}` : '';
    return [
      [
        String(cell.facets.variant),
        `${cell.spec.transport}${latency}`,
        shareText(steady.onTimeShare),
        [steady.p50Ms, steady.p99Ms, steady.maxMs].map(({ median }) => milliseconds(median)).join(' / '),
        percent(steady.decodableShare[2] ?? 0, 1),
        `${(steady.gapMs.median / 1_000).toFixed(1)} s`,
        pooled.wireRatio.median.toFixed(3),
        [parts.resend, parts.repair, parts.probe].map((part) => percent(part, 1)).join(' + '),
      ],
    ];
  });
}

export function publishedSections(cells: readonly PooledCell[]): Section[] {
  const chosen = cells.filter(({ cell }) => cell.set === 'published');
  if (chosen.length === 0) return [];
  const blocks = SCENARIOS.flatMap((scenario): Section['blocks'][number][] => {
    const own = chosen.filter(({ cell }) => cell.facets.scenario === scenario.id);
    if (own.length === 0) return [];
    return [
      {
        kind: 'table',
        head: [`${scenario.id}: variant`, ...PUBLISHED_HEAD],
        rows: publishedRows(own),
        caption: `${scenario.id}: ${scenario.title}. Source: ${scenario.source}. Measured elsewhere: ${scenario.elsewhere}.`,
      },
    ];
  });
  return [
    {
      id: 'published',
      title: 'What others have published, set up again',
      blocks: [
        {
          kind: 'text',
          text: 'The same paths and the same media as in the source named below each table. Figures from there stand in the caption, marked as measured elsewhere; they come from other machines, other codecs, and sometimes from a round trip instead of one way.',
        },
        ...blocks,
      ],
    },
  ];
}

export const ELSEWHERE_HEAD: readonly string[] = [
  'path',
  'transport',
  'measured',
  'p50 / p99 ms',
  'never',
  'decodable 150 / 200 / 400 ms',
  'wire / media',
];

/** Rows of the rig of namespaces, with the cells of the matrix that have the same path among them. */
export function elsewhereRows(cells: readonly PooledCell[]): string[][] {
  const matrix = new Matrix(cells.filter(({ cell }) => cell.set === 'matrix'));
  return [20, 60, 150].flatMap((rttMs) =>
    CHANNELS.flatMap(({ name: loss }) => {
      const path = `RTT ${rttMs}, ${loss}`;
      const there = ELSEWHERE.filter((row) => row.rttMs === rttMs && row.loss === loss);
      const here = ['millrace', 'tcp-cubic', 'tcp-skip', 'udp'].flatMap((transport): string[][] => {
        const pooled = matrix.at(rttMs, loss, transport, USUAL_LATENCY_MS);
        const steady = pooled?.sources[0]?.steady;
        if (pooled === undefined || steady === undefined) return [];
        return [
          [
            path,
            transport === 'millrace' ? `millrace ${USUAL_LATENCY_MS}` : transport,
            'here, in virtual time',
            `${milliseconds(steady.p50Ms.median)} / ${milliseconds(steady.p99Ms.median)}`,
            percent(1 - steady.delivered / steady.frames, 1),
            steady.decodableShare
              .slice(1)
              .map((share) => (share * 100).toFixed(1))
              .join(' / '),
            pooled.wireRatio.median.toFixed(2),
          ],
        ];
      });
      if (there.length === 0 || here.length === 0) return [];
      return [
        ...here,
        ...there.map((row) => [
          path,
          row.transport,
          'elsewhere',
          `${row.p50Ms} / ${row.p99Ms}`,
          percent(row.neverShare, 1),
          row.decodableShare.map((share) => (share * 100).toFixed(1)).join(' / '),
          row.wireRatio.toFixed(2),
        ]),
      ];
    }),
  );
}

/** Kernel TCP and its model on the same path: by how much the model is off. */
export function agreementRows(cells: readonly PooledCell[]): string[][] {
  const matrix = new Matrix(cells.filter(({ cell }) => cell.set === 'matrix'));
  return [20, 60, 150].flatMap((rttMs) =>
    CHANNELS.flatMap(({ name: loss }): string[][] => {
      const kernel = elsewhereRow('tcp-cubic', rttMs, loss);
      const model = matrix.at(rttMs, loss, 'tcp-cubic', USUAL_LATENCY_MS);
      if (kernel === undefined || model === undefined) return [];
      const { min, max, median } = model.wireRatio;
      return [
        [
          `RTT ${rttMs}, ${loss}`,
          kernel.wireRatio.toFixed(2),
          `${median.toFixed(2)} [${min.toFixed(2)}..${max.toFixed(2)}]`,
          kernel.decodableShare.map((share) => (share * 100).toFixed(1)).join(' / '),
          (model.sources[0]?.steady.decodableShare ?? [])
            .slice(1)
            .map((share) => (share * 100).toFixed(1))
            .join(' / '),
        ],
      ];
    }),
  );
}

/** Who is drawn beside millrace, with the tone of each line. */
const DRAWN: readonly (readonly [string, Tone])[] = [
  ['tcp-cubic', 'warm'],
  ['tcp-bbr', 'warm2'],
  ['srt-tight', 'warm3'],
  ['rist', 'accent3'],
  ['kcptun', 'accent2'],
  ['kcp', 'cool'],
];

/** Shares that could be decoded, millrace's from here, all others' from elsewhere. */
function elsewhereCharts(cells: readonly PooledCell[]): Block[] {
  const matrix = new Matrix(cells);
  const losses = ['0 %', '1 %', '2 %', '5 %', '10 %', '5 % x4'];
  const charts = [20, 60, 150].flatMap((rttMs): Chart[] => {
    const isSlow = rttMs === 150;
    const own = losses.map((loss, x): [number, number | null] => {
      const share = matrix.at(rttMs, loss, 'millrace', USUAL_LATENCY_MS)?.sources[0]?.steady.decodableShare;
      return [x, percentPoint(share?.[isSlow ? 3 : 2])];
    });
    if (own.every(([, y]) => y === null)) return [];
    const others = DRAWN.map(
      ([name, tone]): Series => ({
        name: `${name} (elsewhere)`,
        tone,
        style: 'dashed',
        points: losses.map((loss, x) => [
          x,
          percentPoint(elsewhereRow(name, rttMs, loss)?.decodableShare[isSlow ? 2 : 1]),
        ]),
      }),
    );
    return [
      {
        title: `RTT ${rttMs} ms: decodable within ${isSlow ? 400 : 200} ms`,
        x: { name: 'loss, one way, both directions', scale: 'category', categories: losses },
        y: { name: 'of all frames, %', min: 0, max: 100 },
        series: [{ name: `millrace, ${USUAL_LATENCY_MS} ms (here)`, tone: 'accent', points: own }, ...others],
        heightPx: 340,
      },
    ];
  });
  if (charts.length === 0) return [];
  const caption = 'Dashed: measured elsewhere. SRT here is the variant with a latency of RTT + 60 ms.';
  return [{ kind: 'charts', charts, columns: 2, caption }];
}

export function tableSections(cells: readonly PooledCell[]): Section[] {
  const chosen = cells.filter(({ cell }) => cell.set === 'matrix');
  if (chosen.length === 0) return [];
  const rows = elsewhereRows(cells);
  const agreement = agreementRows(cells);
  return [
    {
      id: 'elsewhere',
      title: 'Beside figures measured elsewhere',
      blocks: [
        { kind: 'text', text: ELSEWHERE_NOTE },
        ...elsewhereCharts(chosen),
        {
          kind: 'table',
          head: ['path', 'kernel: wire / media', 'model', 'kernel: decodable 150 / 200 / 400 ms', 'model'],
          rows: agreement,
          caption:
            'TCP CUBIC of the Linux kernel (measured elsewhere, one run of 30 s) and the TCP model here (20 s, median and range of the seeds).',
        },
        {
          kind: 'table',
          head: ELSEWHERE_HEAD,
          rows,
          foldedUnder: `All ${rows.length} rows: other transports, measured elsewhere, and the cells of the same paths here`,
        },
      ],
    },
    {
      id: 'cells',
      title: 'Every cell',
      blocks: [
        {
          kind: 'table',
          head: CELL_HEAD,
          rows: cellRows(chosen, matrixPath),
          foldedUnder: `All ${chosen.length} cells of the matrix, video: medians, and [least..largest] of the seeds`,
        },
      ],
    },
  ];
}
