/**
 * Finished cells as sections of a report page: what the transports did on the same path, the kernel's TCP among them. In:
 * results. Out: sections for bench/report.
 */
import type { Block, Chart, Section, Series } from '../report/section.ts';
import { ADAPTERS } from './adapters/all.ts';
import { median } from './median.ts';
import { type Comparison, modelRows } from './model.ts';
import type { Finished } from './store.ts';
import { bulkRows, framesRows, type Rows } from './tables.ts';
import { type KernelVerdict, onTimeShare, wireRatio } from './verdict.ts';

/** One look for each transport in all charts; variants of one are dashed. */
const LOOKS: Readonly<Record<string, Pick<Series, 'tone' | 'style'>>> = {
  millrace: { tone: 'accent' },
  'tcp-cubic': { tone: 'warm' },
  'tcp-cubic-skip': { tone: 'warm', style: 'dashed' },
  'tcp-bbr': { tone: 'cool' },
  'tcp-bbr-skip': { tone: 'cool', style: 'dashed' },
  udp: { tone: 'grey' },
  srt: { tone: 'accent2' },
  'srt-4rtt': { tone: 'accent2', style: 'dashed' },
  kcptun: { tone: 'warm3' },
  quic: { tone: 'accent3' },
};
/** What the headline and the README show: the rest is in the tables. */
export const HEADLINE: readonly string[] = ['millrace', 'tcp-cubic', 'tcp-bbr', 'srt', 'kcptun', 'quic'];
/** Networks whose distributions of latency are shown. */
const CURVES: readonly string[] = ['20-2%', '60-2%', '150-5%'];

/** `burst-time` from `60-burst-time`. */
function lossOf(network: string): string {
  return network.slice(network.indexOf('-') + 1);
}

function ofTransports(
  cells: readonly Finished[],
  names: readonly string[],
  series: (own: readonly Finished[], name: string) => Series,
): Series[] {
  return names.flatMap((name) => {
    const own = cells.filter(({ cell }) => cell.spec.transport === name);
    return own.length === 0 ? [] : [series(own, name)];
  });
}

/** Bursts below an axis. */
const SHORT: Readonly<Record<string, string>> = { burst: 'x4', 'burst-time': '20 ms' };
const X_NAME = 'loss each way; x4, 20 ms: 5 % in such bursts';

/** With a gap before the bursts, over which no line leads. */
function apart(losses: readonly string[]): string[] {
  const at = losses.findIndex((loss) => loss.startsWith('burst'));
  return at <= 0 ? [...losses] : [...losses.slice(0, at), '', ...losses.slice(at)];
}

/** One chart per RTT: a figure of each transport by loss, the median where there are several seeds. */
function byLoss(
  cells: readonly Finished[],
  what: string,
  yName: string,
  figure: (finished: Finished) => number,
  range: { readonly min?: number; readonly max?: number },
): Chart[] {
  const rtts = [...new Set(cells.map(({ cell }) => cell.facets.rttMs))];
  return rtts.map((rttMs) => {
    const own = cells.filter(({ cell }) => cell.facets.rttMs === rttMs);
    const losses = apart([...new Set(own.map(({ cell }) => cell.facets.loss))]);
    return {
      title: `${what}, RTT ${rttMs} ms`,
      x: { name: X_NAME, scale: 'category', categories: losses.map((loss) => SHORT[loss] ?? loss) },
      y: { name: yName, ...range },
      series: ofTransports(own, HEADLINE, (of, name) => ({
        name,
        ...LOOKS[name],
        points: losses.map((loss, i): readonly [number, number | null] => {
          return [i, median(of.filter(({ cell }) => cell.facets.loss === loss).map(figure)) ?? null];
        }),
      })),
    };
  });
}

function curves(cells: readonly Finished[]): Chart[] {
  return CURVES.flatMap((network): Chart[] => {
    const own = cells.filter(({ cell }) => cell.network === network);
    if (own.length === 0) return [];
    const names = own.map(({ cell }) => cell.spec.transport);
    return [
      {
        title: `Latency, RTT ${network.split('-')[0]} ms, loss ${lossOf(network)}`,
        x: { name: 'latency, ms', scale: 'log', min: 10, max: 10_000 },
        y: { name: 'share of frames, %', min: 0, max: 100 },
        series: ofTransports(own, names, ([one], name) => {
          const points = one?.result.sources[0]?.steady.latencyCurveMs ?? [];
          return {
            name,
            ...LOOKS[name],
            points: points.flatMap((ms, i): [number, number][] => (ms > 0 && ms < 1e5 ? [[ms, i]] : [])),
          };
        }),
      },
    ];
  });
}

function bulkChart(cells: readonly Finished[]): Chart {
  const losses = [...new Set(cells.map(({ cell }) => cell.facets.loss))];
  return {
    title: 'Bulk goodput over 50 Mbit/s, RTT 60 ms',
    x: { name: 'loss each way', scale: 'category', categories: losses },
    y: { name: 'Mbit/s', min: 0, max: 50 },
    series: ofTransports(cells, HEADLINE, (own, name) => ({
      name,
      ...LOOKS[name],
      style: 'bar',
      points: losses.map((loss, i): readonly [number, number | null] => {
        const found = own.find(({ cell }) => cell.facets.loss === loss);
        return [i, found === undefined ? null : found.result.goodputBps / 1e6];
      }),
    })),
  };
}

