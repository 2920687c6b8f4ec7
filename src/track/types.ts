/**
 * What live tracks share with the parts around them: options, the views of the path and of redundancy that they are
 * handed, what they report. Everything here is an interface or a constant; siblings are met only through these.
 * Source: DESIGN D3, D4, D6, D15; docs/wire-format.md §3.6.
 */
import type { Micros } from '../base/protocol.ts';

/** What a track carries; a hint for redundancy and priority. */
export type TrackKind = 'video' | 'audio' | 'data';
/** As soon as possible, or played out at timestamp + offset + latency. */
export type Delivery = 'asap' | 'timed';
/** In the order of sending, or each media frame when it is complete. */
export type Order = 'send' | 'none';

/** What a receiver must know of a track before it can deliver. */
export interface Announcement {
  readonly kind: TrackKind;
  readonly delivery: Delivery;
  readonly order: Order;
  /** Carried by stream `streamId`, without a deadline. */
  readonly isReliable: boolean;
  /** 1 ms to 60 s, whole milliseconds on the wire; 0 if reliable. */
  readonly latencyUs: Micros;
  /** 0 unless reliable. */
  readonly streamId: number;
  /** UTF-8 JSON, at most 4096 bytes. */
  readonly metadata: Uint8Array;
}

/** What the application says of one media frame. */
export interface MediaFrameOptions {
  /** Integer microseconds, as in WebCodecs; may be negative. */
  readonly timestampUs: number;
  /** Integer microseconds, >= 0. */
  readonly durationUs?: number | undefined;
  readonly keyFrame?: boolean | undefined;
  /** May be dropped first when the track does not fit. */
  readonly discardable?: boolean | undefined;
}

/** How a `send` ended. */
export type Outcome = 'acknowledged' | 'recovered' | 'expired' | 'dropped';

/** What a track may know of the path: a live view owned by the connection, read whenever it is needed. */
export interface PathView {
  readonly smoothedRttUs: Micros;
  readonly rttVarianceUs: Micros;
  /** Half of the smoothed RTT. */
  readonly oneWayDelayUs: Micros;
  readonly lossRatio: number;
  /** When something new was acknowledged last. */
  readonly heardAtUs: Micros;
  /** Time a full packet takes at the pace of now. */
  readonly packetUs: Micros;
  /** Room for frames in a packet that carries nothing else. A symbol for which this is too small goes in two parts. */
  readonly maxPayloadBytes: number;
}

/** Makes repair symbols. The FEC room's block encoder is one. */
export interface RepairMaker {
  /**
   * @param symbols The block's source symbols, 1..100; the longest gives the length of every repair symbol.
   * @returns Rows firstRow .. firstRow + rowCount - 1; copied at once, so views that live briefly are fine.
   */
  encode(symbols: readonly Uint8Array[], firstRow: number, rowCount: number): readonly Uint8Array[];
}

/** How much redundancy a track carries: planned for its target, none (resends only), or a fixed share of its media. */
export type RedundancyMode = 'auto' | 'off' | { readonly overhead: number };

/** What a redundancy policy is asked about: one media frame whose first symbol is about to leave. Reused. */
export interface PlanInput {
  /** Source symbols of this media frame, and of a usual one of the track. */
  readonly symbols: number;
  readonly meanSymbols: number;
  readonly kind: TrackKind;
  readonly isKeyFrame: boolean;
  readonly isDiscardable: boolean;
  readonly mode: RedundancyMode;
  /** Media frames that may miss their deadline, 0..1. */
  readonly target: number;
  readonly latencyUs: Micros;
  /** From when its last symbol leaves, as the pace is now, until the last useful moment to send. */
  readonly timeLeftUs: Micros;
  /** How long it has waited for its turn: others were queued before it. */
  readonly waitedUs: Micros;
  /** Usual time between media frames, us; 0 unknown. */
  readonly frameIntervalUs: Micros;
  /** How the receiver was told to hand media frames out: what being early is worth. */
  readonly delivery: Delivery;
  readonly order: Order;
}

/** What it answers. Reused. */
export interface FramePlan {
  /** Retransmission rounds that fit, 0..3. */
  rounds: number;
  /** Later media frames whose repair still helps this one. */
  span: number;
  /** Repair symbols per source symbol, spread over this frame and `span` later ones; 0: none up front. */
  streamRatio: number;
  /** Repair symbols right behind the first flight; a part of one is carried to the next media frame. */
  firstSpares: number;
  /** What missing the deadline would cost, in symbols. */
  price: number;
  /** How long before the deadline the last repair must leave. */
  leadUs: Micros;
  /** Time that a full packet takes on its way out or through the narrowest link, whichever is more. */
  packetUs: Micros;
  /** How far apart the narrowest link lets full packets arrive; 0 while it has not been seen to. */
  spacingUs: Micros;
}

