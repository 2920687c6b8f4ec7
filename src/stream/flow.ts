/**
 * Flow control: the credit a peer gave us, and the window we give a peer, for one stream or the whole connection.
 * Windows start small and double while the application consumes a whole one in less than four round trips, so that
 * memory follows what the path needs. Source: RFC 9000 §4; automatic tuning as in Chromium and quic-go.
 */
import type { Micros } from '../base/protocol.ts';

/** Largest window of one stream, bytes. */
export const STREAM_WINDOW_MAX: number = 16 * 1024 * 1024;
/** Largest window of the connection, bytes. */
export const CONNECTION_WINDOW_MAX: number = 32 * 1024 * 1024;

/** A window that is consumed in less than this many round trips limits the rate: double it. */
const TUNING_ROUND_TRIPS = 4;
/** With less than this share of a window left of what the peer certainly knows, a limit that it may not know is repeated. */
const PRESSING_SHARE = 1 / 4;

/** What the peer lets us send, cumulative bytes. Only first transmissions use credit. */
export class SendCredit {
  limit = 0;
  used = 0;

  get available(): number {
    return this.limit - this.used;
  }

  /** MAX_DATA, MAX_STREAM_DATA or a parameter. Limits never fall. Returns true if it rose. */
  raise(limit: number): boolean {
    if (limit <= this.limit) return false;
    this.limit = limit;
    return true;
  }
}

/** What we let the peer send, cumulative bytes. */
export class ReceiveWindow {
  /** Bytes the peer has used: the highest offset seen, or the sum of those of all streams. */
  received = 0;
  /** Bytes the application has taken, or that were discarded for good. */
  consumed = 0;
  /** Announced to the peer: `received` never exceeds it. */
  limit: number;
  /** The highest limit that the peer is known to have heard of. */
  confirmed: number;
  #sizeBytes: number;
  readonly #sizeMax: number;
  #epochAtUs: Micros = Number.NaN;
  #epochConsumed = 0;

  constructor(sizeBytes: number, sizeMax: number) {
    this.#sizeBytes = sizeBytes;
    this.limit = sizeBytes;
    this.confirmed = sizeBytes;
    this.#sizeMax = Math.max(sizeBytes, sizeMax);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** True when at least half the window was consumed since the last announcement. */
  get isUpdateDue(): boolean {
    return (this.consumed + this.#sizeBytes - this.limit) * 2 >= this.#sizeBytes && this.canRise;
  }

  /** True when any new limit could be announced. */
  get canRise(): boolean {
    return this.consumed + this.#sizeBytes > this.limit;
  }

  /** The announcement of `limit` has arrived. */
  onConfirmed(limit: number): void {
    this.confirmed = Math.max(this.confirmed, limit);
  }

  /**
   * True when the peer may soon stop for want of a limit that was announced and may be lost. Updates come when half the
   * window is left, and tuning makes that two round trips: on a path that loses nothing this is true while windows grow only.
   */
  get isPressing(): boolean {
    return this.limit > this.confirmed && this.confirmed - this.received < PRESSING_SHARE * this.#sizeBytes;
  }

  /** The window is at least this large from now on, within its own maximum. */
  growTo(sizeBytes: number): void {
    this.#sizeBytes = Math.max(this.#sizeBytes, Math.min(sizeBytes, this.#sizeMax));
  }

  /** Moves the limit up as the window allows, tuning the window first, and returns the limit to announce. */
  advance(now: Micros, smoothedRttUs: Micros): number {
    const consumed = this.consumed - this.#epochConsumed;
    if (consumed * 2 >= this.#sizeBytes) {
      const roundTrips = (TUNING_ROUND_TRIPS * consumed) / this.#sizeBytes;
      // The first epoch has no start (NaN): the comparison is false.
      if (now - this.#epochAtUs < roundTrips * smoothedRttUs) this.growTo(this.#sizeBytes * 2);
      this.#epochAtUs = now;
      this.#epochConsumed = this.consumed;
    }
    this.limit = Math.max(this.limit, this.consumed + this.#sizeBytes);
    return this.limit;
  }
}
