/**
 * What a rate-control scenario is, as data: a bottleneck over time, the flows that share it, what is measured and what
 * is asked of the measurement. Source of the schedules: RFC 8867 §5, RFC 8869 §4; of the metrics: RFC 8868 §3.
 */
import type { CapacitySpec } from '../../src/sim/capacity.ts';
import type { JitterSpec, PolicerSpec, QueueSpec } from '../../src/sim/link-options.ts';
import type { LossSpec } from '../../src/sim/loss.ts';
import type { RunResult } from './result.ts';

/** A modelled encoder (encoder.ts). */
export interface EncoderSpec {
  readonly minBps: number;
  readonly maxBps: number;
  /** Time constant with which it moves to a new target; default 100 ms (RFC 8867 §4.1). */
  readonly responseMs?: number;
  /** Hears of each target so much later; default 0. */
  readonly lateMs?: number;
  /** Frame sizes: standard deviation as a part of the mean; default 0.1. */
  readonly noise?: number;
  /** Frame sizes drawn evenly from 1 - spread .. 1 + spread, instead of `noise`. */
  readonly spread?: number;
  /** A key frame every so many seconds, so many times the size of the others, which shrink in return. */
  readonly keyFrames?: { readonly everySeconds: number; readonly size: number };
}

/** One millrace connection over the bottleneck. */
export interface FlowSpec {
  /** Media: a video track of 30 frames a second and audio of 20 kbit/s. Bulk: a stream that is always full. */
  readonly kind: 'media' | 'bulk';
  readonly startS?: number;
  readonly endS?: number;
  /** The encoder is silent in between. */
  readonly pauseS?: readonly [number, number];
  /** Sends against the direction of the others, over the backward bottleneck. */
  readonly isBackward?: boolean;
  /** One-way delay on top of the bottleneck's, each way. */
  readonly extraDelayMs?: number;
  readonly encoder?: EncoderSpec;
  readonly startBitrateBps?: number;
  /** Of the tracks; default 120. */
  readonly latencyMs?: number;
}

/** One TCP connection over the bottleneck. */
export interface TcpSpec {
  readonly startS?: number;
  readonly endS?: number;
  /** Transfers of 30 to 50 KB with idle times of 10 s in the mean (RFC 8868 §4.4); else one endless transfer. */
  readonly isShort?: boolean;
}

export interface Direction {
  readonly capacity: CapacitySpec;
  readonly queue?: QueueSpec;
  readonly loss?: LossSpec;
  readonly lossPlace?: 'before-queue' | 'after-queue';
  readonly policer?: PolicerSpec;
}

/** A number that is measured in each run. */
export type Metrics = Readonly<Record<string, number>>;

/** One demand on the median of a metric. */
export interface Gate {
  readonly metric: string;
  readonly min?: number;
  readonly max?: number;
}

export interface RateCase {
  /** What `--case` selects, e.g. `5.1` or `5.1-loss5`. */
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly forward: Direction;
  /** Default: a wire without limits. */
  readonly backward?: Direction;
  /** One-way propagation, each way; default 50. */
  readonly delayMs?: number;
  /** Default: none. It is added behind the bottleneck, both ways. */
  readonly jitter?: JitterSpec;
  readonly flows: readonly FlowSpec[];
  readonly tcp?: readonly TcpSpec[];
  readonly measure: (run: RunResult) => Metrics;
  readonly gates: readonly Gate[];
  /** The median of `metric` must be that of another scenario, or better, or worse by no more than `within`. */
  readonly compare?: { readonly to: string; readonly metric: string; readonly within: number };
  /** Part of `--quick`. */
  readonly isQuick?: boolean;
}