/** Decides how much redundancy a media frame gets. The planner is one. */
export interface RedundancyPolicy {
  plan(input: PlanInput, plan: FramePlan): void;
  /** Repair symbols beside `missing` ones that are resent now, if `rounds` (1..3) more can follow. */
  flightSpares(missing: number, rounds: number, price: number): number;
  /**
   * Repair symbols of a last flight: `missing` symbols are lost, `unknown` under way, `rowsArrived` repair symbols over
   * them have arrived and `rowsUnknown` are under way.
   */
  lastSpares(
    missing: number,
    unknown: number,
    rowsArrived: number,
    rowsUnknown: number,
    price: number,
  ): number;
  /** Rounds that fit into `timeLeftUs`. */
  roundsIn(timeLeftUs: Micros): number;
}

/** Rebuilds source symbols. The FEC room's block decoder is one. */
export interface SymbolDecoder {
  onSymbol(id: number, bytes: Uint8Array): void;
  /** @returns 0, or a reason number if the repair symbol is of no use. */
  onRepair(first: number, stride: number, k: number, row: number, bytes: Uint8Array): number;
  /** Hands out the symbols rebuilt since the last call, each (zero-padded) once. */
  takeRebuilt(take: (id: number, bytes: Uint8Array) => void): void;
  /** Symbols below `id` are of no more use. */
  dropBelow(id: number): void;
  /** Memory that the symbols at hand keep alive. */
  readonly heldBytes: number;
  /** Forgets the oldest symbols while more is held. */
  keepAtMost(bytes: number): void;
}

/** How a media frame made it. */
export type Arrival = 'on-time' | 'fec' | 'resent' | 'late';

/** One media frame for the application. */
export interface ReceivedFrame {
  /** The application's, memory and all. */
  readonly data: Uint8Array;
  readonly timestampUs: number;
  /** undefined if the sender did not say. */
  readonly durationUs: number | undefined;
  readonly keyFrame: boolean;
  readonly discardable: boolean;
  readonly frameId: number;
  /** Media frames missing since the one handed out before this. */
  readonly skipped: number;
  /** When its last symbol was at hand. */
  readonly receivedAtUs: Micros;
  readonly how: Arrival;
}

/** Counts of media frames. Once everything has settled: sent = onTime + fec + resent + late + lost. */
export interface FrameCounts {
  sent: number;
  /** Arrived in time from first transmissions only. */
  onTime: number;
  /** Arrived in time, and only because FEC rebuilt a symbol. */
  fec: number;
  /** Arrived in time because a symbol was resent. */
  resent: number;
  /** Arrived after the deadline. */
  late: number;
  /** Never complete: lost on the path, or expired or dropped by the sender. */
  lost: number;
}

/** A sender's count. Bytes are those of frames, without packet headers and tags. */
export interface SendStatistics {
  readonly frames: FrameCounts;
  /** Part of `frames.lost`: the deadline passed. */
  framesExpired: number;
  /** Part of `frames.lost`: closed, stopped, or discarded to protect others. */
  framesDropped: number;
  /** Media bytes of first transmissions. */
  mediaBytes: number;
  /** SYMBOL and source symbol headers of first transmissions. */
  headerBytes: number;
  /** SYMBOL frames sent again, headers included. */
  resendBytes: number;
  /** REPAIR frames, headers included. */
  repairBytes: number;
  symbolsSent: number;
  symbolsResent: number;
  repairsSent: number;
}

/** A receiver's count. `frames.sent` counts those whose fate is known. Bytes are those of frames' contents. */
export interface ReceiveStatistics {
  readonly frames: FrameCounts;
  /** Complete, but the application was too slow to take them. */
  framesDroppedSlow: number;
  mediaBytes: number;
  headerBytes: number;
  resendBytes: number;
  repairBytes: number;
  symbolsReceived: number;
  symbolsRebuilt: number;
  repairsReceived: number;
  /** Symbols dropped, by reason. */
  duplicateSymbols: number;
  lateSymbols: number;
  malformedSymbols: number;
  /** Media frames given up, or handed out before they were due, because too much was held. */
  evictedFrames: number;
}

/** Zeroed counts. */
export function frameCounts(): FrameCounts {
  return { sent: 0, onTime: 0, fec: 0, resent: 0, late: 0, lost: 0 };
}
