/**
 * What the bench against the kernel can run: cells as data, in sets. In: nothing. Out: for each cell its spec and its
 * limits. Links are those of the virtual-time bench: loss and delay in both directions, 20 Mbit/s, 100 ms of queue.
 * Source of the last set: RFC 8867 §5.1 and §5.6.
 */
import { AUDIO, type WorkloadSpec } from '../../src/lab/workload.ts';
import { type LinkOptions, type LossSpec, type ScenarioStep, symmetric } from '../../src/sim.ts';
import { WORKLOAD } from '../loss/matrix.ts';
import { ADAPTERS } from './adapters/all.ts';
import type { KernelSpec } from './cell.ts';

export type SetName = 'video' | 'model' | 'bulk' | 'dynamic' | 'rfc8867' | 'quick';

/** What must hold of one cell. Ratios 0..1. */
export interface KernelLimits {
  readonly onTimeMin?: number;
  /** IP bytes of the media direction / media bytes. */
  readonly wireRatioMax?: number;
  /** Above propagation + serialisation of a frame. */
  readonly p50AboveLimitMsMax?: number;
  readonly p99AboveLimitMsMax?: number;
  readonly goodputBpsMin?: number;
}

export interface KernelCellPlan {
  /** Unique: set/network/transport. */
  readonly id: string;
  readonly set: SetName;
  /** The part of the id that transports share. */
  readonly network: string;
  /** For tables: what the network is. */
  readonly facets: { readonly rttMs: number; readonly loss: string };
  readonly spec: KernelSpec;
  readonly limits: KernelLimits;
}

const LATENCY_MS = 120;
const STARTUP_MS = 3_000;
const VIDEO_LINK_BPS = 20e6;
const BULK_LINK_BPS = 50e6;
const FRAMES_PER_SECOND = 30;
/** So many frames that 99.9 % of them means something; TCP's figures are far from any limit. */
const MILLRACE_FRAMES = 5_000;
const OTHER_FRAMES = 1_500;
const QUICK_MS = 12_000;
const BULK_MS = 30_000;
const DYNAMIC_MS = 45_000;

/** Loss by name. Bursts: 5 % on average, four packets, or 20 ms, long in the mean. */
export const LOSSES: Readonly<Record<string, LossSpec>> = {
  '0%': { kind: 'none' },
  '0.1%': { kind: 'iid', ratio: 0.001 },
  '1%': { kind: 'iid', ratio: 0.01 },
  '2%': { kind: 'iid', ratio: 0.02 },
  '5%': { kind: 'iid', ratio: 0.05 },
  '10%': { kind: 'iid', ratio: 0.1 },
  burst: { kind: 'burst', ratio: 0.05, meanBurst: 4 },
  'burst-time': { kind: 'gilbert-elliott-time', meanGoodMs: 380, meanBadMs: 20 },
};
const MODEL_SEEDS = [2, 3, 4];
const MANY_SEEDS: readonly string[] = ['tcp-cubic', 'tcp-bbr'];
const VIDEO_RTTS = [20, 60, 150];
const VIDEO_LOSSES = ['0%', '1%', '2%', '5%', '10%', 'burst', 'burst-time'];
const BULK_LOSSES = ['0%', '0.1%', '1%', '2%', '5%', '10%'];
/** Wire ratio that millrace may have, by RTT and loss. */
const WIRE_RATIO_MAX: Readonly<Record<string, number>> = {
  '20-0%': 1.06,
  '60-0%': 1.06,
  '150-0%': 1.06,
  '20-5%': 1.13,
  '60-5%': 1.2,
  '150-5%': 1.31,
};

function linkOf(rttMs: number, rateBps: number, loss: LossSpec): LinkOptions {
  return { delayMs: rttMs / 2, rateBps, queue: { ms: 100 }, loss };
}

