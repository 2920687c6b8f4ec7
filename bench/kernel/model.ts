/**
 * The TCP model beside the kernel's TCP: the same frames over the same links, once in virtual time and once through the
 * kernel. In: finished cells of kernel CUBIC. Out: goodput and latency of both with their ratio.
 */
import { runCell } from '../../src/lab/cell.ts';
import type { LatencySummary } from '../../src/lab/measure.ts';
import { Network, Simulator, TcpFlow } from '../../src/sim.ts';
import { milliseconds } from '../loss/format.ts';
import { goodputBytes, type KernelSpec } from './cell.ts';
import { median } from './median.ts';
import type { Finished } from './store.ts';
import type { Rows } from './tables.ts';

/** Seeds whose mean is the model's figure: one run is as much a matter of luck as one run of the kernel. */
const SEEDS = [1, 2, 3, 4, 5];
/** The agreement that is asked for, where the kernel carries more than {@link GOODPUT_BPS_MIN}. */
const RATIO_MIN = 0.75;
const RATIO_MAX = 1.25;
const GOODPUT_BPS_MIN = 0.5e6;
/** Below this nothing is left to compare. */
const RATIO_BPS_MIN = 0.01e6;

const STARTUP_MS = 3_000;
/** Of bytes without frames. */
const NO_LATENCY: LatencySummary = { p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 };

const MODELS: Readonly<Record<string, 'tcp-cubic' | 'tcp-skip'>> = {
  'tcp-cubic': 'tcp-cubic',
  'tcp-cubic-skip': 'tcp-skip',
};

/** One cell, twice. */
export interface Comparison {
  readonly id: string;
  readonly kernelBps: number;
  readonly modelBps: number;
  readonly ratio: number;
  readonly kernelLatency: LatencySummary;
  readonly modelLatency: LatencySummary;
  /** True where the agreement is not asked for, or holds. */
  readonly isMet: boolean;
}

function medianLatency(latencies: readonly LatencySummary[]): LatencySummary {
  if (latencies[0] === NO_LATENCY) return NO_LATENCY;
  const of = (name: keyof LatencySummary): number => median(latencies.map((latency) => latency[name])) ?? 0;
  return { p50Ms: of('p50Ms'), p95Ms: of('p95Ms'), p99Ms: of('p99Ms'), maxMs: of('maxMs') };
}

/** Bytes as fast as they go, over the model. */
function bulkBps({ network, durationMs, startupMs = STARTUP_MS }: KernelSpec, seed: number): number {
  const sim = new Simulator({ seed });
  const { up, down } = new Network(sim, network);
  const flow = new TcpFlow(sim, { forward: up, backward: down, congestion: 'cubic' });
  flow.start();
  flow.write(Number.POSITIVE_INFINITY);
  sim.run(startupMs * 1_000);
  const before = flow.receiver.inOrderBytes;
  sim.run(durationMs * 1_000);
  return ((flow.receiver.inOrderBytes - before) * 8_000) / (durationMs - startupMs);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function runModel(
  spec: KernelSpec,
  transport: 'tcp-cubic' | 'tcp-skip',
): { bps: number; latency: LatencySummary } {
  if (spec.isBulk === true) {
    return { bps: mean(SEEDS.map((seed) => bulkBps(spec, seed))), latency: NO_LATENCY };
  }
  const { network, workload, latencyMs, durationMs, startupMs = STARTUP_MS, steps = [] } = spec;
  const runs = SEEDS.map((seed) => {
    const { result, cell } = runCell({
      transport,
      network,
      workload,
      latencyMs,
      durationMs,
      startupMs,
      steps,
      seed,
    });
    const fromUs = cell.startedAtUs + startupMs * 1_000;
    const untilUs = cell.startedAtUs + durationMs * 1_000;
    const bytes = goodputBytes(
      cell.logs.map(({ frames }) => frames),
      fromUs,
      untilUs,
    );
    return {
      bps: (bytes * 8e6) / (untilUs - fromUs),
      latency: result.sources[0]?.steady.latency as LatencySummary,
    };
  });
  return {
    bps: mean(runs.map(({ bps }) => bps)),
    latency: medianLatency(runs.map(({ latency }) => latency)),
  };
}

/** Runs the model for every network and transport that it has; runs of the kernel with several seeds are one. */
export function compareModel(cells: readonly Finished[]): Comparison[] {
  const groups = new Map<string, Finished[]>();
  for (const finished of cells) {
    const { spec, network, set } = finished.cell;
    if (MODELS[spec.transport] === undefined) continue;
    const id = `${set === 'model' ? 'video' : set}/${network}/${spec.transport}`;
    groups.set(id, [...(groups.get(id) ?? []), finished]);
  }
  return [...groups].map(([id, runs]) => compareRuns(id, runs));
}

function compareRuns(id: string, runs: readonly Finished[]): Comparison {
  const { spec } = (runs[0] as Finished).cell;
  const model = runModel(spec, MODELS[spec.transport] as 'tcp-cubic' | 'tcp-skip');
  const kernelBps = mean(runs.map(({ result }) => result.goodputBps));
  const latencies = runs.map(({ result }) => result.sources[0]?.steady.latency ?? NO_LATENCY);
  const ratio = model.bps / kernelBps;
  return {
    id,
    kernelBps,
    modelBps: model.bps,
    ratio,
    kernelLatency: medianLatency(latencies),
    modelLatency: model.latency,
    isMet: kernelBps <= GOODPUT_BPS_MIN || (ratio >= RATIO_MIN && ratio <= RATIO_MAX),
  };
}

/** Both side by side. */
export function modelRows(comparisons: readonly Comparison[]): Rows {
  const latency = (one: LatencySummary): string =>
    one === NO_LATENCY ? '-' : [one.p50Ms, one.p95Ms, one.p99Ms].map(milliseconds).join(' / ');
  const rows = comparisons.map((one) => [
    one.id,
    (one.kernelBps / 1e6).toFixed(2),
    (one.modelBps / 1e6).toFixed(2),
    one.kernelBps > RATIO_BPS_MIN ? one.ratio.toFixed(2) : '-',
    one.kernelBps > GOODPUT_BPS_MIN ? (one.isMet ? 'met' : 'NOT MET') : '-',
    latency(one.kernelLatency),
    latency(one.modelLatency),
  ]);
  const head = [
    'cell',
    'kernel Mbit/s',
    'model Mbit/s',
    'ratio',
    '0.75 to 1.25',
    'kernel p50/p95/p99 ms',
    'model',
  ];
  return { head, rows };
}
