/**
 * What a receiver has to say in TRACK_ACK: ranges of complete media frames above a floor, and what the incomplete ones
 * still need. Ranges repeat until an acknowledgement of the TRACK_ACK itself shows that the sender knows them, so a
 * lossy reverse path delays nothing. Source: docs/wire-format.md §3.6; ACK-of-ACK pruning as RFC 9000 §13.2.4.
 */
import type { Writer } from '../base/bytes.ts';
import { Ranges } from '../base/ranges.ts';
import { TRACK_ACK_RANGES_MAX, writeTrackAck } from '../wire/ack.ts';
import type { DeliveryOrder } from './order.ts';

/** Disjoint ranges kept: above it the lowest is closed, whatever was missing before it. */
const COMPLETE_RANGES_MAX = 256;
/** Frames looked at for incomplete ones, from the newest. */
const REPORT_SCAN_MAX = 128;

/** See the file header. */
export class AckState {
  readonly #complete: Ranges = new Ranges();
  readonly #firsts: Float64Array = new Float64Array(TRACK_ACK_RANGES_MAX);
  readonly #missing: Float64Array = new Float64Array(TRACK_ACK_RANGES_MAX);
  /** Everything reported below this is known to the sender. */
  #knownBelow = 0;
  /** Nothing is said, and nothing is taken, below this symbol id. */
  floor = 0;
  /** Something changed since the last TRACK_ACK, or that one was lost. */
  isWanted = false;

  /** True if the symbol belongs to a media frame that was complete before. */
  isDone(symbolId: number): boolean {
    return symbolId < this.floor || this.#complete.has(symbolId);
  }

  /** The sender knows every complete frame, and nothing waits to be said. */
  get isSettled(): boolean {
    return !this.isWanted && this.#knownBelow >= this.#top;
  }

  /** One past the highest complete symbol. */
  get #top(): number {
    const { count } = this.#complete;
    return count === 0 ? this.floor : this.#complete.end(count - 1);
  }

  onChange(): void {
    this.isWanted = true;
  }

  /**
   * @param isNews FEC had a part in it: acknowledged packets alone do not tell the sender.
   * @returns The symbol id below which everything must be passed now; 0: nothing.
   */
  onComplete(first: number, count: number, isNews: boolean): number {
    if (isNews) this.isWanted = true;
    this.#complete.add(first, first + count);
    if (this.#complete.count <= COMPLETE_RANGES_MAX) return 0;
    this.floor = this.#complete.end(0);
    this.#complete.removeBelow(this.floor);
    return this.floor;
  }

  /** The floor follows what the sender knows, up to the lowest symbol that can still become part of a frame. */
  raiseFloor(lowestOpen: number): void {
    const floor = Math.min(this.#knownBelow, lowestOpen);
    if (floor <= this.floor) return;
    this.floor = floor;
    this.#complete.removeBelow(floor);
  }

  /**
   * Writes one TRACK_ACK.
   *
   * @returns The token that tells its news: give it back to `onAcked`; -1 if it does not fit.
   */
  write(writer: Writer, trackId: number, order: DeliveryOrder): number {
    this.raiseFloor(order.lowestOpen);
    let at = TRACK_ACK_RANGES_MAX;
    const last = order.frameCount - 1;
    for (let i = last; i >= 0 && i > last - REPORT_SCAN_MAX && at > 0; i--) {
      const frame = order.frameAt(i);
      if (frame === undefined || frame.isComplete || frame.isAbandoned || frame.first < this.floor) continue;
      at--;
      this.#firsts[at] = frame.first;
      this.#missing[at] = frame.missing;
    }
    const count = TRACK_ACK_RANGES_MAX - at;
    this.#firsts.copyWithin(0, at);
    this.#missing.copyWithin(0, at);
    if (!writeTrackAck(writer, trackId, this.floor, this.#complete, count, this.#firsts, this.#missing))
      return -1;
    this.isWanted = false;
    return this.#top;
  }

  onAcked(token: number): void {
    this.#knownBelow = Math.max(this.#knownBelow, token);
  }

  onLost(): void {
    this.isWanted = true;
  }
}
