/**
 * How parts of a connection put frames into packets and learn what became of them. A packet under construction notes
 * a token per frame; acknowledgement or loss of the packet hands each token back to its owner, found by a table lookup
 * and not by a switch that runs through the code base. Source: recovery tokens of neqo, providers of s2n-quic.
 */
import type { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';

/** Who owns a token. One owner per kind in each packet number space. */
export const TokenKind = {
  /** Nobody wants it back (PING, PADDING, path frames). */
  NONE: 0,
  ACK: 1,
  CRYPTO: 2,
  PARAMETERS: 3,
  CONTROL: 4,
  STREAM: 5,
  STREAM_CONTROL: 6,
  TRACK: 7,
  TRACK_CONTROL: 8,
  DATAGRAM: 9,
  PROBE: 10,
  PATH: 11,
  COUNTERS: 12,
} as const;
/** One of {@link TokenKind}. */
export type TokenKind = (typeof TokenKind)[keyof typeof TokenKind];
/** How many kinds there are: the size of an owner table. */
export const TOKEN_KINDS = 13;

/** Where a packet under construction notes what it carries. Nothing is allocated per token. */
export interface PacketRecord {
  /** Three integers (below 2^53) that the owner gets back in `onAcked` or `onLost`; their meaning is the owner's. */
  note(kind: TokenKind, a: number, b: number, c: number): void;
}

/** Gets its tokens back, exactly once each: acked or lost. (A lost one may be acked later: `onAcked` again.) */
export interface TokenOwner {
  onAcked(a: number, b: number, c: number, now: Micros): void;
  onLost(a: number, b: number, c: number, now: Micros): void;
}

/** A part of the connection that makes control frames: cheap, rare, sent before media. */
export interface FrameSource extends TokenOwner {
  wantsToSend(now: Micros): boolean;
  /** Writes what fits into `writer.room`. Returns true if anything was written. */
  writeFrames(writer: Writer, record: PacketRecord, now: Micros): boolean;
}

/** One thing with data to send that competes for packets: a track, a stream, the app datagram queue. */
export interface Sender {
  /** Higher goes first. */
  readonly sendOrder: number;
  /** Share among senders of equal order, 1..255. */
  readonly weight: number;
  /** True when it has something that may leave now (credit, expiry considered). */
  hasData(now: Micros): boolean;
  /**
   * Writes one frame. Returns bytes written; 0 = nothing to send, or nothing fits in `writer.room` (a sender never
   * writes a needlessly small piece into the end of a packet: it returns 0 unless the frame is complete or fills the
   * packet).
   */
  writeFrame(writer: Writer, record: PacketRecord, now: Micros): number;
}

/** Tells the scheduler that a sender has data again. Cheap when it is active already. */
export type Activate = (sender: Sender) => void;

const WEIGHT_MAX = 255;

/** @throws RangeError unless both are legal for a {@link Sender}. */
export function checkPriority(sendOrder: number, weight: number): void {
  if (!Number.isFinite(sendOrder)) throw new RangeError(`sendOrder must be a number, not ${sendOrder}`);
  if (!Number.isInteger(weight) || weight < 1 || weight > WEIGHT_MAX) {
    throw new RangeError(`weight is an integer from 1 to ${WEIGHT_MAX}, not ${weight}`);
  }
}
