/**
 * Question: what does the rate controller make of changing paths, loss, shallow buffers, other flows?
 * Workload: the scenarios of RFC 8867, RFC 8869 and others (cases-*.ts), whole connections in virtual time, five seeds
 * that no constant was chosen with. A bad answer: a row that says MISSED.
 * Usage: `npm run bench:rate -- --help`.
 * The exit code is 1 if a demand is missed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseMahimahi } from '../../src/sim/capacity.ts';
import { benchCommand } from '../report/command-line.ts';
import { gatherFacts } from '../report/facts.ts';
import { renderPage } from '../report/page.ts';
import type { Block, Chart, ReportFile } from '../report/section.ts';
import type { RateCase } from './case.ts';
import { CASES_8867 } from './cases-8867.ts';
import { CASES_PATHS, traceCase } from './cases-paths.ts';
import { type CaseResult, judge, show } from './gates.ts';
import { timeLines } from './timeline.ts';
import { runCase } from './world.ts';

/** Not among those that constants were chosen with: 1 and 21 to 25 (docs/rate-control.md §5 names one exception). */
const SEEDS = [101, 102, 103, 104, 105];
const QUICK_SEEDS = [101];

const { values, refuse } = benchCommand({
  script: 'bench:rate',
  options: {
    case: {
      type: 'string',
      value: 'NAME,...',
      multiple: true,
      what: 'these scenarios; `5.1*` is all that begin so',
    },
    seed: {
      type: 'string',
      value: 'N,...',
      multiple: true,
      what: `these seeds; default ${SEEDS.join(', ')}`,
    },
    json: { type: 'string', value: 'FILE', what: 'figures and time lines, as data' },
    html: { type: 'string', value: 'FILE', what: 'the same as a page' },
    trace: { type: 'string', value: 'FILE', what: "media over a capacity of your own, in mahimahi's format" },
    quick: { type: 'boolean', default: false, what: 'a few scenarios, one seed' },
  },
});

function selected(): readonly RateCase[] {
  if (values.trace !== undefined)
    return [traceCase(values.trace, parseMahimahi(readFileSync(values.trace, 'utf8')))];
  const all: readonly RateCase[] = [...CASES_8867, ...CASES_PATHS];
  const patterns = values.case?.flatMap((names) => names.split(','));
  if (patterns === undefined) return values.quick ? all.filter((one) => one.isQuick === true) : all;
  const isMeant = (name: string): boolean =>
    patterns.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
  const found = all.filter(({ name }) => isMeant(name));
  if (found.length === 0)
    return refuse(`no such scenario; there are ${all.map(({ name }) => name).join(', ')}`);
  const isCompared = ({ name }: RateCase): boolean => found.some(({ compare }) => compare?.to === name);
  // In the order of all: what others are compared to comes before them.
  return all.filter((one) => found.includes(one) || isCompared(one));
}

function seeds(): readonly number[] {
  const given = values.seed?.flatMap((list) => list.split(',')).map(Number);
  if (given?.some((seed) => !Number.isSafeInteger(seed) || seed < 0)) refuse('a seed is a whole number');
  return given ?? (values.quick ? QUICK_SEEDS : SEEDS);
}

const results: CaseResult[] = [];
const charts: Chart[] = [];
for (const rateCase of selected()) {
  const runs = seeds().map((seed) => runCase(rateCase, seed));
  const result = judge(
    rateCase,
    runs.map((run) => rateCase.measure(run)),
    results,
  );
  results.push(result);
  charts.push(...timeLines(rateCase, runs[0] as (typeof runs)[0]));
  print(result);
}
const missed = results.flatMap(({ checks }) => checks).filter(({ isMet }) => !isMet).length;
console.log(missed === 0 ? 'every demand met' : `${missed} demands missed`);
const file: ReportFile & { readonly results: readonly CaseResult[] } = {
  title: 'Rate control',
  facts: gatherFacts('bench:rate', { seeds: seeds().join(', ') }),
  sections: [{ id: 'rate', title: 'Rate control', blocks: blocks() }],
  results,
};
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(file, null, 1)}\n`);
if (values.html !== undefined) writeFileSync(values.html, renderPage('Rate control', [file]));
process.exitCode = missed > 0 ? 1 : 0;

function print({ name, title, checks }: CaseResult): void {
  console.log(`${name}  ${title}`);
  for (const { metric, asked, measured, least, most, isMet } of checks) {
    const verdict = asked === '' ? '' : isMet ? 'met' : 'MISSED';
    const range = least === most ? '' : `(${show(least)} .. ${show(most)})`;
    console.log(
      `  ${metric.padEnd(16)} ${show(measured).padStart(8)} ${range.padEnd(20)} ${asked.padEnd(16)} ${verdict}`,
    );
  }
}

function blocks(): Block[] {
  const rows = results.flatMap(({ name, title, checks }) =>
    checks.map(({ metric, asked, measured, least, most, isMet }) => [
      name,
      title,
      metric,
      asked,
      isMet ? show(measured) : `!${show(measured)}`,
      `${show(least)} .. ${show(most)}`,
      asked === '' ? '' : isMet ? 'met' : '!missed',
    ]),
  );
  const head = ['scenario', 'what', 'metric', 'asked', 'median', 'least .. most', ''];
  return [
    {
      kind: 'text',
      text:
        'Whole connections in virtual time over one bottleneck; the median over the seeds named above is held against ' +
        'what is asked. Rates count IP and UDP headers; the queue is what packets waited at the bottleneck.',
    },
    { kind: 'table', head, rows: rows.filter((row) => row[3] !== ''), caption: 'What is asked' },
    { kind: 'table', head, rows, foldedUnder: 'Everything that was measured' },
    { kind: 'charts', charts, columns: 2, caption: 'The first seed of each scenario.' },
  ];
}