function table({ head, rows }: Rows, foldedUnder?: string): Block {
  return { kind: 'table', head, rows, ...(foldedUnder === undefined ? {} : { foldedUnder }) };
}

/** One chart per RTT: the share of frames on time by loss. */
export function onTimeCharts(cells: readonly Finished[]): Chart[] {
  const perCent = (finished: Finished): number => 100 * onTimeShare(finished);
  return byLoss(cells, 'On time', 'frames on time, %', perCent, { min: 0, max: 100 });
}

/** One chart per RTT: what was on the wire by loss. */
export function wireCharts(cells: readonly Finished[]): Chart[] {
  return byLoss(cells, 'Wire ratio', 'IP bytes / media bytes', wireRatio, { min: 0 });
}

function videoSection(cells: readonly Finished[], seeds: readonly Finished[]): Section {
  return {
    id: 'kernel-video',
    title: 'Live video beside the kernel’s TCP',
    blocks: [
      {
        kind: 'text',
        text:
          '4 Mbit/s video, 30 frames a second, over 20 Mbit/s with a queue of 100 ms, through real sockets. On time: within ' +
          'propagation, serialisation and 120 ms. The first three seconds are left out; what never arrived counts as late. ' +
          'burst: 5 % in bursts of 4 packets, by packet, which is unkind to a sender that has gone quiet; burst-time: of 20 ms, by ' +
          'time. There the charts show TCP by the median of four seeds.',
      },
      {
        kind: 'charts',
        columns: 3,
        charts: onTimeCharts([...cells, ...seeds]),
      },
      {
        kind: 'charts',
        columns: 3,
        charts: wireCharts([...cells, ...seeds]),
        caption: 'Below 1: the transport did not carry what it was given.',
      },
      {
        kind: 'charts',
        columns: 3,
        charts: curves(cells),
        caption: 'A curve that ends below 100 %: the rest never arrived, or later than shown.',
      },
      table(framesRows(cells), 'All figures, with the cost in processor time and the start-up'),
      ...(seeds.length > 0 ? [table(framesRows(seeds), 'More seeds of TCP in bursts')] : []),
    ],
  };
}

/** All sections, those without results left out. */
export function kernelSections(
  cells: readonly Finished[],
  model: readonly Comparison[],
  verdicts: readonly KernelVerdict[],
): Section[] {
  const of = (set: string): Finished[] => cells.filter(({ cell }) => cell.set === set);
  const sections: Section[] = [];
  if (of('video').length > 0) sections.push(videoSection(of('video'), of('model')));
  if (of('quick').length > 0)
    sections.push({
      id: 'kernel-quick',
      title: 'Quick comparison',
      blocks: [table(framesRows(of('quick')))],
    });
  if (of('bulk').length > 0) {
    const charts: Block = { kind: 'charts', charts: [bulkChart(of('bulk'))] };
    sections.push({
      id: 'kernel-bulk',
      title: 'As fast as it goes',
      blocks: [charts, table(bulkRows(of('bulk')))],
    });
  }
  if (of('dynamic').length > 0)
    sections.push({
      id: 'kernel-dynamic',
      title: 'Networks that change',
      blocks: [
        {
          kind: 'text',
          text:
            'RTT 60 ms. step: 20, from 15 s 3, from 30 s 20 Mbit/s. blackout: 2 s at 20 s. jitter: 5 ms with reordering and ' +
            '2 % loss. The encoder makes what its transport asks for, rate and largest frame; only millrace asks.',
        },
        table(framesRows(of('dynamic'))),
      ],
    });
  if (of('rfc8867').length > 0)
    sections.push({
      id: 'kernel-rfc8867',
      title: 'RFC 8867: changing capacity, and beside one long TCP flow',
      blocks: [table(framesRows(of('rfc8867')))],
    });
  if (model.length > 0)
    sections.push({
      id: 'kernel-model',
      title: 'The TCP model against the kernel',
      blocks: [table(modelRows(model))],
    });
  const missed = ({ isMet, measured }: KernelVerdict): string => (isMet ? measured : `!${measured}`);
  sections.push({
    id: 'kernel-limits',
    title: 'What was asked of millrace',
    blocks: [
      {
        kind: 'table',
        head: ['cell', 'asked', 'measured'],
        rows: verdicts.map((verdict) => [verdict.id, verdict.asked, missed(verdict)]),
      },
      { kind: 'text', text: ADAPTERS.map(({ name, description }) => `${name}: ${description}`).join('. ') },
      timingBlock(cells),
    ],
  });
  return sections;
}

/** How exact the emulator was, and how busy the machine. */
function timingBlock(cells: readonly Finished[]): Block {
  const worst = Math.max(
    0,
    ...cells.map(({ result }) => Math.max(result.timing.up.p99Us, result.timing.down.p99Us)),
  );
  const load = Math.max(0, ...cells.map(({ result }) => result.load));
  return {
    kind: 'text',
    text: `The emulator's timing error was at most ${(worst / 1e3).toFixed(2)} ms at the 99th percentile of any cell; the load of the machine was up to ${load.toFixed(1)}.`,
  };
}
