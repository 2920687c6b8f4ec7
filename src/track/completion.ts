/**
 * What TRACK_ACK frames say of media frames in flight: which are complete at the receiver (never to be resent) and how
 * many symbols the others still need. Ranges repeat in every TRACK_ACK; each frame is looked at once.
 * Source: docs/wire-format.md §3.6 (TRACK_ACK); DESIGN D4.
 */
import { type Micros, NEVER } from '../base/protocol.ts';
import { Ranges } from '../base/ranges.ts';
import type { TrackAckFrame } from '../wire/ack.ts';
import { Deque } from './deque.ts';
import type { SentFrame } from './sent-frame.ts';
import type { SymbolWindow } from './symbol-window.ts';

/** Disjoint ranges remembered as complete: losing the lowest costs a second look, nothing else. */
const KNOWN_RANGES_MAX = 256;

/** See the file header. */
export class CompletionTracker {
  readonly #window: SymbolWindow;
  readonly #known: Ranges = new Ranges();
  /** Complete, every symbol's fate known: recovered. */
  readonly #decided: Deque<SentFrame> = new Deque<SentFrame>();
  /** Complete, but an acknowledgement on its way may still tell that every symbol arrived by itself. */
  readonly #undecided: Deque<SentFrame> = new Deque<SentFrame>();
  /** The last TRACK_ACK asked for more resends than are on their way. */
  hasUnparked = false;

  constructor(window: SymbolWindow) {
    this.#window = window;
  }

  /** False if it names symbols that were never sent. Afterwards drain {@link takeDecided}. */
  read(ack: TrackAckFrame, decideAtUs: Micros): boolean {
    const window = this.#window;
    this.hasUnparked = false;
    for (let i = 0; i < ack.rangeCount; i++) {
      const end = ack.ends[i] as number;
      if (end > window.next) return false;
      this.#addRange(Math.max(ack.starts[i] as number, window.base), end, decideAtUs);
    }
    this.#known.keepHighest(KNOWN_RANGES_MAX);
    for (let i = 0; i < ack.incompleteCount; i++) {
      const frame = window.owner(ack.firsts[i] as number);
      if (frame === undefined || frame.first !== ack.firsts[i]) continue;
      frame.missing = ack.missing[i] as number;
      if (!frame.isParked || frame.resendsInFlight >= frame.missing) continue;
      window.queueParked(frame);
      this.hasUnparked = true;
    }
    return true;
  }

  takeDecided(): SentFrame | undefined {
    return this.#decided.shift();
  }

  /** The frame to settle as recovered at {@link decideAtUs}. */
  get undecided(): SentFrame | undefined {
    return this.#undecided.at(0);
  }

  get decideAtUs(): Micros {
    return this.#undecided.at(0)?.decideAtUs ?? NEVER;
  }

  /** Call when a frame has settled. */
  trim(): void {
    while (this.#undecided.at(0)?.isSettled === true) this.#undecided.shift();
    this.#known.removeBelow(this.#window.base);
  }

  #addRange(start: number, end: number, decideAtUs: Micros): void {
    const known = this.#known;
    let at = start;
    for (let i = 0; i < known.count && at < end; i++) {
      if (known.end(i) <= at) continue;
      if (known.start(i) > at) this.#complete(at, Math.min(end, known.start(i)), decideAtUs);
      at = Math.max(at, known.end(i));
    }
    this.#complete(at, end, decideAtUs);
    known.add(start, end);
  }

  /** Marks the frames that lie in [start, end), which no TRACK_ACK has named before. */
  #complete(start: number, end: number, decideAtUs: Micros): void {
    let at = start;
    while (at < end) {
      const frame = this.#window.anyOwner(at);
      if (frame === undefined) return;
      at = frame.first + frame.count;
      const isWhole = frame.first >= start && at <= end && frame.written === frame.count;
      if (!isWhole || frame.isSettled || frame.isComplete) continue;
      frame.isComplete = true;
      frame.decideAtUs = decideAtUs;
      if (frame.inFlight === 0) this.#decided.push(frame);
      else this.#undecided.push(frame);
    }
  }
}
