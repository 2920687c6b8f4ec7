/**
 * Question: what does loss do to live media over the kernel's own TCP, and over millrace, on the same path?
 * Workload: the frames of the loss bench through real sockets, between two network namespaces joined by the simulator's
 * links in real time; docs/benchmarks.md says how.
 * A bad answer: a limit of a cell missed; millrace on time less often than a TCP beside it; a cell that does not add up.
 * Usage: `npm run bench:kernel -- --help`. Linux, root, the package koffi.
 * Ends with 1 for a bad answer, with 2 where the bench cannot run.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import process from 'node:process';
import { markdownTable } from '../loss/tables.ts';
import { benchCommand, countOption } from '../report/command-line.ts';
import { gatherFacts, ownVersion } from '../report/facts.ts';
import { ADAPTERS } from './adapters/all.ts';
import { checkTiming, TIMING_ERROR_P99_US_MAX, timingReport } from './emulator/check-timing.ts';
import { emulatorObstacle } from './emulator/emulator.ts';
import { allCells, type KernelCellPlan, quickCells } from './matrix.ts';
import { compareModel, modelRows } from './model.ts';
import { askForPunctuality } from './native.ts';
import { Running } from './programs.ts';
import { publish } from './publish.ts';
import { kernelSections } from './report.ts';
import { estimateMs, runCells } from './schedule.ts';
import { type Finished, type Made, Store, toJson } from './store.ts';
import { resultTables, verdictTable } from './tables.ts';
import { comparisons, verdictsOf } from './verdict.ts';

const EXIT_CANNOT = 2;
const JOBS = 2;
/** Of every program that it starts: what else the machine does must not be measured. */
const PRIORITY = 1;
/** Of the bench itself, which takes the times at both ends of all cells: none waits for another's programs. */
const OWN_PRIORITY = 2;
const FOLDER = '.tmp/bench-kernel';

const { values, refuse } = benchCommand({
  script: 'bench:kernel',
  options: {
    quick: {
      type: 'boolean',
      default: false,
      what: 'under three minutes: millrace, TCP CUBIC, TCP BBR at RTT 60',
    },
    set: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      what: 'cells of this set: video, model, bulk, dynamic, rfc8867',
    },
    only: {
      type: 'string',
      value: 'CELL',
      multiple: true,
      what: 'this cell, or all that a pattern with stars names',
    },
    transport: { type: 'string', value: 'NAME', multiple: true, what: 'cells of this transport' },
    jobs: { type: 'string', value: 'N', default: String(JOBS), what: 'cells at a time' },
    resume: { type: 'boolean', default: false, what: 'skip cells that have been measured' },
    stored: { type: 'boolean', default: false, what: 'measure nothing, report what has been measured' },
    folder: { type: 'string', value: 'PATH', default: FOLDER, what: 'where measured cells are kept' },
    json: { type: 'string', value: 'FILE', what: 'figures as data' },
    markdown: { type: 'string', value: 'FILE', what: 'tables as text' },
    model: { type: 'boolean', default: false, what: 'the TCP model beside the TCP of the kernel' },
    publish: { type: 'boolean', default: false, what: 'change bench/results and the README' },
    'normal-priority': { type: 'boolean', default: false, what: 'no real-time priority' },
    timing: { type: 'boolean', default: false, what: 'how exact the emulated link is' },
    list: { type: 'boolean', default: false, what: 'name the cells and run nothing' },
  },
});

