/** What an experiment asks of a transport, so that one runner serves millrace, the TCP model and plain UDP. */
import type { Micros } from '../base/protocol.ts';
import type { LabFrame } from './frames.ts';
import type { WireBytes } from './wire-meter.ts';

/** What a transport tells its experiment. */
export interface TransportEvents {
  /** Frames may be sent from now on. */
  onReady(nowUs: Micros): void;
  /** Frame `index` of source `source` is complete at the other end. `bytes` only where the transport carries any. */
  onDelivered(source: number, index: number, bytes: Uint8Array | undefined, nowUs: Micros): void;
}

/** One transport between two ends in virtual time. */
export interface Transport {
  /** Begins to connect. */
  start(): void;
  /** Sends one frame of one source now. */
  send(source: number, frame: LabFrame): void;
  /** What the transport would have this source produce, bits per second; undefined when it does not say. */
  targetBps(source: number): number | undefined;
  /** The largest frame that it would have this source produce; undefined when it does not say. */
  maxFrameBytes(source: number): number | undefined;
  /** Sums of the media direction so far, by purpose. */
  readonly wire: WireBytes;
  /** What its own counters say beyond that; shown, and compared with `wire`. */
  report(): TransportReport;
}

/** Of a sender, at the end of a run. */
export interface TransportReport {
  /** Where the transport's own counts and the wire disagree, one sentence each. */
  readonly faults: readonly string[];
  /** Why the transport gave up before the end; undefined when it did not. */
  readonly ended: string | undefined;
  /** Named figures, for people. Ratios 0..1, rates bits per second. */
  readonly figures: Readonly<Record<string, number>>;
}
