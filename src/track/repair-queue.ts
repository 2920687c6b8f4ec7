/**
 * Repair symbols of one track that wait for a packet: blocks decided on, encoded when their turn comes.
 * In: a media frame whose last symbol has left and a number per block. Out: one REPAIR frame at a time.
 * Source: docs/wire-format.md §3.6 (REPAIR); DESIGN D6.
 */
import type { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { repairHeaderSize, writeRepairHeader } from '../wire/symbol.ts';
import { Deque } from './deque.ts';
import { BLOCK_SOURCE_SYMBOLS_MAX, REPAIR_QUEUE_MAX } from './limits.ts';
import type { SentFrame } from './sent-frame.ts';
import type { SymbolWindow } from './symbol-window.ts';
import type { RepairMaker } from './types.ts';

/** Points of the code: K + Row <= 254. */
const ROWS_MAX = 254;
/** What is left in a packet is no use to another frame below this: then Length is omitted and the packet is full. */
export const USEFUL_ROOM_BYTES = 64;

interface RepairJob {
  /** The newest media frame that the block covers. */
  readonly frame: SentFrame;
  readonly oldest: SentFrame;
  readonly first: number;
  readonly stride: number;
  readonly k: number;
  readonly rowCount: number;
  rows: Uint8Array[];
  nextRow: number;
}

/** Blocks that a media frame of `count` symbols is split into. */
export function blockCount(count: number): number {
  return Math.ceil(count / BLOCK_SOURCE_SYMBOLS_MAX);
}

/** See the file header. */
export class RepairQueue {
  readonly #jobs: Deque<RepairJob> = new Deque<RepairJob>();
  readonly #trackId: number;
  readonly #maker: RepairMaker;
  readonly #window: SymbolWindow;
  /** Of the REPAIR frame written last: its row, its first symbol, and the media frame if it covers just that one. */
  lastRow = 0;
  lastFirst = 0;
  lastFrame: SentFrame | undefined;

  constructor(trackId: number, maker: RepairMaker, window: SymbolWindow) {
    this.#trackId = trackId;
    this.#maker = maker;
    this.#window = window;
  }

  /** Queues `rowCount` repair symbols for each of the frame's interleaved blocks. */
  protect(frame: SentFrame, rowCount: number): void {
    const stride = blockCount(frame.count);
    for (let block = 0; block < stride; block++) {
      const k = Math.floor((frame.count - 1 - block) / stride) + 1;
      this.#push(frame, frame, frame.first + block, stride, k, rowCount);
    }
  }

  /**
   * Queues one block over this frame and the ones right before it: at most `frames` of them, as long as they are
   * live and the block stays small enough.
   */
  protectSeveral(frame: SentFrame, frames: number, rowCount: number): void {
    let oldest = frame;
    for (let taken = 1; taken < frames; taken++) {
      const before = this.#window.owner(oldest.first - 1);
      if (before === undefined || before.written < before.count) break;
      if (frame.first + frame.count - before.first > BLOCK_SOURCE_SYMBOLS_MAX) break;
      oldest = before;
    }
    this.#push(frame, oldest, oldest.first, 1, frame.first + frame.count - oldest.first, rowCount);
  }

  #push(frame: SentFrame, oldest: SentFrame, first: number, stride: number, k: number, wanted: number): void {
    const rowCount = Math.min(wanted, ROWS_MAX + 1 - k);
    if (rowCount <= 0 || this.#jobs.length >= REPAIR_QUEUE_MAX) return;
    this.#jobs.push({ frame, oldest, first, stride, k, rowCount, rows: [], nextRow: 0 });
  }

  /** True when a repair symbol waits that may still help. Forgets those that cannot. */
  hasRepair(now: Micros): boolean {
    for (let job = this.#jobs.at(0); job !== undefined; job = this.#jobs.at(0)) {
      if (job.nextRow < job.rowCount && isUseful(job, now)) return true;
      this.#jobs.shift();
    }
    return false;
  }

  /** Writes one REPAIR frame. Call after {@link hasRepair}. Returns bytes written; 0: it does not fit. */
  write(writer: Writer, maxPayloadBytes: number): number {
    const job = this.#jobs.at(0) as RepairJob;
    if (job.rows.length === 0 && !this.#encode(job)) {
      job.nextRow = job.rowCount;
      return 0;
    }
    const row = job.rows[job.nextRow] as Uint8Array;
    const size = repairHeaderSize(this.#trackId, job.stride, -1) + row.length;
    if (size > writer.room) {
      // The packet became smaller since: repair cannot be split.
      if (size > maxPayloadBytes) job.nextRow = job.rowCount;
      return 0;
    }
    const start = writer.at;
    const fillsPacket = writer.room - size < USEFUL_ROOM_BYTES;
    const length = fillsPacket ? -1 : row.length;
    writeRepairHeader(writer, this.#trackId, job.first, job.stride, job.k, job.nextRow, length);
    writer.copy(row);
    if (fillsPacket) writer.end = writer.at;
    this.lastRow = job.nextRow++;
    this.lastFirst = job.first;
    this.lastFrame = job.k === job.frame.count ? job.frame : undefined;
    return writer.at - start;
  }

  clear(): void {
    while (this.#jobs.shift() !== undefined);
  }

  /** False if a media frame that the block covers has settled since, and its bytes are gone. */
  #encode(job: RepairJob): boolean {
    const symbols: Uint8Array[] = [];
    for (let i = 0; i < job.k; i++) {
      const id = job.first + i * job.stride;
      const owner = this.#window.owner(id);
      if (owner === undefined) return false;
      symbols.push(owner.symbols[id - owner.first] as Uint8Array);
    }
    for (const row of this.#maker.encode(symbols, 0, job.rowCount)) job.rows.push(row.slice());
    return true;
  }
}

/** Encoded already, or every frame of it live, and somebody may still need it. */
function isUseful(job: RepairJob, now: Micros): boolean {
  const { frame, oldest } = job;
  const isNeeded = !(frame.isComplete && oldest.isComplete) && now < frame.deadlineUs;
  if (frame.isSettled && oldest.isSettled) return false;
  return isNeeded && (job.rows.length > 0 || !(frame.isSettled || oldest.isSettled));
}
