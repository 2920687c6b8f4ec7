/**
 * The set `matrix`: video and audio over every round trip and loss, millrace at three latencies beside TCP, TCP under an
 * application that skips, and plain UDP. Loss is one way, in both directions.
 */

import type { TransportName } from '../../src/lab/cell.ts';
import { AUDIO, type WorkloadSpec } from '../../src/lab/workload.ts';
import type { LossSpec } from '../../src/sim/loss.ts';
import { symmetric } from '../../src/sim/network.ts';
import type { BenchCell } from './plan.ts';

/** Also of the bench against the kernel. */
export const WORKLOAD: WorkloadSpec = { video: { bitrateBps: 4e6 }, audio: AUDIO };
export const RTTS_MS: readonly number[] = [20, 60, 150, 300];
export const LATENCIES_MS: readonly number[] = [60, 120, 250];
/** By which TCP and plain UDP are judged: they have no latency of their own. */
export const USUAL_LATENCY_MS = 120;
const SEEDS = [1, 2, 3];
const STARTUP_MS = 3_000;
const MEASURED_MS = 20_000;

export interface Channel {
  readonly name: string;
  /** Mean loss, 0..1. */
  readonly ratio: number;
  /** Mean length of a burst, packets; 1 for independent losses. */
  readonly burst: number;
}

/** `5 % x4`: 5 % in bursts of 4 on average. */
function channel(ratio: number, burst = 1): Channel {
  const name = `${Number((ratio * 100).toFixed(1))} %`;
  return { name: burst === 1 ? name : `${name} x${burst}`, ratio, burst };
}

export const CHANNELS: readonly Channel[] = [
  ...[0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2].map((ratio) => channel(ratio)),
  channel(0.02, 3),
  channel(0.05, 3),
  channel(0.05, 4),
  channel(0.02, 8),
  channel(0.05, 8),
];

export function lossOf({ ratio, burst }: Channel): LossSpec {
  if (ratio === 0) return { kind: 'none' };
  return burst === 1 ? { kind: 'iid', ratio } : { kind: 'burst', ratio, meanBurst: burst };
}

const OTHERS: readonly TransportName[] = ['tcp-cubic', 'tcp-reno', 'tcp-skip', 'udp'];

function cellOf(rttMs: number, lost: Channel, transport: TransportName, latencyMs: number): BenchCell {
  const link = { delayMs: rttMs / 2, rateBps: 20e6, queue: { ms: 100 }, loss: lossOf(lost) };
  const who = transport === 'millrace' ? `millrace-${latencyMs}` : transport;
  return {
    id: `matrix/${rttMs}/${lost.name.replaceAll(' ', '')}/${who}`,
    set: 'matrix',
    facets: { rttMs, loss: lost.name, transport, latencyMs },
    spec: {
      transport,
      network: symmetric(link),
      workload: WORKLOAD,
      latencyMs,
      startupMs: STARTUP_MS,
      durationMs: STARTUP_MS + MEASURED_MS,
    },
    seeds: SEEDS,
    ...(isShown(rttMs, lost, transport, latencyMs) ? { hasTimeline: true } : {}),
  };
}

/** The runs whose time lines the report shows. */
function isShown(rttMs: number, lost: Channel, transport: TransportName, latencyMs: number): boolean {
  if (rttMs !== 60 || lost.name !== '2 %' || latencyMs !== USUAL_LATENCY_MS) return false;
  return transport === 'millrace' || transport === 'tcp-cubic' || transport === 'tcp-skip';
}

/** All cells of the set. */
export function matrixCells(): BenchCell[] {
  return RTTS_MS.flatMap((rttMs) =>
    CHANNELS.flatMap((lost) => [
      ...LATENCIES_MS.map((latencyMs) => cellOf(rttMs, lost, 'millrace', latencyMs)),
      ...OTHERS.map((transport) => cellOf(rttMs, lost, transport, USUAL_LATENCY_MS)),
    ]),
  );
}

/** What `--quick` keeps of the set: one latency, four channels, 8 s, one seed. */
export function quickMatrixCells(): BenchCell[] {
  const kept = ['0 %', '2 %', '5 %', '5 % x4'];
  return matrixCells()
    .filter(({ facets }) => facets.rttMs === 60 || facets.rttMs === 150)
    .filter(({ facets }) => kept.includes(String(facets.loss)) && facets.latencyMs === USUAL_LATENCY_MS)
    .map(shortened);
}

/** One seed, 3 s of start-up and 8 s measured. */
export function shortened(cell: BenchCell): BenchCell {
  const durationMs = Math.min(cell.spec.durationMs, STARTUP_MS + 8_000);
  return { ...cell, seeds: [1], spec: { ...cell.spec, durationMs } };
}
