/**
 * Puts pieces of a stream in order without copying them: one run of pieces from the read offset on, and runs beyond
 * gaps. In: views of datagrams at offsets. Out: contiguous pieces. In order costs O(1); a piece beyond a gap
 * O(log gaps), or O(gaps) when it opens a new one. Source: RFC 9000 §2.2; the gap limit is that of quic-go.
 */
import { SlackBudget, slackOf } from '../base/slack.ts';

/** Gaps in one stream. A frame that would open another one is refused (DESIGN §6). */
export const STREAM_GAPS_MAX = 1000;
/** Gaps in all streams of a connection: about 6 MiB of bookkeeping. */
export const CONNECTION_GAPS_MAX = 16_384;
/** Pieces may number this many and one per so many bytes; then small ones are merged. */
const PIECES_FREE = 64;
const PIECE_BYTES_MEAN_MIN = 256;
/** Spare list nodes kept for reuse. */
const SPARE_NODES_MAX = 4096;

/** Pieces in order: a singly linked list, so that joining two runs costs nothing. */
interface Piece {
  bytes: Uint8Array;
  next: Piece | undefined;
}

/** Contiguous bytes [start, end) of the stream. */
interface Run {
  start: number;
  end: number;
  head: Piece | undefined;
  tail: Piece | undefined;
}

const EMPTY: Uint8Array = new Uint8Array(0);

/** What all streams of a connection hold together, and their spare list nodes. */
export class ReassemblyBudget {
  gaps = 0;
  readonly #slack: SlackBudget = new SlackBudget();
  readonly #spare: Piece[] = [];

  /** Bytes of memory kept alive by held views, beyond those of their streams. */
  get slackBytes(): number {
    return this.#slack.bytes;
  }

  /** A node for `bytes`, which is kept as it is or copied if it pins much more memory than it is long. */
  hold(bytes: Uint8Array): Piece {
    const held = this.#slack.keep(bytes);
    const piece = this.#spare.pop();
    if (piece === undefined) return { bytes: held, next: undefined };
    piece.bytes = held;
    return piece;
  }

  /** Ends a node's life and returns its bytes. */
  release(piece: Piece): Uint8Array {
    const bytes = piece.bytes;
    this.#slack.release(slackOf(bytes));
    piece.bytes = EMPTY;
    piece.next = undefined;
    if (this.#spare.length < SPARE_NODES_MAX) this.#spare.push(piece);
    return bytes;
  }
}

/** The received and unread bytes of one stream. */
export class Reassembly {
  readonly #budget: ReassemblyBudget;
  /** From the read offset on. */
  readonly #front: Run = { start: 0, end: 0, head: undefined, tail: undefined };
  /** Beyond gaps; ascending, disjoint, not adjacent. */
  readonly #runs: Run[] = [];
  #pieces = 0;
  /** Received and unread, beyond gaps included. */
  #bufferedBytes = 0;

  constructor(budget: ReassemblyBudget) {
    this.#budget = budget;
  }

  /** The next byte to read. */
  get readOffset(): number {
    return this.#front.start;
  }

  /** End of what can be read without waiting. */
  get contiguousEnd(): number {
    return this.#front.end;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get gapCount(): number {
    return this.#runs.length;
  }

