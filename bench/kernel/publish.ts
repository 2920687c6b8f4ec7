/**
 * Puts a full run where people look: the results under bench/results, a picture, and the README's section between two
 * marks. In: the report file of a run and its cells. Out: three files changed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { shareText } from '../loss/format.ts';
import { markdownTable } from '../loss/tables.ts';
import { renderChart } from '../report/chart.ts';
import { PALETTE } from '../report/page.ts';
import type { ReportFile } from '../report/section.ts';
import { median } from './median.ts';
import { HEADLINE, onTimeCharts, wireCharts } from './report.ts';
import { type Finished, toJson } from './store.ts';
import { onTimeShare, wireRatio } from './verdict.ts';

const ROOT = new URL('../../', import.meta.url);
const PICTURE = 'bench/results/kernel.svg';
const BEGIN = '<!-- bench:kernel -->';
const END = '<!-- /bench:kernel -->';
const PICTURE_RTT_MS = 60;
/** Of each of the two charts. */
const PICTURE_PX = { width: 480, height: 300 } as const;

function path(name: string): string {
  return fileURLToPath(new URL(name, ROOT));
}

function pictureCells(cells: readonly Finished[]): Finished[] {
  return cells.filter(
    ({ cell }) => (cell.set === 'video' || cell.set === 'model') && cell.facets.rttMs === PICTURE_RTT_MS,
  );
}

/**
 * The picture of the README as a file of its own, which follows the reader's choice of light or dark: what was on time,
 * and what it cost, side by side.
 */
export function picture(cells: readonly Finished[]): string {
  const own = pictureCells(cells);
  const charts = [...onTimeCharts(own), ...wireCharts(own)];
  if (charts.length === 0) throw new RangeError('a picture needs the video cells');
  const { width, height } = PICTURE_PX;
  const drawn = charts.map((chart, i) =>
    renderChart(chart, width).replace(/^<svg/, `<svg x="${i * width}" width="${width}" height="${height}"`),
  );
  const box = `0 0 ${charts.length * width} ${height}`;
  const style = `<style>${PALETTE} svg { background: var(--paper); }</style>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}">${style}${drawn.join('')}</svg>\n`;
}

/** The README's section. */
export function readmeSection(cells: readonly Finished[], facts: ReportFile['facts']): string {
  const own = pictureCells(cells);
  const names = HEADLINE.filter((name) => own.some(({ cell }) => cell.spec.transport === name));
  const losses = [...new Set(own.map(({ cell }) => cell.facets.loss))];
  const rows = losses.map((loss) => [
    loss,
    ...names.map((name) => {
      const found = own.filter(({ cell }) => cell.facets.loss === loss && cell.spec.transport === name);
      const [onTime, wire] = [median(found.map(onTimeShare)), median(found.map(wireRatio))];
      return onTime === undefined || wire === undefined ? '-' : `${shareText(onTime)} at ${wire.toFixed(2)}`;
    }),
  ]);
  return [
    '## Beside the TCP of a real kernel',
    '',
    `![Frames on time and bytes on the wire by loss: millrace and others over the same emulated path](${PICTURE})`,
    '',
    `4 Mbit/s video over 20 Mbit/s, RTT ${PICTURE_RTT_MS} ms, loss each way, through real sockets: frames on time (propagation +`,
    'serialisation + 120 ms), and bytes on the wire per byte of media. burst: 5 % in bursts of 4 packets on average; burst-time: of',
    '20 ms; there TCP is the median of four seeds.',
    '',
    markdownTable(['loss', ...names], rows),
    '',
    `${facts.machine}, ${facts.node}. ${facts.measured}. What the names mean, all other figures and how to measure them again:`,
    '[docs/benchmarks.md](docs/benchmarks.md#against-the-kernel), `bench/results/kernel.json`.',
  ].join('\n');
}

/** Without the curves of the first seconds, which nobody draws. */
function shortened(finished: Finished): Finished {
  const sources = finished.result.sources.map((source) => ({
    ...source,
    startup: { ...source.startup, latencyCurveMs: [] },
  }));
  return { ...finished, result: { ...finished.result, sources } };
}

/** Writes results, picture and README. Throws a `RangeError` when the README has no marks. */
export function publish(file: ReportFile & { readonly cells: readonly Finished[] }): void {
  mkdirSync(path('bench/results'), { recursive: true });
  writeFileSync(
    path('bench/results/kernel.json'),
    `${toJson({ ...file, cells: file.cells.map(shortened) })}\n`,
  );
  writeFileSync(path(PICTURE), picture(file.cells));
  const readme = readFileSync(path('README.md'), 'utf8');
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new RangeError(`README.md lacks ${BEGIN} ... ${END}`);
  const section = readmeSection(file.cells, file.facts);
  writeFileSync(
    path('README.md'),
    `${readme.slice(0, begin + BEGIN.length)}\n${section}\n${readme.slice(end)}`,
  );
}
