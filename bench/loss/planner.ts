/**
 * The set `planner`: does millrace meet its deadlines at the least cost? 20 Mbit/s, 4 Mbit/s video, the start bitrate
 * given. Ideal: dynamic program over missing symbols where a round fits, joint decoding over T frames where none does,
 * blocks of about 12 symbols, target 1 in 1000.
 */

import { AUDIO, mpegTs, type WorkloadSpec } from '../../src/lab/workload.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { LossSpec } from '../../src/sim/loss.ts';
import { symmetric } from '../../src/sim/network.ts';
import type { BenchCell, Limits } from './plan.ts';

const SEEDS = [1, 2, 3, 4, 5];
const VIDEO: WorkloadSpec = { video: { bitrateBps: 4e6 } };
const STARTUP_MS = 3_000;
/** 1200 frames at 30 a second. */
const MEASURED_MS = 40_000;

interface Row {
  readonly id: string;
  readonly rttMs: number;
  readonly latencyMs: number;
  readonly loss: LossSpec;
  readonly lossName: string;
  readonly workload?: WorkloadSpec;
  readonly workloadName?: string;
  readonly limits: Limits;
  readonly ideal?: number;
  readonly changes?: Partial<BenchCell['spec']>;
  readonly hasTimeline?: boolean;
}

function linkOf(rttMs: number, loss: LossSpec): LinkOptions {
  return { delayMs: rttMs / 2, rateBps: 20e6, queue: { ms: 100 }, loss };
}

function cellOf(row: Row): BenchCell {
  const { rttMs, latencyMs, loss, workload = VIDEO, changes } = row;
  return {
    id: `planner/${row.id}`,
    set: 'planner',
    facets: { rttMs, latencyMs, loss: row.lossName, workload: row.workloadName ?? 'video 4 Mbit/s' },
    spec: {
      transport: 'millrace',
      network: symmetric(linkOf(rttMs, loss)),
      workload,
      latencyMs,
      startupMs: STARTUP_MS,
      durationMs: STARTUP_MS + MEASURED_MS,
      ...changes,
    },
    seeds: SEEDS,
    limits: row.limits,
    ...(row.ideal === undefined ? {} : { idealOverhead: row.ideal }),
    ...(row.hasTimeline === true ? { hasTimeline: true } : {}),
  };
}

/** RTT, latency; at 1, 5, 10 % loss what overhead may be and what is ideal. */
const LADDER: readonly (readonly [number, number, readonly number[], readonly number[]])[] = [
  [20, 120, [0.015, 0.07, 0.14], [0.01, 0.053, 0.112]],
  [60, 120, [0.03, 0.13, 0.25], [0.019, 0.098, 0.193]],
  [150, 120, [0.11, 0.24, 0.37], [0.075, 0.175, 0.275]],
  [150, 250, [0.03, 0.13, 0.25], [0.019, 0.098, 0.193]],
];
const LOSSES = [0.01, 0.05, 0.1];

function cleanRows(): Row[] {
  // Overhead counts after the first 10 s.
  const changes = { startupMs: 10_000, durationMs: 10_000 + MEASURED_MS };
  return [20, 60, 150].map((rttMs) => ({
    id: `clean-${rttMs}`,
    rttMs,
    latencyMs: 120,
    loss: { kind: 'none' },
    lossName: '0 %',
    limits: { onTimeMin: 1, overheadMax: 0.005, isRepairFree: true },
    ideal: 0,
    changes,
  }));
}

function ladderRows(): Row[] {
  return LADDER.flatMap(([rttMs, latencyMs, asked, ideal]) =>
    LOSSES.map((ratio, i) => ({
      id: `${rttMs}-${latencyMs}-${ratio * 100}%`,
      rttMs,
      latencyMs,
      loss: { kind: 'iid' as const, ratio },
      lossName: `${ratio * 100} %`,
      limits: { onTimeMin: 0.999, overheadMax: asked[i] as number },
      ideal: ideal[i] as number,
    })),
  );
}

function burstRows(): Row[] {
  return [
    {
      id: 'burst-60-120-5%x4',
      rttMs: 60,
      latencyMs: 120,
      loss: { kind: 'burst', ratio: 0.05, meanBurst: 4 },
      lossName: '5 %, bursts of 4',
      limits: { onTimeMin: 0.995, overheadMax: 0.23 },
      ideal: 0.16,
    },
    {
      id: 'burst-150-120-2%x3',
      rttMs: 150,
      latencyMs: 120,
      loss: { kind: 'burst', ratio: 0.02, meanBurst: 3 },
      lossName: '2 %, bursts of 3',
      limits: { onTimeMin: 0.995, overheadMax: 0.29 },
      ideal: 0.2,
    },
  ];
}

