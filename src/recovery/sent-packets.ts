/**
 * Every packet sent and not yet forgotten, as columns keyed by packet number, and the tokens of its frames in a second
 * ring. In: `begin`, `note`, `commit` per packet; states set by loss recovery. Out: sizes, times, tokens by number.
 * Nothing is allocated per packet; both rings grow by doubling. Source: RFC 9002 A.1, DESIGN D11.
 */
import { assert } from '../base/assert.ts';
import type { Micros } from '../base/protocol.ts';
import type { PacketRecord, TokenKind, TokenOwner } from '../wire/frame-source.ts';

/** Packet numbers between the oldest remembered and the newest. A full ring means: do not send now. */
export const SENT_PACKETS_MAX: number = 2 ** 18;
/** Tokens of all remembered packets. */
export const TOKENS_MAX: number = 2 ** 20;
/** More tokens than one packet of 1452 bytes can hold frames (the smallest with a token takes 3 bytes). */
const TOKENS_PER_PACKET_MAX = 1024;
/** An idle connection has next to nothing in flight: the rings grow with what is. */
const PACKETS_AT_START = 16;
const TOKENS_AT_START = 32;

/** What has become of a packet number. */
export const PacketState = {
  /** Never used, or forgotten. */
  NONE: 0,
  /** Sent, nothing known. */
  SENT: 1,
  ACKED: 2,
  /** Declared lost; an ACK may still come. */
  LOST: 3,
  /** Left out on purpose: an ACK of it is a lie. */
  SKIPPED: 4,
} as const;
/** One of {@link PacketState}. */
export type PacketState = (typeof PacketState)[keyof typeof PacketState];

/** What a packet is, given to `commit`. */
export const PacketFlag = {
  ACK_ELICITING: 1,
  /** Counts in bytes in flight. */
  IN_FLIGHT: 2,
  /** A datagram size probe: its loss says nothing about congestion. */
  SIZE_PROBE: 4,
  /** Set by loss recovery: sent while there was too little to send. */
  APP_LIMITED: 8,
  /** Set by loss recovery: its tokens have been handed back as lost. */
  TOKENS_RETURNED: 16,
  /** Set by loss recovery: given up with the path it was sent on. */
  ABANDONED: 32,
} as const;

/** Counts packets by fate. */
interface FateCounts {
  onAcked(now: Micros): void;
  onLost(now: Micros): void;
}

/** The rings. Columns are read by loss recovery at `packetNumber & mask`; nobody else writes them. */
export class SentPackets implements PacketRecord {
  /** Oldest remembered packet number, or `next` when none is. */
  first = 0;
  /** The number the next packet gets. */
  next = 0;
  mask: number = PACKETS_AT_START - 1;
  states: Uint8Array = new Uint8Array(PACKETS_AT_START);
  flags: Uint8Array = new Uint8Array(PACKETS_AT_START);
  sizes: Uint32Array = new Uint32Array(PACKETS_AT_START);
  /** SENT or ACKED: when it left. */
  sentAtUs: Float64Array = new Float64Array(PACKETS_AT_START);
  /** LOST: when it was declared so. */
  lostAtUs: Float64Array = new Float64Array(PACKETS_AT_START);
  /** ACKED: how many numbers from here on are known to be acked; `jumpAcked` makes them more. */
  runs: Uint32Array = new Uint32Array(PACKETS_AT_START);
  /** Index of the first token; the tokens end where those of the next number begin. */
  #tokenStarts: Float64Array = new Float64Array(PACKETS_AT_START);

  #tokenMask = TOKENS_AT_START - 1;
  #kinds: Uint8Array = new Uint8Array(TOKENS_AT_START);
  #as: Float64Array = new Float64Array(TOKENS_AT_START);
  #bs: Float64Array = new Float64Array(TOKENS_AT_START);
  #cs: Float64Array = new Float64Array(TOKENS_AT_START);
  #tokenNext = 0;
  /** The ring is full when `#tokenNext` gets here. */
  #tokenEnd = TOKENS_AT_START;
  #isOpen = false;

  /** How many packet numbers are remembered. */
  get span(): number {
    return this.next - this.first;
  }

  /** False when a ring is at its limit: nothing may be sent until something is acknowledged or forgotten. */
  canBegin(): boolean {
    return this.span < SENT_PACKETS_MAX && this.#tokensHeld() + TOKENS_PER_PACKET_MAX <= TOKENS_MAX;
  }

