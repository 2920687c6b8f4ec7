/**
 * The symbols of one track between the first transmission and the settling of their media frame: a ring of columns
 * keyed by symbol id. In: transmissions, acknowledgements, losses. Out: which symbol to resend next.
 * O(1) per symbol, O(log lost) per loss; nothing is allocated per symbol.
 */
import { assert } from '../base/assert.ts';
import { type Micros, NEVER } from '../base/protocol.ts';
import { Deque } from './deque.ts';
import { Heap } from './heap.ts';
import { WINDOW_SYMBOLS_MAX } from './limits.ts';
import type { SentFrame } from './sent-frame.ts';

/** What became of a symbol. */
export const SymbolState = { UNSENT: 0, IN_FLIGHT: 1, LOST: 2, ACKED: 3 } as const;

/** Which piece of a symbol a transmission carried: bits 0 and 1 of a token's `c`; the rest is the transmission. */
export const Piece = { WHOLE: 0, FIRST: 1, SECOND: 2 } as const;
const PIECE_BITS = 4;
/** Both halves acknowledged; the same shifted left twice: in flight. */
const BOTH_HALVES = 3;
const IN_FLIGHT_SHIFT = 2;

const RING_SIZE_MIN = 64;

/** See the file header. Symbol ids of live frames lie in [base, next). */
export class SymbolWindow {
  #states: Uint8Array = new Uint8Array(RING_SIZE_MIN);
  #transmissions: Uint16Array = new Uint16Array(RING_SIZE_MIN);
  #halves: Uint8Array = new Uint8Array(RING_SIZE_MIN);
  #sentAt: Float64Array = new Float64Array(RING_SIZE_MIN);
  #owners: (SentFrame | undefined)[] = new Array<SentFrame | undefined>(RING_SIZE_MIN);
  #mask = RING_SIZE_MIN - 1;
  readonly #frames: Deque<SentFrame> = new Deque<SentFrame>();
  /** The oldest, nearest its deadline, first. */
  readonly #lost: Heap<number> = new Heap<number>((a, b) => a < b);
  /** Frames whose resends wait because repair in flight may spare them. */
  readonly #held: Deque<SentFrame> = new Deque<SentFrame>();
  base = 0;
  next = 0;

  /** The oldest media frame that has not settled. */
  get oldest(): SentFrame | undefined {
    return this.#frames.at(0);
  }

  /** The live frame that owns symbol `id`; undefined if it has settled or the id is not in the window. */
  owner(id: number): SentFrame | undefined {
    if (id < this.base || id >= this.next) return undefined;
    const frame = this.#owners[id & this.#mask];
    return frame === undefined || frame.isSettled ? undefined : frame;
  }

  /** The frame that owns symbol `id`, settled or not; undefined outside the window. */
  anyOwner(id: number): SentFrame | undefined {
    return id < this.base || id >= this.next ? undefined : this.#owners[id & this.#mask];
  }

  state(id: number): number {
    return this.#states[id & this.#mask] as number;
  }

  /** Times the symbol was sent. */
  transmissions(id: number): number {
    return this.#transmissions[id & this.#mask] as number;
  }

  hasRoomFor(count: number): boolean {
    return this.next + count - this.base <= WINDOW_SYMBOLS_MAX;
  }

  /** Half of it is taken. */
  get isCrowded(): boolean {
    return this.next - this.base > WINDOW_SYMBOLS_MAX / 2;
  }

