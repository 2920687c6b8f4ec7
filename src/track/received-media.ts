/**
 * One media frame on its way in: the pieces at hand, as views of the packets they came in, until it is complete. Then its
 * bytes are memory of its own, which the application may write into and give away: the packet is the FEC decoder's too.
 * Nothing is allocated in proportion to a number the peer claims. Source: docs/wire-format.md §3.6.
 */
import { copyBytes } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { slackOf } from '../base/slack.ts';
import type { SourceSymbolHeader } from '../wire/symbol.ts';
import type { HeldShare } from './held.ts';
import { PIECE_HELD_BYTES, PIECES_HELD_BYTES } from './limits.ts';

/** See the file header. */
export class ReceivedMedia {
  /** Symbol id of index 0. */
  readonly first: number;
  readonly count: number;
  readonly frameLength: number;
  readonly sendTimeMs: number;
  /** On the sender's clock. */
  sentAtUs: Micros;
  readonly #held: HeldShare;
  #heldBytes = 0;
  #slackBytes = 0;
  #pieces: (Uint8Array | undefined)[] = [];
  have = 0;
  /** When the newest symbol came, or repair that may make up for one. */
  lastAtUs: Micros = 0;
  /** The four below are known once index 0 is at hand. */
  hasHead = false;
  flags = 0;
  frameId = -1;
  timestampUs = 0;
  durationUs = -1;
  /** Timed delivery: when it is played out. */
  dueUs: Micros = 0;
  /** A symbol was rebuilt by FEC. */
  wasRebuilt = false;
  /** A symbol arrived only by a resend. */
  wasResent = false;
  /** Repair symbols at hand that cover exactly this media frame. */
  repairs = 0;
  isComplete = false;
  completedAtUs: Micros = 0;
  data: Uint8Array = EMPTY;
  /** The sender gave it up. */
  isAbandoned = false;
  /** Order went past it: if it completes yet, it is late. */
  isPassed = false;
  isDelivered = false;

  constructor(first: number, header: SourceSymbolHeader, sentAtUs: Micros, held: HeldShare) {
    this.first = first;
    this.#held = held;
    this.count = header.count;
    this.frameLength = header.frameLength;
    this.sendTimeMs = header.sendTimeMs;
    this.sentAtUs = sentAtUs;
  }

  get end(): number {
    return this.first + this.count;
  }

  /** Symbols still needed, those that repair at hand will rebuild not counted; at least 1 before it is complete. */
  get missing(): number {
    return this.isComplete ? 0 : Math.max(1, this.count - this.have - this.repairs);
  }

  /** True when the header belongs to this media frame. */
  matches(header: SourceSymbolHeader): boolean {
    return (
      header.count === this.count &&
      header.frameLength === this.frameLength &&
      header.sendTimeMs === this.sendTimeMs
    );
  }

  has(index: number): boolean {
    return this.#pieces[index] !== undefined;
  }

  /** Takes a symbol that is not at hand yet. */
  add(header: SourceSymbolHeader, symbol: Uint8Array): void {
    const size = header.dataBytes;
    this.#pieces[header.index] =
      this.count === 1
        ? copyBytes(symbol, header.dataAt, header.dataAt + size)
        : this.#keep(symbol.subarray(header.dataAt, header.dataAt + size));
    this.#charge(size + PIECE_HELD_BYTES + (this.have === 0 && this.count > 1 ? PIECES_HELD_BYTES : 0));
    this.have++;
    if (header.index !== 0) return;
    this.hasHead = true;
    this.flags = header.flags;
    this.frameId = header.frameId;
    this.timestampUs = header.timestampUs;
    this.durationUs = header.durationUs;
  }

  #keep(view: Uint8Array): Uint8Array {
    const piece = this.#held.keep(view);
    if (piece === view) this.#slackBytes += slackOf(view);
    return piece;
  }

  /** All symbols are at hand: puts them together. That of a media frame of one symbol has been copied already. */
  complete(now: Micros): void {
    this.isComplete = true;
    this.completedAtUs = now;
    if (this.count === 1) {
      this.data = this.#pieces[0] as Uint8Array;
    } else {
      this.data = new Uint8Array(this.frameLength);
      let at = 0;
      for (const piece of this.#pieces) {
        this.data.set(piece as Uint8Array, at);
        at += (piece as Uint8Array).length;
      }
      this.#charge(this.frameLength + PIECE_HELD_BYTES - this.#heldBytes);
      this.#releaseSlack();
    }
    this.#pieces = NO_PIECES;
  }

  /** Lets go of the bytes. More than once does no harm. */
  release(): void {
    this.data = EMPTY;
    this.#pieces = NO_PIECES;
    this.#charge(-this.#heldBytes);
    this.#releaseSlack();
  }

  #charge(bytes: number): void {
    this.#heldBytes += bytes;
    this.#held.charge(bytes);
  }

  #releaseSlack(): void {
    this.#held.release(this.#slackBytes);
    this.#slackBytes = 0;
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);
const NO_PIECES: (Uint8Array | undefined)[] = [];
