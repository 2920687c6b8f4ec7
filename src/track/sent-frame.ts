/**
 * One media frame on its way out: its source symbols, laid out once when the application sends it, and what became of
 * each. In: the application's bytes and the room of a packet. Out: views of ready symbols.
 * Source: docs/wire-format.md §3.6; equal-size symbols: docs/rate-control.md §2.4.
 */
import { varintSize, Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import {
  MEDIA_FRAME_BYTES_MAX,
  repairHeaderSize,
  SourceSymbolHeader,
  SYMBOLS_PER_FRAME_MAX,
  SymbolFlag,
  TIMESTAMP_US_MAX,
} from '../wire/symbol.ts';
import {
  ACK_SLACK_US,
  BLOCK_SOURCE_SYMBOLS_MAX,
  CROWDED_GRACE_US_MAX,
  FEEDBACK_INTERVAL_US,
  PATH_GRACE_US_MAX,
} from './limits.ts';
import type { MediaFrameOptions, Outcome, PathView } from './types.ts';

/** @throws TypeError, RangeError for what no media frame can be. */
export function checkMediaFrame(length: number, options: MediaFrameOptions): void {
  if (length > MEDIA_FRAME_BYTES_MAX) {
    throw new RangeError(`a media frame has at most ${MEDIA_FRAME_BYTES_MAX} bytes, not ${length}`);
  }
  const { timestampUs, durationUs } = options;
  if (!Number.isSafeInteger(timestampUs)) throw new TypeError('timestamp must be an integer (microseconds)');
  if (Math.abs(timestampUs) > TIMESTAMP_US_MAX) throw new RangeError('timestamp is out of range');
  if (durationUs === undefined) return;
  if (!Number.isSafeInteger(durationUs)) throw new TypeError('duration must be an integer (microseconds)');
  if (durationUs < 0) throw new RangeError('duration must not be negative');
}

/** From when a symbol leaves until its acknowledgement should be here. */
export function fateUs(path: PathView): Micros {
  return path.smoothedRttUs + 2 * path.rttVarianceUs + FEEDBACK_INTERVAL_US;
}

/** A media frame between `send` and its outcome. Counters are kept by the sender. */
export class SentFrame {
  readonly id: number;
  readonly sentAtUs: Micros;
  /** Resends and first transmissions leave before this. */
  readonly deadlineUs: Micros;
  readonly isKeyFrame: boolean;
  readonly isDiscardable: boolean;
  readonly timestampUs: number;
  readonly durationUs: number;
  readonly bytes: number;
  /** Ready source symbols; empty once settled. Shape [count]. */
  symbols: readonly Uint8Array[] = NO_SYMBOLS;
  count = 0;
  /** Symbol id of index 0; -1 before the first symbol is written. */
  first = -1;
  /** Symbols written at least once. */
  written = 0;
  unsentBytes: number;
  acked = 0;
  inFlight = 0;
  resendsInFlight = 0;
  /** What the receiver said it still needs: resends in flight stay below it. */
  missing: number = Number.POSITIVE_INFINITY;
  /** Some lost symbol is not queued for a resend, because of `missing` or of repair in flight. */
  isParked = false;
  /** Repair symbols of this media frame alone whose fate is unknown, and when that should be known. */
  repairsInFlight = 0;
  /** Repair symbols of this media frame alone that have arrived. */
  repairsArrived = 0;
  repairFateUs: Micros = 0;
  /** Among the frames that wait for the fate of their repair. */
  isHeld = false;
  /** A symbol arrived only by a resend. */
  neededResend = false;
  /** The receiver has it all, by whatever way. */
  isComplete = false;
  /** Retransmission rounds that fitted when it started, and what a miss costs in symbols. */
  rounds = 0;
  price = 0;
  /** Time that one of its packets takes at the pace of when it started, or on the narrowest link. */
  packetUs: Micros = 0;
  /** When the last repair for it must leave. */
  callAtUs: Micros = 0;
  /** When silence about it is looked at, and its symbols that were (silence.ts). */
  silentAtUs: Micros = 0;
  silentSymbols = 0;
  /** Repair symbols that each slot owes it, and the last slot whose repair it can use (protection.ts). */
  streamShare = 0;
  lastSlot = 0;
  /** Symbols lost since the losses were last read. */
  freshLost = 0;
  /** Generator rows used by blocks that begin with it, and repair symbols queued that cover it. */
  rowsUsed = 0;
  repairs = 0;
  /** Repair symbols per source symbol that its stream was planned with. */
  streamRatio = 0;
  /** For explain(): when its first and last symbol first left, -1 never; losses and resends, and when. */
  firstLeftAtUs: Micros = -1;
  lastLeftAtUs: Micros = -1;
  lossCount = 0;
  firstLossAtUs: Micros = -1;
  resendCount = 0;
  lastResendAtUs: Micros = -1;
  outcome: Outcome | undefined;
  settledAtUs: Micros = -1;
  /** When a complete frame settles as recovered if acknowledgements do not tell before. */
  decideAtUs: Micros = 0;
  isSettled = false;

  constructor(id: number, bytes: number, options: MediaFrameOptions, now: Micros, latencyUs: Micros) {
    this.id = id;
    this.bytes = bytes;
    this.unsentBytes = bytes;
    this.sentAtUs = now;
    this.deadlineUs = now + latencyUs;
    this.isKeyFrame = options.keyFrame === true;
    this.isDiscardable = options.discardable === true;
    this.timestampUs = options.timestampUs;
    this.durationUs = options.durationUs ?? -1;
  }

  /** Symbols lost and not sent again. */
  get lost(): number {
    return this.written - this.acked - this.inFlight;
  }

  /** A repair symbol of this media frame alone leaves. `spacingUs`: between full packets on the narrowest link. */
  onRepairLeft(path: PathView, spacingUs: Micros, now: Micros): void {
    this.repairsInFlight++;
    // A large media frame still queues before that link.
    const queueUs = Math.max(0, this.count * spacingUs - (now - this.firstLeftAtUs));
    this.repairFateUs = now + queueUs + fateUs(path);
  }

  /**
   * Symbols that left once, and whose acknowledgement is overdue: on a path that reorders they are not declared lost
   * yet, but more likely lost than not.
   */
  overdue(path: PathView, now: Micros): number {
    if (this.written < this.count || now < this.lastLeftAtUs + fateUs(path)) return 0;
    return this.inFlight - this.resendsInFlight;
  }

  /** When no acknowledgement can be expected any more. @param isCrowded Half of what the track may hold is held. */
  giveUpAtUs(path: PathView, isCrowded: boolean): Micros {
    const mostUs = isCrowded ? CROWDED_GRACE_US_MAX : PATH_GRACE_US_MAX;
    return this.deadlineUs + Math.min(path.smoothedRttUs + 4 * path.rttVarianceUs, mostUs) + ACK_SLACK_US;
  }

  /** Media bytes in symbol `index`. */
  dataBytes(index: number): number {
    const step = Math.ceil(this.bytes / this.count);
    return Math.min(step, this.bytes - Math.min(index * step, this.bytes));
  }
}

const NO_SYMBOLS: readonly Uint8Array[] = [];

/**
 * The largest source symbol such that a SYMBOL frame and a REPAIR frame of its block both fit in a packet with
 * `maxPayloadBytes` for frames. Neither needs a Length when it fills the packet.
 */
export function symbolBytesMax(trackId: number, maxPayloadBytes: number, frameBytes: number): number {
  // Only a frame of more than 63 interleaved blocks has a stride that takes two bytes.
  const largeStride = frameBytes > 63 * BLOCK_SOURCE_SYMBOLS_MAX * 512;
  return maxPayloadBytes - repairHeaderSize(trackId, largeStride ? 64 : 1, -1);
}

/** Cuts media frames into symbols. Scratch is reused; one of these serves all tracks. */
export class FrameLayout {
  readonly #header: SourceSymbolHeader = new SourceSymbolHeader();
  readonly #writer: Writer = new Writer();

  /**
   * Lays `data` out as ready source symbols of equal size: the one copy of the application's bytes.
   *
   * @param limitBytes From {@link symbolBytesMax}.
   */
  lay(frame: SentFrame, data: Uint8Array, limitBytes: number): void {
    const header = this.#header;
    header.sendTimeMs = Math.floor(frame.sentAtUs / 1000) % 65_536;
    header.frameLength = data.length;
    header.frameId = frame.id;
    header.timestampUs = frame.timestampUs;
    header.durationUs = frame.durationUs;
    header.flags =
      (frame.isKeyFrame ? SymbolFlag.KEY_FRAME : 0) | (frame.isDiscardable ? SymbolFlag.DISCARDABLE : 0);
    const count = this.#chooseCount(data.length, limitBytes);
    const symbols: Uint8Array[] = new Array(count);
    const buffer = new Uint8Array(this.#totalBytes(data.length, count));
    const writer = this.#writer.reset(buffer);
    for (let index = 0; index < count; index++) {
      const at = writer.at;
      header.index = index;
      header.write(writer);
      const offset = header.offset;
      writer.copy(data.subarray(offset, offset + header.dataBytes));
      symbols[index] = buffer.subarray(at, writer.at);
    }
    frame.symbols = symbols;
    frame.count = count;
  }

  /** Lays a frame out again from its own symbols: the packet became smaller before it was sent. */
  layAgain(frame: SentFrame, limitBytes: number): void {
    const data = new Uint8Array(frame.bytes);
    let at = 0;
    for (let index = 0; index < frame.count; index++) {
      const symbol = frame.symbols[index] as Uint8Array;
      const size = frame.dataBytes(index);
      data.set(symbol.subarray(symbol.length - size), at);
      at += size;
    }
    this.lay(frame, data, limitBytes);
  }

  /** The fewest symbols such that index 0, with its extra fields, fits; the other headers are never longer. */
  #chooseCount(length: number, limitBytes: number): number {
    const header = this.#header;
    header.index = 0;
    let count = 1;
    for (;;) {
      header.count = count;
      const room = limitBytes - header.size;
      if (room < 1) throw new RangeError(`a packet with room for ${limitBytes} bytes carries no media`);
      const needed = Math.max(1, Math.ceil(length / room));
      if (needed <= count) break;
      count = needed;
    }
    // S = ceil(F / Count) may make the last symbols empty: as few as carry anything.
    const normal = length === 0 ? 1 : Math.ceil(length / Math.ceil(length / count));
    if (normal > SYMBOLS_PER_FRAME_MAX) throw new RangeError('a media frame does not fit this datagram size');
    header.count = normal;
    return normal;
  }

  #totalBytes(length: number, count: number): number {
    const header = this.#header;
    header.index = 0;
    const first = header.size;
    const fixed = 2 + varintSize(length) + varintSize(count);
    // Index 1..63 takes one byte, up to 16,383 two, above four.
    const others = count - 1 + Math.max(0, count - 64) + 2 * Math.max(0, count - 16_384);
    return length + first + fixed * (count - 1) + others;
  }
}