function otherMediaRows(): Row[] {
  const loss = { kind: 'iid', ratio: 0.05 } as const;
  const ts = (rttMs: number, overheadMax: number): Row => ({
    id: `ts-${rttMs}-120-5%`,
    rttMs,
    latencyMs: 120,
    loss,
    lossName: '5 %',
    workload: { packets: mpegTs(4e6) },
    workloadName: 'MPEG-TS 4 Mbit/s, 1316 B',
    limits: { onTimeMin: 0.999, overheadMax },
    changes: { durationMs: STARTUP_MS + 20_000 },
  });
  return [
    {
      id: 'audio-150-120-5%',
      rttMs: 150,
      latencyMs: 120,
      loss,
      lossName: '5 %',
      workload: { audio: AUDIO },
      workloadName: 'audio, 50 packets/s',
      limits: { onTimeMin: 0.999, overheadMax: 0.52 },
      ideal: 0.39,
    },
    ts(60, 0.18),
    ts(150, 0.29),
  ];
}

/** What changes while it runs. Steps count from the first frame. */
function changingRows(): Row[] {
  const none: LossSpec = { kind: 'none' };
  const step = (atMs: number, options: LinkOptions) => ({ atMs, do: 'set', link: 'both', options }) as const;
  return [
    {
      id: 'step-loss-60-120',
      rttMs: 60,
      latencyMs: 120,
      loss: none,
      lossName: '0, 10 % from 10 s to 25 s, 0',
      limits: {
        recovery: { stepMs: 10_000, settleMs: 1_000, onTimeMin: 0.999 },
        repairEndsByMs: 35_000,
      },
      changes: {
        durationMs: 45_000,
        steps: [step(10_000, { loss: { kind: 'iid', ratio: 0.1 } }), step(25_000, { loss: none })],
      },
      hasTimeline: true,
    },
    {
      id: 'step-rtt-120',
      rttMs: 20,
      latencyMs: 120,
      loss: { kind: 'iid', ratio: 0.01 },
      lossName: '1 %, RTT 20, 200 ms from 10 s',
      limits: { recovery: { stepMs: 10_000, settleMs: 1_000, onTimeMin: 0.999 } },
      changes: { durationMs: 30_000, steps: [step(10_000, { delayMs: 100 })] },
      hasTimeline: true,
    },
    {
      // An encoder that does not listen: 70 % of its frames would fit if no other were begun.
      id: 'overload-60-120',
      rttMs: 60,
      latencyMs: 120,
      loss: none,
      lossName: '0 %, 3 Mbit/s',
      limits: { onTimeMin: 0.7 },
      changes: {
        network: symmetric({ delayMs: 30, rateBps: 3e6, queue: { ms: 100 } }),
        durationMs: STARTUP_MS + 20_000,
      },
    },
    {
      id: 'startup-150-120-5%',
      rttMs: 150,
      latencyMs: 120,
      loss: { kind: 'iid', ratio: 0.05 },
      lossName: '5 %',
      limits: { startupLateMax: 8 },
      changes: { durationMs: 3_000 },
    },
  ];
}

/** N16 of the survey of peers: Tambur's Gilbert-Elliott channel, 50 ms one way, three frame times to recover in. */
export const TAMBUR_CHANNEL = {
  kind: 'gilbert-elliott',
  goodToBad: 0.068,
  badToGood: 0.852,
  lossGood: 0.04,
  lossBad: 0.5,
} as const;

/** Bits per second of Tambur's video. */
export const TAMBUR_BITRATES: readonly number[] = [500_000, 1_000_000, 2_000_000];

function tamburRows(): Row[] {
  return TAMBUR_BITRATES.map((bitrateBps) => ({
    id: `tambur-${bitrateBps / 1e6}M`,
    rttMs: 100,
    latencyMs: 100,
    loss: TAMBUR_CHANNEL,
    lossName: 'Gilbert-Elliott, 7.4 %',
    // Constant bitrate: every frame of one size, as in its data set's encoder setting.
    workload: { video: { bitrateBps, keyFrameFactor: 1 } },
    workloadName: `video ${bitrateBps / 1e6} Mbit/s, constant`,
    limits: {},
    changes: { durationMs: STARTUP_MS + 120_000 },
  }));
}

/** All cells of the set, in the order of the report. */
export function plannerCells(): BenchCell[] {
  return [
    ...cleanRows(),
    ...ladderRows(),
    ...burstRows(),
    ...otherMediaRows(),
    ...changingRows(),
    ...tamburRows(),
  ].map(cellOf);
}
