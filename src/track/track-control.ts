/**
 * The control frames of tracks, one object per track and direction: what is due, what is in flight, what came of it.
 * A sending track announces itself, ends, and skips media frames; a receiving one stops and asks for key frames.
 * Source: docs/wire-format.md §3.6. Rare work: nothing here runs per packet.
 */
import type { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { Ranges } from '../base/ranges.ts';
import {
  CONTROL_FRAME_BYTES_MAX,
  TRACK_PIECE_HEADER_BYTES_MAX,
  writeControlFrame,
  writeTrackPiece,
} from '../wire/control.ts';
import { type PacketRecord, TokenKind } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import type { AnnouncementAssembly } from './announcement.ts';
import { SKIPS_MAX } from './limits.ts';
import type { TrackReceiver } from './receive.ts';
import type { TrackSender } from './send.ts';

/** `b` of a TRACK_CONTROL token; `c` is said with each. */
export const ControlToken = {
  /** Offset * 8192 + length of the piece. */
  ANNOUNCEMENT: 0,
  END: 1,
  /** First symbol of the media frame. */
  SKIP: 2,
  STOP: 3,
  /** Number of the request. */
  KEY_FRAME: 4,
  /** What `TrackReceiver.writeTrackAck` gave. */
  TRACK_ACK: 5,
} as const;

const PIECE_UNIT = 8_192;
/** An announcement is not cut into pieces smaller than this, unless it ends there. */
const PIECE_BYTES_MIN = 64;

interface Skip {
  readonly first: number;
  readonly count: number;
  readonly deadlineUs: Micros;
  isDue: boolean;
}

/** Control frames of a track that we send. `sender` is undefined for a reliable track. */
export class LocalTrack {
  readonly id: number;
  readonly sender: TrackSender | undefined;
  /** The stream that carries it; undefined for a live track. */
  readonly streamId: number | undefined;
  /** In the owner's queue of tracks with something due. */
  isQueued = false;
  /** The highest KEY_FRAME_REQUEST seen. */
  keyFrameRequest = -1;
  /** `end` was called and every media frame has settled (reliable: the stream is done). */
  hasEnded = false;
  readonly #announcement: Uint8Array;
  readonly #due: Ranges = new Ranges();
  readonly #unacked: Ranges = new Ranges();
  readonly #skips: Skip[] = [];
  #isEndDue = false;
  #isEndAcked = false;

  constructor(id: number, announcement: Uint8Array, carrier: TrackSender | number) {
    this.id = id;
    this.sender = typeof carrier === 'number' ? undefined : carrier;
    this.streamId = typeof carrier === 'number' ? carrier : undefined;
    this.#announcement = announcement;
    this.#due.add(0, announcement.length);
    this.#unacked.add(0, announcement.length);
  }

  get hasDue(): boolean {
    if (this.#due.count > 0 || this.#isEndDue) return true;
    for (const skip of this.#skips) if (skip.isDue) return true;
    return false;
  }

  /** Nothing is left to say or to settle. */
  get isDone(): boolean {
    return this.hasEnded && this.#unacked.count === 0 && (this.sender === undefined || this.#isEndAcked);
  }

  end(): void {
    this.#isEndDue = true;
  }

  skip(first: number, count: number, deadlineUs: Micros): void {
    // One too many: the oldest deadline is over anyway.
    if (this.#skips.length >= SKIPS_MAX) this.#skips.shift();
    this.#skips.push({ first, count, deadlineUs, isDue: true });
  }

  /** Writes what is due and fits. */
  write(writer: Writer, record: PacketRecord): void {
    while (this.#due.count > 0) {
      const offset = this.#due.start(0);
      const wanted = this.#due.end(0) - offset;
      const size = Math.min(wanted, writer.room - TRACK_PIECE_HEADER_BYTES_MAX);
      if (size < Math.min(wanted, PIECE_BYTES_MIN)) return;
      const piece = this.#announcement.subarray(offset, offset + size);
      writeTrackPiece(writer, this.id, this.#announcement.length, offset, piece);
      record.note(TokenKind.TRACK_CONTROL, this.id, ControlToken.ANNOUNCEMENT, offset * PIECE_UNIT + size);
      this.#due.remove(offset, offset + size);
    }
    for (const skip of this.#skips) {
      if (!skip.isDue) continue;
      if (writer.room < CONTROL_FRAME_BYTES_MAX) return;
      writeControlFrame(writer, FrameType.TRACK_SKIP, this.id, skip.first, skip.count);
      record.note(TokenKind.TRACK_CONTROL, this.id, ControlToken.SKIP, skip.first);
      skip.isDue = false;
    }
    if (!this.#isEndDue || this.sender === undefined || writer.room < CONTROL_FRAME_BYTES_MAX) return;
    writeControlFrame(
      writer,
      FrameType.TRACK_END,
      this.id,
      this.sender.nextSymbolId,
      this.sender.nextFrameId,
    );
    record.note(TokenKind.TRACK_CONTROL, this.id, ControlToken.END, 0);
    this.#isEndDue = false;
  }

  onAcked(kind: number, value: number): void {
    if (kind === ControlToken.END) {
      this.#isEndAcked = true;
      this.#isEndDue = false;
    } else if (kind === ControlToken.ANNOUNCEMENT) {
      const offset = Math.floor(value / PIECE_UNIT);
      this.#unacked.remove(offset, offset + (value % PIECE_UNIT));
      this.#due.remove(offset, offset + (value % PIECE_UNIT));
    } else if (kind === ControlToken.SKIP) {
      const at = this.#skips.findIndex((skip) => skip.first === value);
      if (at >= 0) this.#skips.splice(at, 1);
    }
  }

  onLost(kind: number, value: number, now: Micros): void {
    if (kind === ControlToken.END) {
      this.#isEndDue = !this.#isEndAcked;
    } else if (kind === ControlToken.ANNOUNCEMENT) {
      const offset = Math.floor(value / PIECE_UNIT);
      this.#repeat(offset, offset + (value % PIECE_UNIT));
    } else if (kind === ControlToken.SKIP) {
      const at = this.#skips.findIndex((skip) => skip.first === value);
      const skip = this.#skips[at];
      if (skip === undefined) return;
      // After the deadline the receiver has given the frame up by itself.
      if (now < skip.deadlineUs) skip.isDue = true;
      else this.#skips.splice(at, 1);
    }
  }

  /** Makes due what of [start, end) has not been acknowledged in another packet. */
  #repeat(start: number, end: number): void {
    for (let i = 0; i < this.#unacked.count; i++) {
      this.#due.add(Math.max(start, this.#unacked.start(i)), Math.min(end, this.#unacked.end(i)));
    }
  }
}

/** Control frames of a track that the peer sends. `receiver` is undefined for a reliable track. */
export class RemoteTrack {
  readonly id: number;
  receiver: TrackReceiver | undefined;
  /** The stream that carries it, once announced as reliable. */
  streamId: number | undefined;
  /** Until the announcement is complete. */
  assembly: AnnouncementAssembly | undefined;
  isQueued = false;
  /** In the owner's queue of tracks with a TRACK_ACK to write. */
  isAckQueued = false;
  /** The application has the receiver. */
  isTaken = false;
  #stopCode = -1;
  #isStopDue = false;
  #isStopAcked = false;
  #request = -1;
  #isRequestDue = false;
  #requestedAtUs: Micros = Number.NEGATIVE_INFINITY;

  constructor(id: number, receiver: TrackReceiver, assembly: AnnouncementAssembly) {
    this.id = id;
    this.receiver = receiver;
    this.assembly = assembly;
  }

  get hasDue(): boolean {
    return this.#isStopDue || this.#isRequestDue;
  }

  /** Stopped, and the sender knows. */
  get isStopAcked(): boolean {
    return this.#isStopAcked;
  }

  get isStopped(): boolean {
    return this.#stopCode >= 0;
  }

  stop(errorCode: number): void {
    if (this.#stopCode >= 0) return;
    this.#stopCode = errorCode;
    this.#isStopDue = true;
    this.#isRequestDue = false;
  }

  /** @returns False if one was asked for less than a round trip ago. */
  requestKeyFrame(smoothedRttUs: Micros, now: Micros): boolean {
    if (this.#stopCode >= 0 || now - this.#requestedAtUs < smoothedRttUs) return false;
    this.#requestedAtUs = now;
    this.#request++;
    this.#isRequestDue = true;
    return true;
  }

  write(writer: Writer, record: PacketRecord): void {
    if (this.#isStopDue) {
      if (writer.room < CONTROL_FRAME_BYTES_MAX) return;
      writeControlFrame(writer, FrameType.TRACK_STOP, this.id, this.#stopCode);
      record.note(TokenKind.TRACK_CONTROL, this.id, ControlToken.STOP, 0);
      this.#isStopDue = false;
    }
    if (!this.#isRequestDue || writer.room < CONTROL_FRAME_BYTES_MAX) return;
    writeControlFrame(writer, FrameType.KEY_FRAME_REQUEST, this.id, this.#request);
    record.note(TokenKind.TRACK_CONTROL, this.id, ControlToken.KEY_FRAME, this.#request);
    this.#isRequestDue = false;
  }

  onAcked(kind: number, value: number): void {
    if (kind === ControlToken.STOP) this.#isStopAcked = true;
    else if (kind === ControlToken.KEY_FRAME && value === this.#request) this.#isRequestDue = false;
    else if (kind === ControlToken.TRACK_ACK) this.receiver?.onAckAcked(value);
  }

  onLost(kind: number, value: number): void {
    if (kind === ControlToken.STOP) this.#isStopDue = !this.#isStopAcked;
    else if (kind === ControlToken.KEY_FRAME)
      this.#isRequestDue ||= value === this.#request && !this.isStopped;
    else if (kind === ControlToken.TRACK_ACK) this.receiver?.onAckLost();
  }
}