function lossOf(name: string): LossSpec {
  const loss = LOSSES[name];
  if (loss === undefined) throw new RangeError(`no loss is called ${name}`);
  return loss;
}

function videoLimits(rttMs: number, loss: string): KernelLimits {
  const isHard = loss === '10%' || loss.startsWith('burst');
  const wireRatioMax = WIRE_RATIO_MAX[`${rttMs}-${loss}`];
  return {
    onTimeMin: isHard ? 0.995 : 0.999,
    p50AboveLimitMsMax: 5,
    ...(wireRatioMax === undefined ? {} : { wireRatioMax }),
    ...(rttMs === 150 && loss === '5%' ? { p99AboveLimitMsMax: 60 } : {}),
  };
}

function videoCells(set: 'video' | 'quick'): KernelCellPlan[] {
  const isQuick = set === 'quick';
  const rtts = isQuick ? [60] : VIDEO_RTTS;
  const losses = isQuick ? ['0%', '2%', '5%'] : VIDEO_LOSSES;
  const transports = ADAPTERS.map(({ name }) => name).filter(
    (name) => !isQuick || ['millrace', 'tcp-cubic', 'tcp-bbr'].includes(name),
  );
  return rtts.flatMap((rttMs) =>
    losses.flatMap((loss) =>
      transports.map((transport): KernelCellPlan => {
        const network = `${rttMs}-${loss}`;
        const frames = transport === 'millrace' ? MILLRACE_FRAMES : OTHER_FRAMES;
        const measuredMs = isQuick ? QUICK_MS : Math.ceil((frames * 1_000) / FRAMES_PER_SECOND);
        return {
          id: `${set}/${network}/${transport}`,
          set,
          network,
          facets: { rttMs, loss },
          spec: {
            transport,
            network: symmetric(linkOf(rttMs, VIDEO_LINK_BPS, lossOf(loss))),
            workload: WORKLOAD,
            latencyMs: LATENCY_MS,
            startupMs: STARTUP_MS,
            durationMs: STARTUP_MS + measuredMs,
            seed: 1,
          },
          limits: transport === 'millrace' && !isQuick ? videoLimits(rttMs, loss) : {},
        };
      }),
    ),
  );
}

/** Where one run of TCP is mostly luck, more of them: for the comparison with the model, and for the headline. */
function modelCells(): KernelCellPlan[] {
  return videoCells('video')
    .filter(({ spec, facets }) => MANY_SEEDS.includes(spec.transport) && facets.loss.startsWith('burst'))
    .flatMap((cell) =>
      MODEL_SEEDS.map(
        (seed): KernelCellPlan => ({
          ...cell,
          id: `model/${cell.network}/${cell.spec.transport}-seed-${seed}`,
          set: 'model',
          spec: { ...cell.spec, seed },
        }),
      ),
    );
}

function bulkCells(): KernelCellPlan[] {
  const rttMs = 60;
  const transports = ADAPTERS.filter(({ tasks }) => tasks.includes('bulk')).map(({ name }) => name);
  return BULK_LOSSES.flatMap((loss) =>
    transports.map((transport): KernelCellPlan => {
      const spec = lossOf(loss);
      const passed = 1 - (spec.kind === 'iid' ? spec.ratio : 0);
      return {
        id: `bulk/${rttMs}-${loss}/${transport}`,
        set: 'bulk',
        network: `${rttMs}-${loss}`,
        facets: { rttMs, loss },
        spec: {
          transport,
          isBulk: true,
          network: symmetric(linkOf(rttMs, BULK_LINK_BPS, spec)),
          workload: WORKLOAD,
          latencyMs: LATENCY_MS,
          startupMs: STARTUP_MS,
          durationMs: STARTUP_MS + BULK_MS,
          seed: 1,
        },
        limits: transport === 'millrace' ? { goodputBpsMin: 0.9 * passed * BULK_LINK_BPS } : {},
      };
    }),
  );
}

