/**
 * How many streams of one kind each end may open. In: openings, endings, MAX_STREAMS. Out: the limit to announce.
 * Limits are cumulative. Source: RFC 9000 §4.6; docs/wire-format.md §3.3 for streams that carry tracks.
 */

/** Streams of one kind that a peer may have open at once (DESIGN §6). */
export const STREAMS_MAX = 1024;
/**
 * Streams with tracks that may exist at once. They end for the limit when everything has arrived, for nothing tells
 * the peer when it was read; so ended ones may wait to be read beside those that are open.
 */
export const TRACK_STREAMS_HELD_MAX: number = 2 * STREAMS_MAX;
/** A new limit is announced when it rose by this part of the window. */
const ANNOUNCE_PART = 4;

export class StreamCounts {
  /** Streams that we opened so far. */
  opened = 0;
  /** What the peer lets us open. */
  openLimit = 0;
  /** True after an `open` was refused, until the limit rises. */
  isOpenBlocked = false;
  /** Streams that the peer opened so far. */
  accepted = 0;
  /** Of those, how many have ended: each makes room for another one. */
  ended = 0;
  /** Of those, how many the table holds no more. */
  forgotten = 0;
  /** What we let the peer open. */
  acceptLimit: number;
  readonly #window: number;

  /** @param window Streams that the peer may have open at once, 0..1024. */
  constructor(window: number) {
    if (!Number.isInteger(window) || window < 0 || window > STREAMS_MAX) {
      throw new RangeError(`a stream limit is an integer from 0 to ${STREAMS_MAX}, not ${window}`);
    }
    this.#window = window;
    this.acceptLimit = window;
  }

  /** Returns true if our limit rose. */
  raiseOpenLimit(limit: number): boolean {
    if (limit <= this.openLimit) return false;
    this.openLimit = limit;
    return true;
  }

  /** True when a higher limit could be announced. */
  get canRise(): boolean {
    return this.ended + this.#window > this.acceptLimit;
  }

  /** True when a higher limit is worth a frame. */
  get isUpdateDue(): boolean {
    return (this.ended + this.#window - this.acceptLimit) * ANNOUNCE_PART >= this.#window && this.canRise;
  }

  /** Moves the peer's limit up and returns it. */
  advance(): number {
    this.acceptLimit = this.ended + this.#window;
    return this.acceptLimit;
  }
}
