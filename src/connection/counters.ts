/**
 * This end's counters for the peer, and the peer's for this end: told at the close and on request. In: the parts of the
 * connection. Out: COUNTERS frames, an event when the peer's have come. Source: DESIGN D15; docs/wire-format.md §3.7.
 */
import type { Reader, Writer } from '../base/bytes.ts';
import type { LossRecovery } from '../recovery/loss-recovery.ts';
import type { StreamSet } from '../stream/set.ts';
import type { TrackSet } from '../track/set.ts';
import {
  COUNTERS_FRAME_BYTES_MAX,
  type EndCounters,
  noCounters,
  readCounters,
  writeCounters,
} from '../wire/counters.ts';
import { type PacketRecord, TokenKind, type TokenOwner } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import type { TransportCounters } from './stats.ts';

/** Asks, answers, remembers. */
export class CountersExchange implements TokenOwner {
  /** The peer's, once they have come. */
  peer: EndCounters | undefined;
  readonly #collect: () => EndCounters;
  #isRequestDue = false;
  #isAnswerDue = false;

  constructor(collect: () => EndCounters) {
    this.#collect = collect;
  }

  request(): void {
    this.#isRequestDue = true;
  }

  /** The peer asks: one answer, however often it does before that leaves. */
  onRequest(): void {
    this.#isAnswerDue = true;
  }

  /** Reads a COUNTERS frame behind its type. @returns 0 or a WireError. */
  onCounters(reader: Reader): number {
    const counters = noCounters();
    const error = readCounters(reader, counters);
    if (error === 0) this.peer = counters;
    return error;
  }

  wantsToSend(): boolean {
    return this.#isRequestDue || this.#isAnswerDue;
  }

  writeFrames(writer: Writer, record: PacketRecord): void {
    if (this.#isRequestDue && writer.room >= 1) {
      writer.u8(FrameType.COUNTERS_REQUEST);
      record.note(TokenKind.COUNTERS, FrameType.COUNTERS_REQUEST, 0, 0);
      this.#isRequestDue = false;
    }
    if (this.#isAnswerDue && this.writeNow(writer)) {
      record.note(TokenKind.COUNTERS, FrameType.COUNTERS, 0, 0);
      this.#isAnswerDue = false;
    }
  }

  /** Writes the present counters if there is room: also in front of a CONNECTION_CLOSE. */
  writeNow(writer: Writer): boolean {
    if (writer.room < COUNTERS_FRAME_BYTES_MAX) return false;
    writeCounters(writer, this.#collect());
    return true;
  }

  onAcked(): void {}

  onLost(type: number): void {
    if (type === FrameType.COUNTERS_REQUEST) this.#isRequestDue = true;
    else this.#isAnswerDue = true;
  }
}

/** The parts of a connection that count. */
export interface CountingParts {
  readonly counters: TransportCounters;
  readonly recovery: LossRecovery;
  readonly tracks: TrackSet;
  readonly streams: StreamSet;
}

/** Reads every counter of this end. Cost: proportional to the number of tracks. */
export function collectCounters({ counters, recovery, tracks, streams }: CountingParts): EndCounters {
  const { rejected } = counters;
  const received = tracks.receiveTotals();
  const { onTime, fec, resent, late, lost } = received.frames;
  return {
    packetsSent: counters.packetsSent,
    packetsReceived: counters.packetsReceived,
    packetsUnacknowledged: recovery.statistics.lost,
    rejectedAuthentication: rejected.authentication,
    rejectedDuplicate: rejected.duplicate,
    rejectedMalformed: rejected.malformed,
    rejectedKeys: rejected.keys,
    framesInTime: onTime + fec + resent,
    framesLate: late,
    framesLost: lost,
    framesUntaken: received.framesDroppedSlow,
    waitingBytes: streams.waitingBytes,
  };
}
