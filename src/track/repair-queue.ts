/**
 * Repair symbols of one track: blocks decided on, encoded when their turn comes, and what became of each.
 * In: which media frames a block covers and how many rows of it. Out: one REPAIR frame at a time; counts of rows at hand.
 * Source: docs/wire-format.md §3.6 (REPAIR); DESIGN D6.
 */
import type { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { BLOCK_SPAN_MAX, repairHeaderSize, writeRepairHeader } from '../wire/symbol.ts';
import { Deque } from './deque.ts';
import { BLOCK_SOURCE_SYMBOLS_MAX, REPAIR_QUEUE_MAX, REPAIRS_KEPT_MAX } from './limits.ts';
import type { SentFrame } from './sent-frame.ts';
import type { SymbolWindow } from './symbol-window.ts';
import type { RepairMaker } from './types.ts';

/** Points of the code: K + Row <= 254. */
const ROWS_MAX = 254;
/** Rows from the start of one block to that of the next; without a common factor with any number of rows. */
const ROW_STEP = 37;

/** Fate of a repair symbol that was sent. */
const RowState = { UNKNOWN: 0, ARRIVED: 1, LOST: 2 } as const;

interface RepairJob {
  readonly oldest: SentFrame;
  readonly newest: SentFrame;
  readonly first: number;
  readonly stride: number;
  readonly k: number;
  readonly firstRow: number;
  readonly rowCount: number;
  /** Of no use from then on. */
  readonly deadlineUs: Micros;
  rows: Uint8Array[];
  sent: number;
}

/** One repair symbol that was sent. */
interface SentRow {
  /** Symbol ids that it covers lie in [first, end). */
  readonly first: number;
  readonly end: number;
  /** The media frame, if it covers just that one. */
  readonly frame: SentFrame | undefined;
  state: number;
}

/** Interleaved blocks that a media frame of `count` symbols is split into. */
export function blockCount(count: number): number {
  return Math.ceil(count / BLOCK_SOURCE_SYMBOLS_MAX);
}

/** See the file header. */
export class RepairQueue {
  readonly #jobs: Deque<RepairJob> = new Deque<RepairJob>();
  readonly #sent: Deque<SentRow> = new Deque<SentRow>();
  readonly #trackId: number;
  readonly #maker: RepairMaker;
  readonly #window: SymbolWindow;
  #turn = 0;
  /** Serial number of the oldest row remembered. */
  #serial = 0;
  /** Rows over the range asked about last (see {@link count}). */
  arrived = 0;
  unknown = 0;
  lowest = 0;
  /** Of the REPAIR frame written last: its serial number, and the media frame if it covers just that one. */
  lastSerial = 0;
  lastFrame: SentFrame | undefined;

  constructor(trackId: number, maker: RepairMaker, window: SymbolWindow) {
    this.#trackId = trackId;
    this.#maker = maker;
    this.#window = window;
  }

  /**
   * Queues repair symbols for one media frame: about `rowCount` in all, as many for each of its interleaved blocks. None
   * for a frame whose blocks span more than a receiver remembers: it would refuse them.
   */
  protect(frame: SentFrame, rowCount: number, deadlineUs: Micros): void {
    if (frame.count > BLOCK_SPAN_MAX) return;
    const stride = blockCount(frame.count);
    const each = Math.ceil(rowCount / stride);
    const row = frame.rowsUsed;
    frame.rowsUsed += each;
    for (let block = 0; block < stride; block++) {
      const k = Math.floor((frame.count - 1 - block) / stride) + 1;
      this.#push(frame, frame, frame.first + block, stride, k, row, each, deadlineUs);
    }
  }

  /** Queues `rowCount` repair symbols of the block from the first symbol of `oldest` to the last of `newest`. */
  cover(oldest: SentFrame, newest: SentFrame, rowCount: number, deadlineUs: Micros): void {
    if (oldest === newest && blockCount(oldest.count) > 1) {
      this.protect(newest, rowCount, deadlineUs);
      return;
    }
    const k = newest.first + newest.count - oldest.first;
    const row = this.#nextRow(oldest, k, rowCount);
    this.#push(oldest, newest, oldest.first, 1, k, row, rowCount, deadlineUs);
  }

  /**
   * Blocks of equal length that are shifted against each other have much the same coefficients in the same row, and
   * with small blocks dependent equations are frequent: each block begins with another row.
   */
  #nextRow(oldest: SentFrame, k: number, rowCount: number): number {
    const free = ROWS_MAX + 1 - k - rowCount - oldest.rowsUsed;
    const row = oldest.rowsUsed + (free > 0 ? this.#turn % free : 0);
    this.#turn = (this.#turn + ROW_STEP) % ROWS_MAX;
    oldest.rowsUsed = row + rowCount;
    return row;
  }

  #push(
    oldest: SentFrame,
    newest: SentFrame,
    first: number,
    stride: number,
    k: number,
    firstRow: number,
    wanted: number,
    deadlineUs: Micros,
  ): void {
    const rowCount = Math.min(wanted, ROWS_MAX + 1 - k - firstRow);
    if (rowCount <= 0 || this.#jobs.length >= REPAIR_QUEUE_MAX) return;
    const job = { oldest, newest, first, stride, k, firstRow, rowCount, deadlineUs, rows: [], sent: 0 };
    this.#jobs.push(job);
    for (let frame: SentFrame | undefined = newest; frame !== undefined && frame.first >= oldest.first; ) {
      frame.repairs += rowCount;
      frame = this.#window.anyOwner(frame.first - 1);
    }
  }

  /** True when a repair symbol waits that may still help. Forgets those that cannot. */
  hasRepair(now: Micros): boolean {
    for (let job = this.#jobs.at(0); job !== undefined; job = this.#jobs.at(0)) {
      const isNeeded = now < job.deadlineUs && !(job.newest.isComplete && this.#isCompleteRange(job));
      if (job.sent < job.rowCount && isNeeded) return true;
      this.#jobs.shift();
    }
    return false;
  }

  #isCompleteRange(job: RepairJob): boolean {
    for (let id = job.oldest.first; id < job.newest.first; ) {
      const frame = this.#window.anyOwner(id);
      if (frame === undefined) return true;
      if (!frame.isComplete) return false;
      id = frame.first + frame.count;
    }
    return true;
  }

  /** Writes one REPAIR frame. Call after {@link hasRepair}. Returns bytes written; 0: it does not fit. */
  write(writer: Writer, maxPayloadBytes: number): number {
    const job = this.#jobs.at(0) as RepairJob;
    if (job.rows.length === 0 && !this.#encode(job)) {
      job.sent = job.rowCount;
      return 0;
    }
    const bytes = job.rows[job.sent] as Uint8Array;
    const size = repairHeaderSize(this.#trackId, job.stride, -1) + bytes.length;
    if (size > writer.room) {
      // The packet became smaller since: repair cannot be split.
      if (size > maxPayloadBytes) job.sent = job.rowCount;
      return 0;
    }
    const start = writer.at;
    const row = job.firstRow + job.sent++;
    writeRepairHeader(writer, this.#trackId, job.first, job.stride, job.k, row, -1);
    writer.copy(bytes);
    // Nothing shares its packet: a lost one must not take a symbol along with the repair for it.
    writer.end = writer.at;
    this.#note(job);
    return writer.at - start;
  }

  #note(job: RepairJob): void {
    const isSingle = job.k === job.newest.count && job.first === job.newest.first;
    this.lastFrame = isSingle ? job.newest : undefined;
    for (let row = this.#sent.at(0); row !== undefined; row = this.#sent.at(0)) {
      if (row.end > this.#window.base && this.#sent.length < REPAIRS_KEPT_MAX) break;
      this.#sent.shift();
      this.#serial++;
    }
    this.lastSerial = this.#serial + this.#sent.length;
    const end = job.first + (job.k - 1) * job.stride + 1;
    this.#sent.push({ first: job.first, end, frame: this.lastFrame, state: RowState.UNKNOWN });
  }

  /** What became of a repair symbol. @returns The media frame, if it covered just that one and this is news. */
  onFate(serial: number, hasArrived: boolean): SentFrame | undefined {
    const row = this.#sent.at(serial - this.#serial);
    if (row === undefined) return undefined;
    const isNews = row.state === RowState.UNKNOWN;
    row.state = hasArrived ? RowState.ARRIVED : RowState.LOST;
    if (isNews && hasArrived && row.frame !== undefined) row.frame.repairsArrived++;
    return isNews ? row.frame : undefined;
  }

  /**
   * Counts the repair symbols over several media frames that reach into [first, end) and not beyond. Result: `arrived`,
   * `unknown`, and the lowest symbol id that they cover, at most `first`, in `lowest`.
   */
  count(first: number, end: number): void {
    this.arrived = 0;
    this.unknown = 0;
    this.lowest = first;
    for (let i = this.#sent.length - 1; i >= 0; i--) {
      const row = this.#sent.at(i) as SentRow;
      if (row.frame !== undefined || row.end <= first || row.end > end) continue;
      if (row.state === RowState.ARRIVED) this.arrived++;
      else if (row.state === RowState.UNKNOWN) this.unknown++;
      else continue;
      this.lowest = Math.min(this.lowest, row.first);
    }
  }

  clear(): void {
    while (this.#jobs.shift() !== undefined);
  }

  /** False if a media frame that the block covers is gone, and its bytes with it. */
  #encode(job: RepairJob): boolean {
    const symbols: Uint8Array[] = [];
    for (let i = 0; i < job.k; i++) {
      const id = job.first + i * job.stride;
      const owner = this.#window.anyOwner(id);
      const symbol = owner?.symbols[id - owner.first];
      if (symbol === undefined) return false;
      symbols.push(symbol);
    }
    for (const row of this.#maker.encode(symbols, job.firstRow, job.rowCount)) job.rows.push(row.slice());
    return true;
  }
}