/** Networks that change. Audio runs beside the video, whose encoder follows what its transport asks for. */
const CHANGES: Readonly<Record<string, { link?: LinkOptions; steps: readonly ScenarioStep[] }>> = {
  step: {
    steps: [
      { atMs: 15_000, do: 'set', link: 'both', options: { rateBps: 3e6 } },
      { atMs: 30_000, do: 'set', link: 'both', options: { rateBps: 20e6 } },
    ],
  },
  blackout: { steps: [{ atMs: 20_000, do: 'blackout', link: 'both', durationMs: 2_000 }] },
  jitter: {
    link: {
      jitter: { kind: 'normal', ms: 5, keepOrder: false },
      reorder: { ratio: 0.02, delayMs: 20 },
      loss: { kind: 'iid', ratio: 0.02 },
    },
    steps: [],
  },
};

function dynamicCells(): KernelCellPlan[] {
  const rttMs = 60;
  const workload: WorkloadSpec = {
    video: { bitrateBps: 4e6, follow: { minBps: 300_000, maxBps: 4e6 } },
    audio: AUDIO,
  };
  return Object.entries(CHANGES).flatMap(([network, { link = {}, steps }]) =>
    ADAPTERS.map(
      ({ name }): KernelCellPlan => ({
        id: `dynamic/${network}/${name}`,
        set: 'dynamic',
        network,
        facets: { rttMs, loss: network },
        spec: {
          transport: name,
          network: symmetric({ ...linkOf(rttMs, VIDEO_LINK_BPS, { kind: 'none' }), ...link }),
          workload,
          latencyMs: LATENCY_MS,
          startupMs: STARTUP_MS,
          durationMs: DYNAMIC_MS,
          steps,
          seed: 1,
        },
        limits: {},
      }),
    ),
  );
}

/** §5.1: capacity 1, 2.5, 0.6 and again 1 times 1 Mbit/s. §5.6: 2 Mbit/s shared with one long TCP flow. */
function rfc8867Cells(): KernelCellPlan[] {
  const rttMs = 100;
  const video = (maxBps: number): WorkloadSpec => ({
    video: { bitrateBps: 300_000, follow: { minBps: 150_000, maxBps } },
  });
  const link = (rateBps: number): LinkOptions => ({ delayMs: rttMs / 2, rateBps, queue: { ms: 300 } });
  const at = (atMs: number, rateBps: number): ScenarioStep => ({
    atMs,
    do: 'set',
    link: 'up',
    options: { rateBps },
  });
  const common = { transport: 'millrace', latencyMs: 300, startupMs: STARTUP_MS, seed: 1 };
  const cell = (
    network: string,
    rateBps: number,
    rest: Pick<KernelSpec, 'durationMs' | 'workload' | 'steps' | 'competitors'>,
  ): KernelCellPlan => ({
    id: `rfc8867/${network}/millrace`,
    set: 'rfc8867',
    network,
    facets: { rttMs, loss: network },
    spec: { ...common, network: { up: link(rateBps), down: link(rateBps) }, ...rest },
    limits: {},
  });
  return [
    cell('5.1', 1e6, {
      workload: video(1.5e6),
      durationMs: 100_000,
      steps: [at(40_000, 2.5e6), at(60_000, 0.6e6), at(80_000, 1e6)],
    }),
    ...['cubic', 'bbr'].map((congestion) =>
      cell(`5.6-${congestion}`, 2e6, {
        workload: video(1.5e6),
        durationMs: 120_000,
        competitors: [{ congestion, startMs: 0 }],
      }),
    ),
  ];
}

/** Every cell, in the order of running. */
export function allCells(): KernelCellPlan[] {
  return [...videoCells('video'), ...modelCells(), ...bulkCells(), ...dynamicCells(), ...rfc8867Cells()];
}

/** Few and short: is millrace on time at least as often as TCP? */
export function quickCells(): KernelCellPlan[] {
  return videoCells('quick');
}