  /** Numbers the symbols of a media frame: its first one is about to be written. */
  start(frame: SentFrame): void {
    assert(this.hasRoomFor(frame.count), 'a media frame starts only where the window has room');
    while (this.next + frame.count - this.base > this.#mask + 1) this.#grow();
    frame.first = this.next;
    for (let id = this.next; id < this.next + frame.count; id++) {
      const slot = id & this.#mask;
      this.#states[slot] = SymbolState.UNSENT;
      this.#transmissions[slot] = 0;
      this.#halves[slot] = 0;
      this.#owners[slot] = frame;
    }
    this.next += frame.count;
    this.#frames.push(frame);
  }

  /** Drops settled frames from the old end. */
  trim(): void {
    for (let frame = this.#frames.at(0); frame?.isSettled === true; frame = this.#frames.at(0)) {
      for (let id = frame.first; id < frame.first + frame.count; id++)
        this.#owners[id & this.#mask] = undefined;
      this.base = frame.first + frame.count;
      frame.symbols = NO_SYMBOLS;
      this.#frames.shift();
    }
  }

  /** Which piece of a symbol in two parts leaves next; WHOLE when both are acknowledged or in flight. */
  nextHalf(id: number): number {
    const halves = this.#halves[id & this.#mask] as number;
    const taken = (halves | (halves >> IN_FLIGHT_SHIFT)) & BOTH_HALVES;
    if ((taken & 1) === 0) return Piece.FIRST;
    return (taken & 2) === 0 ? Piece.SECOND : Piece.WHOLE;
  }

  /**
   * Notes a transmission. A symbol in two parts is in flight once neither half is left to send.
   *
   * @returns The token for it.
   */
  sent(id: number, piece: number, now: Micros): number {
    const slot = id & this.#mask;
    const frame = this.#owners[slot] as SentFrame;
    if (piece !== Piece.WHOLE) {
      this.#halves[slot] = (this.#halves[slot] as number) | (1 << (piece - 1 + IN_FLIGHT_SHIFT));
      if (this.nextHalf(id) !== Piece.WHOLE) return this.#token(slot, 1, piece);
    }
    const transmission = (this.#transmissions[slot] as number) + 1;
    this.#transmissions[slot] = transmission;
    this.#states[slot] = SymbolState.IN_FLIGHT;
    this.#sentAt[slot] = now;
    frame.inFlight++;
    if (transmission > 1) {
      frame.resendsInFlight++;
      frame.resendCount++;
      frame.lastResendAtUs = now;
    } else {
      if (frame.firstLeftAtUs < 0) frame.firstLeftAtUs = now;
      frame.lastLeftAtUs = now;
    }
    return this.#token(slot, 0, piece);
  }

  #token(slot: number, ahead: number, piece: number): number {
    return ((this.#transmissions[slot] as number) + ahead) * PIECE_BITS + piece;
  }

  /** @returns The frame whose symbol arrived with this; undefined if it changes nothing. */
  acked(id: number, token: number): SentFrame | undefined {
    const frame = this.owner(id);
    if (frame === undefined) return undefined;
    const slot = id & this.#mask;
    if (this.#states[slot] === SymbolState.ACKED) return undefined;
    const piece = token % PIECE_BITS;
    if (piece !== Piece.WHOLE) {
      const bit = 1 << (piece - 1);
      const halves = ((this.#halves[slot] as number) | bit) & ~(bit << IN_FLIGHT_SHIFT);
      this.#halves[slot] = halves;
      if ((halves & BOTH_HALVES) !== BOTH_HALVES) return undefined;
    }
    if (this.#states[slot] === SymbolState.IN_FLIGHT) this.#leaveFlight(slot, frame);
    this.#states[slot] = SymbolState.ACKED;
    frame.acked++;
    if (token >= 2 * PIECE_BITS) frame.neededResend = true;
    return frame;
  }

  /** @returns The frame that lost this symbol; undefined if it changes nothing (acked, or sent again since). */
  lost(id: number, token: number, now: Micros): SentFrame | undefined {
    const frame = this.owner(id);
    if (frame === undefined) return undefined;
    const slot = id & this.#mask;
    const piece = token % PIECE_BITS;
    if (piece !== Piece.WHOLE) {
      const bit = 1 << (piece - 1 + IN_FLIGHT_SHIFT);
      const halves = this.#halves[slot] as number;
      if ((halves & bit) === 0) return undefined;
      this.#halves[slot] = halves & ~bit;
    } else if (Math.floor(token / PIECE_BITS) !== this.#transmissions[slot]) {
      return undefined;
    } else {
      // Halves sent before the whole may still be in flight; they no longer keep a half from being sent.
      this.#halves[slot] = (this.#halves[slot] as number) & BOTH_HALVES;
    }
    if (this.#states[slot] !== SymbolState.IN_FLIGHT) return undefined;
    this.#leaveFlight(slot, frame);
    this.#states[slot] = SymbolState.LOST;
    if (frame.lossCount++ === 0) frame.firstLossAtUs = now;
    return frame;
  }

  #leaveFlight(slot: number, frame: SentFrame): void {
    frame.inFlight--;
    if ((this.#transmissions[slot] as number) > 1) frame.resendsInFlight--;
  }

  /** Queues a lost symbol for a resend. */
  queueResend(id: number): void {
    this.#lost.push(id);
  }

  /** Queues every lost symbol of a frame again: the receiver still needs more than is on its way. */
  queueParked(frame: SentFrame): void {
    frame.isParked = false;
    for (let id = frame.first; id < frame.first + frame.written; id++) {
      if (this.state(id) === SymbolState.LOST) this.#lost.push(id);
    }
  }

  /**
   * The lost symbol to resend now, nearest deadline first; -1: none. Those that can help no more are forgotten, and
   * those that repair in flight may rebuild wait until its fate should be known, if that will not be too late.
   */
  nextResend(now: Micros): number {
    this.#releaseHeld(now);
    for (let id = this.#lost.top; id !== undefined; id = this.#lost.top) {
      const frame = this.owner(id);
      const isUseful = frame !== undefined && !frame.isComplete && now < frame.deadlineUs;
      if (isUseful && this.state(id) === SymbolState.LOST) {
        const willTell = now < frame.repairFateUs && frame.repairFateUs < frame.callAtUs;
        const isRepairing = willTell && frame.repairsInFlight >= frame.lost;
        if (frame.resendsInFlight < frame.missing && !isRepairing) return id;
        frame.isParked = true;
        if (isRepairing && !frame.isHeld) {
          frame.isHeld = true;
          this.#held.push(frame);
        }
      }
      this.#lost.pop();
    }
    return -1;
  }

  /** When the first held frame is to be looked at again. */
  get heldUntilUs(): Micros {
    return this.#held.at(0)?.repairFateUs ?? NEVER;
  }

  /** Queues the resends of held frames whose repair should have told by now. */
  #releaseHeld(now: Micros): void {
    for (let frame = this.#held.at(0); frame !== undefined; frame = this.#held.at(0)) {
      if (!frame.isSettled && now < frame.repairFateUs) break;
      this.#held.shift();
      frame.isHeld = false;
      if (!frame.isSettled && frame.isParked) this.queueParked(frame);
    }
  }

  /** A repair symbol that covers exactly the frame that begins at `first` has arrived or is lost: its resends may go. */
  onRepairFate(first: number): boolean {
    const frame = this.owner(first);
    if (frame === undefined || frame.first !== first || frame.repairsInFlight === 0) return false;
    frame.repairsInFlight--;
    if (!frame.isParked || frame.isComplete) return false;
    this.queueParked(frame);
    return true;
  }

  /**
   * Treats the oldest symbol that is still in flight since its first transmission, at least `minAgeUs` ago, and would
   * come in time, as lost: a probe that may spare a round trip after a lost tail. True if there was one.
   */
  loseOldest(now: Micros, minAgeUs: Micros): boolean {
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = this.#frames.at(i) as SentFrame;
      if (frame.isSettled || frame.isComplete || frame.inFlight === 0 || now >= frame.deadlineUs) continue;
      for (let id = frame.first; id < frame.first + frame.written; id++) {
        const slot = id & this.#mask;
        if (this.#states[slot] !== SymbolState.IN_FLIGHT || this.#transmissions[slot] !== 1) continue;
        // What has just left, its acknowledgement cannot be here yet: nor can that of what left after it.
        if (now - (this.#sentAt[slot] as number) < minAgeUs) return false;
        this.#takeAsLost(slot, frame, id);
        return true;
      }
    }
    return false;
  }

  /** When a symbol left last. */
  sentAtUs(id: number): Micros {
    return this.#sentAt[id & this.#mask] as number;
  }

  /** Queues a resend of a symbol that is in flight since its first transmission, as if it were lost. */
  loseSilent(id: number): void {
    const slot = id & this.#mask;
    const frame = this.owner(id);
    if (frame === undefined || this.#transmissions[slot] !== 1) return;
    if (this.#states[slot] === SymbolState.IN_FLIGHT) this.#takeAsLost(slot, frame, id);
  }

  /** Without an answer that says so. */
  #takeAsLost(slot: number, frame: SentFrame, id: number): void {
    this.#leaveFlight(slot, frame);
    this.#states[slot] = SymbolState.LOST;
    this.#halves[slot] = 0;
    this.#lost.push(id);
  }

  #grow(): void {
    const size = (this.#mask + 1) * 2;
    const states = new Uint8Array(size);
    const transmissions = new Uint16Array(size);
    const halves = new Uint8Array(size);
    const sentAt = new Float64Array(size);
    const owners = new Array<SentFrame | undefined>(size);
    for (let id = this.base; id < this.next; id++) {
      const from = id & this.#mask;
      const to = id & (size - 1);
      states[to] = this.#states[from] as number;
      transmissions[to] = this.#transmissions[from] as number;
      halves[to] = this.#halves[from] as number;
      sentAt[to] = this.#sentAt[from] as number;
      owners[to] = this.#owners[from];
    }
    this.#states = states;
    this.#transmissions = transmissions;
    this.#halves = halves;
    this.#sentAt = sentAt;
    this.#owners = owners;
    this.#mask = size - 1;
  }
}

const NO_SYMBOLS: readonly Uint8Array[] = [];
