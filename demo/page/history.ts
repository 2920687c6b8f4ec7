/**
 * What the page knows of the last minute, four times a second: in reports of the worker and counters of the paths, out
 * rates and shares for the charts, the figures and the sentence. Pure.
 */
import type { PathCounters } from '../control-protocol.ts';
import type { SideReport } from './side-report.ts';

/** Cumulative values of one side at one instant. */
interface Sample {
  readonly atMs: number;
  readonly report: SideReport;
  readonly path: PathCounters;
}

const SAMPLES_MAX = 240;
/** Rates are taken over this long: four samples. */
const RATE_SAMPLES = 4;

/** One side, over about a second before now. */
export interface SideRates {
  /** Age of the picture on the screen. */
  readonly latencyMs: number | undefined;
  readonly targetBps: number;
  /** Out of the encoder. */
  readonly encodedBps: number;
  /** On the wire, headers, resends and repair included. */
  readonly wireBps: number;
  readonly picturesPerSecond: number;
  readonly lostPerSecond: number;
  readonly repairedPerSecond: number;
  /** Media frames that resent packets completed in time. */
  readonly repairedByResendingPerSecond: number;
  readonly resentPerSecond: number;
  /** Bytes on the wire that are not the encoder's, by those that are; undefined while nothing is encoded. */
  readonly overheadRatio: number | undefined;
  readonly freezeMs: number;
}

/** TCP says how many bytes it sent again, not how many segments. */
const SEGMENT_BYTES = 1_448;

export class SideHistory {
  readonly #samples: Sample[] = [];

  add(atMs: number, report: SideReport, path: PathCounters): void {
    this.#samples.push({ atMs, report, path });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  get last(): SideReport | undefined {
    return this.#samples.at(-1)?.report;
  }

  /** Changes over the last `count` samples; undefined before there are two. */
  #change(
    count: number,
  ): { readonly from: Sample; readonly to: Sample; readonly seconds: number } | undefined {
    const to = this.#samples.at(-1);
    const from = this.#samples[Math.max(0, this.#samples.length - 1 - count)];
    if (to === undefined || from === undefined || to.atMs <= from.atMs) return undefined;
    return { from, to, seconds: (to.atMs - from.atMs) / 1_000 };
  }

  rates(): SideRates | undefined {
    const change = this.#change(RATE_SAMPLES);
    if (change === undefined) return undefined;
    const { from, to, seconds } = change;
    const figure = (name: string): number =>
      (to.report.figures[name] ?? 0) - (from.report.figures[name] ?? 0);
    const encodedBps = ((to.report.encodedBytes - from.report.encodedBytes) * 8) / seconds;
    const wireBps = ((to.path.bytes - from.path.bytes) * 8) / seconds;
    return {
      latencyMs: to.report.latencyMs,
      targetBps: to.report.targetBps,
      encodedBps,
      wireBps,
      picturesPerSecond: (to.report.framesDecoded - from.report.framesDecoded) / seconds,
      lostPerSecond: (to.path.lost - from.path.lost) / seconds,
      repairedPerSecond: Math.max(0, figure('framesFec') / seconds),
      repairedByResendingPerSecond: Math.max(0, figure('framesResent') / seconds),
      resentPerSecond: Math.max(0, figure('resendBytes') / SEGMENT_BYTES / seconds),
      overheadRatio: this.#overheadRatio(),
      freezeMs: to.report.freezeMs,
    };
  }

  /** Over ten seconds: what is encoded and what is on the wire at one instant do not belong together. */
  #overheadRatio(): number | undefined {
    const change = this.#change(10 * RATE_SAMPLES);
    if (change === undefined) return undefined;
    const { from, to } = change;
    const encoded = to.report.encodedBytes - from.report.encodedBytes;
    return encoded < 10_000 ? undefined : Math.max(0, (to.path.bytes - from.path.bytes) / encoded - 1);
  }

  /** Share of the last `seconds` that was frozen, 0..1. */
  frozenRatio(seconds: number): number {
    const change = this.#change(seconds * RATE_SAMPLES);
    if (change === undefined) return 0;
    return Math.min(
      1,
      Math.max(0, (change.to.report.freezeMs - change.from.report.freezeMs) / (change.seconds * 1_000)),
    );
  }

  /** Media frames that FEC repaired, and packets lost, in the last `seconds`. */
  recent(seconds: number): { readonly repaired: number; readonly lost: number; readonly packets: number } {
    const change = this.#change(seconds * RATE_SAMPLES);
    if (change === undefined) return { repaired: 0, lost: 0, packets: 0 };
    const { from, to } = change;
    const figure = (name: string): number =>
      (to.report.figures[name] ?? 0) - (from.report.figures[name] ?? 0);
    return {
      repaired: Math.max(0, figure('framesFec') + figure('framesResent')),
      lost: to.path.lost - from.path.lost,
      packets: to.path.packets - from.path.packets,
    };
  }
}