  #tokensHeld(): number {
    const oldest = this.span > 0 ? (this.#tokenStarts[this.first & this.mask] as number) : this.#tokenNext;
    return this.#tokenNext - oldest;
  }

  /** Opens the packet `next`. `note` what goes in, then `commit` or `cancel`. Requires `canBegin()`. */
  begin(): number {
    assert(!this.#isOpen, 'a packet is begun while another is open');
    if (this.span > this.mask) this.#growPackets();
    this.#tokenEnd = this.#tokenNext - this.#tokensHeld() + this.#tokenMask + 1;
    this.#tokenStarts[this.next & this.mask] = this.#tokenNext;
    this.#isOpen = true;
    return this.next;
  }

  note(kind: TokenKind, a: number, b: number, c: number): void {
    assert(this.#isOpen, 'a token is noted outside a packet');
    if (this.#tokenNext === this.#tokenEnd) this.#growTokens();
    const at = this.#tokenNext & this.#tokenMask;
    this.#kinds[at] = kind;
    this.#as[at] = a;
    this.#bs[at] = b;
    this.#cs[at] = c;
    this.#tokenNext++;
  }

  /** The open packet has left. @param flags Of {@link PacketFlag}. @param sizeBytes The whole packet, tag included. */
  commit(flags: number, sizeBytes: number, now: Micros): number {
    assert(this.#isOpen, 'a packet is committed that was not begun');
    const packetNumber = this.next;
    const at = packetNumber & this.mask;
    this.states[at] = PacketState.SENT;
    this.flags[at] = flags;
    this.sizes[at] = sizeBytes;
    this.sentAtUs[at] = now;
    this.next = packetNumber + 1;
    this.#isOpen = false;
    return packetNumber;
  }

  /** The open packet turned out empty: its number and tokens are taken back. */
  cancel(): void {
    assert(this.#isOpen, 'a packet is cancelled that was not begun');
    this.#tokenNext = this.#tokenStarts[this.next & this.mask] as number;
    this.#isOpen = false;
  }

  /** Leaves one packet number out. Requires `canBegin()` and no open packet. */
  skip(): number {
    const packetNumber = this.begin();
    this.commit(0, 0, 0);
    this.states[packetNumber & this.mask] = PacketState.SKIPPED;
    return packetNumber;
  }

  /** Hands the tokens of a remembered packet to their owners. */
  returnTokens(packetNumber: number, isAcked: boolean, owners: readonly TokenOwner[], now: Micros): void {
    const last = packetNumber + 1 < this.next;
    const end = last ? (this.#tokenStarts[(packetNumber + 1) & this.mask] as number) : this.#tokenNext;
    for (let token = this.#tokenStarts[packetNumber & this.mask] as number; token < end; token++) {
      const at = token & this.#tokenMask;
      const owner = owners[this.#kinds[at] as number] as TokenOwner;
      if (isAcked) owner.onAcked(this.#as[at] as number, this.#bs[at] as number, this.#cs[at] as number, now);
      else owner.onLost(this.#as[at] as number, this.#bs[at] as number, this.#cs[at] as number, now);
    }
  }

  /** Hands the tokens back as lost, once, be it on a probe timeout, on the loss itself, or with the path. */
  returnLost(packetNumber: number, owners: readonly TokenOwner[], now: Micros): void {
    const at = packetNumber & this.mask;
    const flags = this.flags[at] as number;
    if ((flags & PacketFlag.TOKENS_RETURNED) !== 0) return;
    this.flags[at] = flags | PacketFlag.TOKENS_RETURNED;
    this.returnTokens(packetNumber, false, owners, now);
  }

  /**
   * Owners of the oldest unacknowledged packets from `from` on send again, of `count` packets.
   *
   * @returns Where to go on next time.
   */
  returnOldest(from: number, count: number, owners: readonly TokenOwner[], now: Micros): number {
    let left = count;
    let n = from;
    while (n < this.next && left > 0) {
      const at = n & this.mask;
      const flags = this.flags[at] as number;
      const isWaiting = this.states[at] === PacketState.SENT && (flags & PacketFlag.ACK_ELICITING) !== 0;
      if (isWaiting && (flags & (PacketFlag.SIZE_PROBE | PacketFlag.TOKENS_RETURNED)) === 0) {
        this.returnLost(n, owners, now);
        left--;
      }
      n++;
    }
    return n;
  }

  /** Gives up what is in flight from `from` on; `counts` hears of each packet whose fate was not told before. */
  abandon(from: number, owners: readonly TokenOwner[], counts: FateCounts, now: Micros): void {
    for (let n = from; n < this.next; n++) {
      const at = n & this.mask;
      const flags = this.flags[at] as number;
      if ((flags & PacketFlag.IN_FLIGHT) === 0) continue;
      const isCounted = (flags & PacketFlag.SIZE_PROBE) === 0;
      if (this.states[at] === PacketState.SENT) {
        this.states[at] = PacketState.LOST;
        this.lostAtUs[at] = now;
        this.flags[at] = flags | PacketFlag.ABANDONED;
        if (isCounted) counts.onLost(now);
        this.returnLost(n, owners, now);
      } else if (isCounted) counts.onAcked(now);
    }
  }

  /**
   * From an acked number on, two known runs further. They are one from then on, so that each walk over acked numbers
   * halves what the next one has to walk, wherever it begins.
   * Source: path halving, Tarjan and van Leeuwen (1984): n numbers and m walks cost O(n + m log n) jumps in all.
   */
  jumpAcked(packetNumber: number): number {
    const at = packetNumber & this.mask;
    const run = this.runs[at] as number;
    const after = (packetNumber + run) & this.mask;
    if (packetNumber + run >= this.next || this.states[after] !== PacketState.ACKED)
      return packetNumber + run;
    this.runs[at] = run + (this.runs[after] as number);
    return packetNumber + (this.runs[at] as number);
  }

  /** Forgets every packet below `packetNumber`. Amortised O(1): each number is passed once. */
  forgetBelow(packetNumber: number): void {
    this.first = Math.max(this.first, Math.min(packetNumber, this.next));
  }

  /**
   * Lets go of what needs no memory any more, oldest first: what is acked, and what was lost before `beforeUs`. A packet
   * of ACKs only is never lost, but its acknowledgement prunes ranges: it is remembered as long as a lost one.
   *
   * @param end Everything below is resolved, or does not count as in flight.
   */
  forgetResolved(end: number, beforeUs: Micros): void {
    let n = this.first;
    for (; n < end; n++) {
      const at = n & this.mask;
      const state = this.states[at];
      if (state === PacketState.LOST && (this.lostAtUs[at] as number) > beforeUs) break;
      if (state === PacketState.SENT && (this.sentAtUs[at] as number) > beforeUs) break;
    }
    this.forgetBelow(n);
  }

  #growPackets(): void {
    const size = (this.mask + 1) * 2;
    const from = this.mask;
    const to = size - 1;
    this.states = this.#move(this.states, new Uint8Array(size), from, to);
    this.flags = this.#move(this.flags, new Uint8Array(size), from, to);
    this.sizes = this.#move(this.sizes, new Uint32Array(size), from, to);
    this.sentAtUs = this.#move(this.sentAtUs, new Float64Array(size), from, to);
    this.lostAtUs = this.#move(this.lostAtUs, new Float64Array(size), from, to);
    this.runs = this.#move(this.runs, new Uint32Array(size), from, to);
    this.#tokenStarts = this.#move(this.#tokenStarts, new Float64Array(size), from, to);
    this.mask = to;
  }

  #move<T extends Uint8Array | Uint32Array | Float64Array>(old: T, grown: T, from: number, to: number): T {
    for (let n = this.first; n < this.next; n++) grown[n & to] = old[n & from] as number;
    return grown;
  }

  #growTokens(): void {
    const size = (this.#tokenMask + 1) * 2;
    const from = this.#tokenMask;
    const to = size - 1;
    const oldest = this.#tokenEnd - this.#tokenMask - 1;
    const kinds = new Uint8Array(size);
    const as = new Float64Array(size);
    const bs = new Float64Array(size);
    const cs = new Float64Array(size);
    for (let token = oldest; token < this.#tokenNext; token++) {
      kinds[token & to] = this.#kinds[token & from] as number;
      as[token & to] = this.#as[token & from] as number;
      bs[token & to] = this.#bs[token & from] as number;
      cs[token & to] = this.#cs[token & from] as number;
    }
    this.#kinds = kinds;
    this.#as = as;
    this.#bs = bs;
    this.#cs = cs;
    this.#tokenMask = to;
    this.#tokenEnd = oldest + size;
  }
}