/** `--only` names a cell, or cells by a pattern with stars: `video/60-*`, `*tcp-cubic`. */
function isNamed(id: string, text: string): boolean {
  const pattern = text.split('*').map((piece) => piece.replace(/[^\w]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(id);
}

/** What each of three options asks of a cell. */
const CHOICES = {
  set: ({ set }: KernelCellPlan, text: string) => set === text,
  only: ({ id }: KernelCellPlan, text: string) => isNamed(id, text),
  transport: ({ spec }: KernelCellPlan, text: string) => spec.transport === text,
} as const;

function chosenCells(): KernelCellPlan[] {
  const all = values.quick ? quickCells() : allCells();
  let chosen = all;
  for (const name of ['set', 'only', 'transport'] as const) {
    const isAsked = CHOICES[name];
    const wanted = values[name];
    if (wanted === undefined) continue;
    const unknown = wanted.find((text) => !all.some((cell) => isAsked(cell, text)));
    if (unknown !== undefined) refuse(`--${name} ${unknown} names no cell: --list shows all`);
    chosen = chosen.filter((cell) => wanted.some((text) => isAsked(cell, text)));
  }
  if (chosen.length === 0) refuse('no cell is all that at once: --list shows all');
  return chosen;
}

/** The transports of a cell: its own, and the TCP that competes with it. */
function transportsOf({ spec }: KernelCellPlan): string[] {
  return [spec.transport, ...(spec.competitors ?? []).map(({ congestion }) => `tcp-${congestion}`)];
}

/** Cells whose transports are here; says once about each that is not. */
function presentCells(cells: readonly KernelCellPlan[]): KernelCellPlan[] {
  const absent = new Map(ADAPTERS.map(({ name, absence }) => [name, absence()]));
  for (const name of new Set(cells.flatMap(transportsOf))) {
    const why = absent.get(name);
    if (why !== undefined) console.log(`absent: ${name}: ${why}`);
  }
  return cells.filter((cell) => transportsOf(cell).every((name) => absent.get(name) === undefined));
}

/** Runs what is chosen, less what is there already. */
async function measure(
  cells: readonly KernelCellPlan[],
  made: Made,
): Promise<{ finished: Finished[]; faults: string[]; disturbances: string[] }> {
  const store = new Store(values.folder);
  const stored = values.resume || values.stored ? cells.flatMap((cell) => store.load(cell) ?? []) : [];
  const isMissing = (cell: KernelCellPlan): boolean => !stored.some((one) => one.cell.id === cell.id);
  const missing = values.stored ? [] : cells.filter(isMissing);
  const minutes = Math.ceil(estimateMs(missing, made.jobs) / 60_000);
  console.error(
    `${missing.length} cells, ${made.jobs} at a time: about ${minutes} min; ${stored.length} are there already`,
  );
  const { finished, failed } = await runCells(missing, made, (one) => store.save(one));
  const order = new Map(cells.map(({ id }, i) => [id, i]));
  const all = [...stored, ...finished].sort(
    (a, b) => (order.get(a.cell.id) as number) - (order.get(b.cell.id) as number),
  );
  const named = (of: (result: Finished['result']) => readonly string[]): string[] =>
    all.flatMap(({ cell, result }) => of(result).map((text) => `${cell.id}: ${text}`));
  const faults = [
    ...named((result) => result.faults),
    ...failed.map(({ cell, error }) => `${cell.id}: ${error}`),
  ];
  return { finished: all, faults, disturbances: named((result) => result.disturbances ?? []) };
}

/** Which transports were measured at which commit, and how. */
function howMade(cells: readonly Finished[]): string {
  const load = Math.max(0, ...cells.map(({ result }) => result.load));
  const isBusy = load > availableParallelism();
  const versions = new Map<string, { transports: Set<string>; sets: Set<string> }>();
  for (const { cell, made } of cells) {
    const of = versions.get(made.version) ?? { transports: new Set(), sets: new Set() };
    versions.set(made.version, of);
    of.transports.add(cell.spec.transport);
    of.sets.add(cell.set);
  }
  const parts = [...versions].map(
    ([version, { transports, sets }]) =>
      `${[...transports].join(', ')} (sets ${[...sets].join(', ')}): ${version}`,
  );
  const jobs = cells.map(({ made }) => made.jobs);
  const priorities = [...new Set(cells.map(({ made }) => made.priority))].join(' and ');
  const how = `up to ${Math.max(0, ...jobs)} cells at a time, at ${priorities} priority`;
  const beside = isBusy
    ? `, because the machine did other work meanwhile (load up to ${load.toFixed(0)})`
    : '';
  return `${parts.join('; ')}; ${how}${beside}`;
}

async function main(): Promise<number> {
  const cells = chosenCells();
  const jobs = countOption('jobs', values.jobs, refuse);
  if (values.list) {
    for (const { id } of cells) console.log(id);
    return 0;
  }
  const obstacle = await emulatorObstacle();
  if (obstacle !== undefined) {
    console.log(
      `the bench against the kernel cannot run here: ${obstacle}; npm run bench:loss runs anywhere`,
    );
    return EXIT_CANNOT;
  }
  if (values.timing) {
    const check = await checkTiming();
    console.log(timingReport(check));
    return check.emulator.p99Us < TIMING_ERROR_P99_US_MAX && check.lost === 0 ? 0 : 1;
  }
  const isPunctual = !values['normal-priority'] && askForPunctuality(OWN_PRIORITY);
  if (isPunctual) Running.priority = PRIORITY;
  const loadBefore = (loadavg()[0] ?? 0).toFixed(1);
  const made: Made = {
    version: ownVersion(),
    jobs,
    priority: isPunctual ? 'real-time' : 'normal',
  };
  const present = presentCells(cells);
  if (present.length === 0) return EXIT_CANNOT;
  const { finished, faults, disturbances } = await measure(present, made);
  const tables = resultTables(finished);
  const verdicts = [...finished.flatMap(verdictsOf), ...comparisons(finished)];
  const model = values.model ? compareModel(finished) : [];
  const { head, rows } = modelRows(model);
  const text = [tables, verdictTable(verdicts), ...(values.model ? [markdownTable(head, rows)] : [])].join(
    '\n\n',
  );
  console.log(text);
  for (const line of [...faults, ...disturbances]) console.error(line);
  if (values.json !== undefined || values.publish) {
    const facts = gatherFacts('bench:kernel', {
      seeds: [...new Set(finished.map(({ cell }) => cell.spec.seed))].join(', '),
      load: `${loadBefore} before the run`,
      measured: howMade(finished),
    });
    const title = 'millrace beside the TCP of this kernel';
    const sections = kernelSections(finished, model, verdicts);
    const file = { title, facts, sections, cells: finished, model };
    if (values.json !== undefined) writeFileSync(values.json, `${toJson(file, 1)}\n`);
    if (values.publish) publish(file);
  }
  if (values.markdown !== undefined) writeFileSync(values.markdown, `${text}\n`);
  // The quick form only compares transports that ran side by side, and were disturbed alike.
  const isExact = values.quick === true || disturbances.length === 0;
  if (!isExact) console.error('repeat with --resume on an idle machine: disturbed cells are measured again');
  const isGood =
    faults.length === 0 && verdicts.every(({ isMet }) => isMet) && model.every(({ isMet }) => isMet);
  return isGood && isExact ? 0 : 1;
}

process.exitCode = await main();
