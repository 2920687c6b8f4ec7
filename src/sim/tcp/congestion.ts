/**
 * Congestion control of the TCP model: the interface, and the window it moves.
 * Windows are counted in segments, fractions allowed, as Linux counts them.
 */
import type { Micros } from '../../base/protocol.ts';

/** RFC 6928. */
export const INITIAL_WINDOW = 10;
export const WINDOW_MIN = 2;

/** The sender owns it; the controller moves it. */
export interface CongestionWindow {
  congestionWindow: number;
  slowStartThreshold: number;
}

/** What an acknowledgement of new data tells a controller. */
export interface AckedData {
  readonly nowUs: Micros;
  /** Segments newly delivered; those that were acknowledged selectively before do not count again. */
  readonly acked: number;
  /** The round trip measured by this acknowledgement, or 0. */
  readonly rttUs: Micros;
  readonly smoothedRttUs: Micros;
  /** SND.UNA and SND.NXT: rounds end when the former passes a former value of the latter. */
  readonly una: number;
  readonly sndNxt: number;
}

export interface CongestionController {
  readonly name: string;
  /** True when the window never limits: it is neither reduced nor validated. */
  readonly isUnlimited: boolean;
  /** New data was acknowledged while the window was in full use and nothing was being recovered. */
  onAcked(window: CongestionWindow, data: AckedData): void;
  /** Loss: sets the threshold. The window itself follows by proportional rate reduction, or by a timeout. */
  onCongestion(window: CongestionWindow): void;
  /** A timeout, after `onCongestion` if that was due: the path may be another than the one known so far. */
  onTimeout(): void;
  /** The last reduction was a mistake; the sender has restored the window. */
  onUndo(): void;
  /** The sender had nothing to send since `idleUs`. */
  onIdle(idleUs: Micros): void;
}

/** The controllers there are. `fixed` never limits: for what in-order delivery alone costs. */
export type CongestionName = 'cubic' | 'reno' | 'fixed';
