/**
 * Question: how much faster is each build of the erasure code than the npm package, than a native addon, than memory?
 * Workload: 1200-byte symbols, copies counted, five block sizes; then one joint solve of 12 missing among 48.
 * A bad answer: a ratio below the gate printed beside it. Ratios are medians of rounds in which all contenders take
 * turns within milliseconds, so that a machine that slows down for a while slows them all.
 * Usage: `npm run bench:fec [-- --json FILE]`.
 */
import { writeFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { Bench } from 'tinybench';
import { SeededRandom } from '../../src/base/random.ts';
import type { ErasureCodec, RepairEquations } from '../../src/fec/codec.ts';
import { loadCodec, supportsEngine } from '../../src/fec/kernel.ts';
import { benchCommand } from '../report/command-line.ts';
import {
  type Block,
  type Contender,
  codecContender,
  type Op,
  packageContender,
  type Run,
  ronomonContender,
  SYMBOL_BYTES,
} from './fec-engines.ts';

const SIZES = [
  [4, 2],
  [10, 4],
  [20, 5],
  [50, 10],
  [100, 30],
] as const;
const OPS: readonly Op[] = ['encode', 'decode', 'decode1'];
const ROUNDS = 7;
const ROUND_MS = 14;
const SAMPLE_MS = 0.5;
const COPY_BYTES = 64 * 1024 * 1024;
const MEMORY_COPY = 'a copy of 64 MiB in memory';

interface Result {
  op: Op;
  k: number;
  r: number;
  engine: Contender['engine'];
  microseconds: number;
  mbPerSecond: number;
  ratioToPackage: number;
}

/** What must hold with the strict build: how many times faster than `over`. */
const GATES: readonly {
  op: Op;
  k: number;
  r: number;
  over: 'package' | 'ronomon';
  gate: number;
  stretch: number;
}[] = [
  { op: 'encode', k: 10, r: 4, over: 'package', gate: 12, stretch: 20 },
  { op: 'encode', k: 50, r: 10, over: 'package', gate: 25, stretch: 45 },
  { op: 'encode', k: 100, r: 30, over: 'package', gate: 30, stretch: 60 },
  { op: 'decode', k: 10, r: 4, over: 'package', gate: 14, stretch: 25 },
  { op: 'decode', k: 50, r: 10, over: 'package', gate: 30, stretch: 60 },
  { op: 'decode1', k: 10, r: 4, over: 'package', gate: 25, stretch: 40 },
  { op: 'decode1', k: 100, r: 30, over: 'package', gate: 400, stretch: 700 },
  { op: 'encode', k: 10, r: 4, over: 'ronomon', gate: 5, stretch: 8 },
];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

/** Runs often enough to be compiled, and finds how many runs make one sample. */
async function warmUp(run: Run): Promise<number> {
  const start = performance.now();
  let runs = 0;
  do {
    await run();
    runs++;
  } while (performance.now() - start < 30);
  return Math.max(1, Math.round((SAMPLE_MS * runs) / (performance.now() - start)));
}

/** Repeats a run and reports its mean to tinybench, which times calls that are too short to be timed one by one. */
function batched(run: Run, times: number): () => unknown {
  const result = (start: number) => {
    const elapsed = performance.now() - start;
    return { overriddenDuration: elapsed / times, overriddenIterationCost: elapsed };
  };
  return () => {
    const start = performance.now();
    const pending = run();
    if (!(pending instanceof Promise)) {
      for (let i = 1; i < times; i++) run();
      return result(start);
    }
    return pending.then(async () => {
      for (let i = 1; i < times; i++) await run();
      return result(start);
    });
  };
}

/** @returns Microseconds of one run, shape [ROUNDS] per name. */
async function compete(runs: ReadonlyMap<string, Run>): Promise<Map<string, number[]>> {
  const tasks = new Map<string, () => unknown>();
  for (const [name, run] of runs) tasks.set(name, batched(run, await warmUp(run)));
  const times = new Map<string, number[]>([...runs.keys()].map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const bench = new Bench({ time: ROUND_MS, iterations: 1, warmup: false });
    for (const [name, task] of tasks) bench.add(name, task);
    await bench.run();
    for (const { name, result } of bench.tasks) {
      if (!('latency' in result)) throw new Error(`${name}: ${JSON.stringify(result)}`);
      times.get(name)?.push(result.latency.p50 * 1000);
    }
  }
  return times;
}

function ratio(times: ReadonlyMap<string, number[]>, slow: string, fast: string): number | undefined {
  const fastTimes = times.get(fast);
  const slowTimes = times.get(slow);
  if (fastTimes === undefined || slowTimes === undefined) return undefined;
  return median(fastTimes.map((time, round) => (slowTimes[round] as number) / time));
}

function makeBlock(k: number, r: number, reference: ErasureCodec): Block {
  const random = new SeededRandom(k * 256 + r);
  const symbols = Array.from({ length: k }, () => {
    const symbol = new Uint8Array(SYMBOL_BYTES);
    random.fill(symbol);
    return symbol;
  });
  return {
    k,
    r,
    symbols,
    repair: reference.encode(k, r, symbols, SYMBOL_BYTES).map((symbol) => symbol.slice()),
  };
}

/** 48 symbols, every fourth one missing, under four blocks of 24 that begin 8 apart, with 3 repair symbols each. */
function jointSystem(reference: ErasureCodec): RepairEquations[] {
  const { symbols } = makeBlock(48, 1, reference);
  return [0, 8, 16, 24].map((first) => {
    const covered = symbols.slice(first, first + 24);
    return {
      symbols: covered.map((symbol, j) => ((first + j) % 4 === 0 ? undefined : symbol)),
      unknowns: covered.map((_, j) => (first + j) / 4),
      rows: [0, 1, 2],
      repair: reference.encode(24, 3, covered, SYMBOL_BYTES).map((symbol) => symbol.slice()),
    };
  });
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

function verdict(name: string, value: number, gate: number, stretch: number, unit: string): void {
  const holds = unit === 'x' ? value >= gate : value <= gate;
  report(
    `${holds ? 'ok  ' : 'LOW '} ${name.padEnd(52)} ${value.toFixed(value < 10 ? 2 : 1)} ${unit}  (gate ${gate}, stretch ${stretch})`,
  );
}

async function compareBlocks(contenders: readonly Contender[], reference: ErasureCodec): Promise<Result[]> {
  const results: Result[] = [];
  const verdicts: (() => void)[] = [];
  for (const [k, r] of SIZES) {
    const block = makeBlock(k, r, reference);
    for (const op of OPS) {
      const runs = new Map<string, Run>();
      for (const contender of contenders) {
        const run = contender.prepare(op, block);
        if (run !== undefined) runs.set(contender.engine, run);
      }
      const times = await compete(runs);
      for (const { engine } of contenders) {
        const engineTimes = times.get(engine);
        if (engineTimes === undefined) continue;
        const microseconds = median(engineTimes);
        const mbPerSecond = (k * SYMBOL_BYTES) / microseconds;
        results.push({
          op,
          k,
          r,
          engine,
          microseconds,
          mbPerSecond,
          ratioToPackage: ratio(times, 'package', engine) ?? 1,
        });
      }
      for (const goal of GATES) {
        const value = ratio(times, goal.over, 'strict');
        if (goal.op !== op || goal.k !== k || goal.r !== r || value === undefined) continue;
        verdicts.push(() => {
          verdict(`strict ${op} (${k},${r}) against ${goal.over}`, value, goal.gate, goal.stretch, 'x');
        });
      }
    }
  }
  printTable(results);
  for (const print of verdicts) print();
  return results;
}

function printTable(results: readonly Result[]): void {
  report('op       (k,r)     engine           us     MB/s    x package');
  for (const { op, k, r, engine, microseconds, mbPerSecond, ratioToPackage } of results) {
    const name = `${op.padEnd(8)} ${`(${k},${r})`.padEnd(9)} ${engine.padEnd(10)}`;
    report(
      `${name} ${microseconds.toFixed(2).padStart(9)} ${mbPerSecond.toFixed(0).padStart(8)} ${ratioToPackage.toFixed(2).padStart(9)}`,
    );
  }
}

/**
 * Bytes multiplied and added per second against bytes copied per second, and the joint solve. The copy is far larger than
 * the caches and goes through memory; the symbols of a block stay in them: what is compared to is what memory can do, not
 * what the processor can copy.
 */
async function compareKernels(codecs: readonly ErasureCodec[], reference: ErasureCodec): Promise<void> {
  const { k, r, symbols } = makeBlock(100, 30, reference);
  const [from, to] = [Buffer.alloc(COPY_BYTES, 1), Buffer.alloc(COPY_BYTES, 2)];
  const runs = new Map<string, Run>([[MEMORY_COPY, () => from.copy(to)]]);
  for (const codec of codecs) runs.set(codec.engine, () => codec.encode(k, r, symbols, SYMBOL_BYTES));
  const times = await compete(runs);
  const relative = (k * r * SYMBOL_BYTES) / COPY_BYTES;
  for (const { engine } of codecs) {
    const value = (ratio(times, MEMORY_COPY, engine) ?? 0) * relative;
    verdict(`${engine} multiply-accumulate (100,30) against ${MEMORY_COPY}`, value, 0.5, 0.9, 'x');
  }
  const blocks = jointSystem(reference);
  const joint = new Map<string, Run>();
  for (const codec of codecs) {
    if (codec.solve(12, blocks, SYMBOL_BYTES).includes(undefined))
      throw new Error('the joint system is singular');
    joint.set(codec.engine, () => codec.solve(12, blocks, SYMBOL_BYTES));
  }
  for (const [engine, engineTimes] of await compete(joint)) {
    verdict(`${engine} joint solve, 12 missing of 48, 4 blocks`, median(engineTimes), 60, 30, 'us');
  }
}

const { values } = benchCommand({
  script: 'bench:fec',
  options: { json: { type: 'string', value: 'FILE', what: 'figures as data' } },
});
// Node 20 has relaxed SIMD behind a flag, and takes it at run time as long as nothing has been compiled yet.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-relaxed-simd');
const codecs = (['strict', 'relaxed', 'scalar', 'typescript'] as const).filter(supportsEngine).map(loadCodec);
const reference = codecs[0] as ErasureCodec;
const contenders = [...codecs.map(codecContender), packageContender()];
const native = ronomonContender();
if (native === undefined) report('@ronomon/reed-solomon is not installed here: left out');
else contenders.push(native);
const results = await compareBlocks(contenders, reference);
await compareKernels(
  codecs.filter(({ engine }) => engine === 'strict' || engine === 'relaxed'),
  reference,
);
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, null, 1)}\n`);