  /** False when these bytes would open one gap too many: refuse them as if their packet had never come. */
  canInsert(offset: number, end: number): boolean {
    if (offset <= this.#front.end || offset === end) return true;
    if (this.#runs.length < STREAM_GAPS_MAX && this.#budget.gaps < CONNECTION_GAPS_MAX) return true;
    const next = this.#runs[this.#findRun(offset)];
    return next !== undefined && next.start <= end;
  }

  /** Takes bytes (a view is kept). Returns how many were new. Check `canInsert` first. */
  insert(offset: number, bytes: Uint8Array): number {
    const before = this.#bufferedBytes;
    if (offset <= this.#front.end) {
      if (this.#runs.length === 0 && offset === this.#front.end) this.#append(this.#front, bytes);
      else this.#extend(this.#front, 0, offset, bytes);
    } else if (bytes.length > 0) {
      this.#insertBeyondGap(offset, bytes);
    }
    const added = this.#bufferedBytes - before;
    if (this.#pieces > PIECES_FREE && this.#isCrumbled()) this.#merge();
    return added;
  }

  #insertBeyondGap(offset: number, bytes: Uint8Array): void {
    const index = this.#findRun(offset);
    const end = offset + bytes.length;
    let run = this.#runs[index];
    if (run === undefined || run.start > end) {
      run = { start: offset, end: offset, head: undefined, tail: undefined };
      this.#runs.splice(index, 0, run);
      this.#budget.gaps++;
    } else if (offset < run.start) {
      this.#prepend(run, bytes.subarray(0, run.start - offset));
    }
    this.#extend(run, index + 1, offset, bytes);
  }

  /** Index of the first run that ends at or after `offset`. */
  #findRun(offset: number): number {
    const runs = this.#runs;
    let low = 0;
    let high = runs.length;
    // Most pieces beyond a gap belong to the last run.
    if (high > 0 && (runs[high - 1] as Run).start <= offset) low = high - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((runs[middle] as Run).end < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds what lies beyond `run.end`, taking in the runs that it reaches, the first of which is at `nextIndex`. */
  #extend(run: Run, nextIndex: number, offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    while (end > run.end) {
      const next = this.#runs[nextIndex];
      const stop = next !== undefined && next.start < end ? next.start : end;
      this.#append(run, bytes.subarray(run.end - offset, stop - offset));
      if (next !== undefined && next.start === run.end) this.#join(run, next, nextIndex);
    }
  }

  #join(run: Run, next: Run, nextIndex: number): void {
    (run.tail as Piece).next = next.head;
    run.tail = next.tail;
    run.end = next.end;
    this.#runs.splice(nextIndex, 1);
    this.#budget.gaps--;
  }

  #append(run: Run, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const piece = this.#budget.hold(bytes);
    if (run.head === undefined) run.head = piece;
    else (run.tail as Piece).next = piece;
    run.tail = piece;
    run.end += bytes.length;
    this.#pieces++;
    this.#bufferedBytes += bytes.length;
  }

  #prepend(run: Run, bytes: Uint8Array): void {
    const piece = this.#budget.hold(bytes);
    piece.next = run.head;
    run.head = piece;
    run.start -= bytes.length;
    this.#pieces++;
    this.#bufferedBytes += bytes.length;
  }

  /** The next piece in order, or undefined. The caller owns the view. */
  take(): Uint8Array | undefined {
    const front = this.#front;
    const piece = front.head;
    if (piece === undefined) return undefined;
    front.head = piece.next;
    if (front.head === undefined) front.tail = undefined;
    const bytes = this.#budget.release(piece);
    front.start += bytes.length;
    this.#pieces--;
    this.#bufferedBytes -= bytes.length;
    return bytes;
  }

  /** Drops everything held. */
  clear(): void {
    this.#drop(this.#front);
    this.#front.end = this.#front.start;
    for (const run of this.#runs) this.#drop(run);
    this.#budget.gaps -= this.#runs.length;
    this.#runs.length = 0;
    this.#bufferedBytes = 0;
  }

  #drop(run: Run): void {
    let piece = run.head;
    while (piece !== undefined) {
      const next = piece.next;
      this.#budget.release(piece);
      this.#pieces--;
      piece = next;
    }
    run.head = undefined;
    run.tail = undefined;
  }

  /** True when a peer's tiny frames make the bookkeeping outweigh the bytes. Cannot be true right after a merge. */
  #isCrumbled(): boolean {
    return this.#pieces > PIECES_FREE + 2 * this.#runs.length + this.#bufferedBytes / PIECE_BYTES_MEAN_MIN;
  }

  /** Copies each run into one piece. Amortised: at most 256 bytes per piece inserted. */
  #merge(): void {
    this.#mergeRun(this.#front, this.#front.end - this.#front.start);
    for (const run of this.#runs) this.#mergeRun(run, run.end - run.start);
  }

  #mergeRun(run: Run, sizeBytes: number): void {
    const head = run.head;
    if (head === undefined || head.next === undefined) return;
    const joined = new Uint8Array(sizeBytes);
    let at = 0;
    for (let piece: Piece | undefined = head; piece !== undefined; piece = piece.next) {
      joined.set(piece.bytes, at);
      at += piece.bytes.length;
    }
    this.#drop(run);
    const piece = this.#budget.hold(joined);
    run.head = piece;
    run.tail = piece;
    this.#pieces++;
  }
}
