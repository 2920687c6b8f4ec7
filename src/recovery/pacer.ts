/**
 * Releases packets at the pacing rate in quanta that a timer of 1 ms can serve: a token bucket counted in bytes.
 * Source: RFC 9002 §7.7; quantum as in `fq` of Linux and BBR's send_quantum.
 */
import type { Micros } from '../base/protocol.ts';
import { MILLISECOND, NEVER } from '../base/protocol.ts';

/**
 * Packets that may leave back to back after a pause: what takes so long at the rate, and no more than so many. On a slow
 * path that is none: two packets closer than the rate says are one too many for a buffer of two.
 */
const BURST_US: Micros = 5 * MILLISECOND;
const BURST_PACKETS_MAX = 10;
/** A packet may leave when this part of a full one is paid for, small ones sooner; the rest is paid before the next. */
const READY_PART = 0.5;
/** setTimeout never fires before 1.1 ms (ARCHITECTURE.md): the bucket must hold at least what 1 ms releases. */
const QUANTUM_US: Micros = MILLISECOND;
/**
 * An event loop that comes late while packets wait may make up for so much: without it a loop whose turns take 3 ms
 * would send a third of the rate. Matters above some 30 Mbit/s only, where 10 packets are less than 4 ms.
 */
const LATENESS_MAX_US: Micros = 4 * MILLISECOND;

/** One per path. Tokens may go negative by one packet: then that packet is paid for before the next one leaves. */
export class Pacer {
  #rateBps: number;
  #packetBytes: number;
  #burstBytes = 0;
  #tokens: number;
  #updatedAtUs: Micros = 0;
  /** The instant given by `nextSendTime` since which packets wait, or NEVER. */
  #waitingUntilUs: Micros = NEVER;

  /**
   * @param rateBps Bits per second.
   * @param packetBytes Size of a full datagram.
   */
  constructor(rateBps: number, packetBytes: number) {
    this.#rateBps = rateBps;
    this.#packetBytes = packetBytes;
    this.#resize();
    this.#tokens = this.#burstBytes;
  }

  /** Bits per second in force. */
  get rateBps(): number {
    return this.#rateBps;
  }

  /** Bytes paid for after a pause. */
  get burstBytes(): number {
    return this.#burstBytes;
  }

  #resize(): void {
    const packets = Math.min((this.#rateBps * BURST_US) / 8e6 / this.#packetBytes, BURST_PACKETS_MAX);
    this.#burstBytes = Math.max(packets - READY_PART, READY_PART) * this.#packetBytes;
    this.#burstBytes = Math.max(this.#burstBytes, (this.#rateBps * QUANTUM_US) / 8e6);
  }

  #refill(now: Micros): void {
    const elapsed = now - this.#updatedAtUs;
    if (elapsed <= 0) return;
    this.#updatedAtUs = now;
    let limit = this.#burstBytes;
    if (now >= this.#waitingUntilUs) {
      limit += (Math.min(now - this.#waitingUntilUs, LATENESS_MAX_US) * this.#rateBps) / 8e6;
    }
    this.#tokens = Math.min(limit, this.#tokens + (elapsed * this.#rateBps) / 8e6);
  }

  /** Changes the rate from `now` on. Call when the controller's rate has changed; cheap. */
  setRate(rateBps: number, now: Micros): void {
    if (rateBps === this.#rateBps) return;
    this.#refill(now);
    this.#rateBps = rateBps;
    this.#resize();
    if (now < this.#waitingUntilUs) this.#waitingUntilUs = NEVER;
  }

  /** A full datagram's size has changed. */
  setPacketBytes(packetBytes: number): void {
    this.#packetBytes = packetBytes;
    this.#resize();
  }

  /** True when a packet may leave now. */
  canSend(now: Micros): boolean {
    this.#refill(now);
    return this.#tokens >= READY_PART * this.#packetBytes;
  }

  /** Charges a packet that left (also one that did not ask: an ACK, a probe). */
  onSent(now: Micros, sizeBytes: number): void {
    this.#refill(now);
    this.#waitingUntilUs = NEVER;
    this.#tokens = Math.max(this.#tokens - sizeBytes, -Math.max(this.#burstBytes, this.#packetBytes));
  }

  /**
   * When to ask again: `now` if a packet may leave, else when a quantum (1 ms worth, at least one packet) has gathered,
   * so that timers of 1 ms carry any rate.
   */
  nextSendTime(now: Micros): Micros {
    this.#refill(now);
    if (this.#tokens >= READY_PART * this.#packetBytes) return now;
    // Asked again, the answer stays: else a caller that asks often would wait for ever. An answer that has passed was too
    // early: packets have become larger, or the rate lower, since.
    if (this.#waitingUntilUs !== NEVER && this.#waitingUntilUs > now) return this.#waitingUntilUs;
    const quantum = Math.max(this.#packetBytes, (this.#rateBps * QUANTUM_US) / 8e6);
    const wantBytes = Math.min(quantum, this.#burstBytes) - this.#tokens;
    this.#waitingUntilUs = now + Math.max(QUANTUM_US, Math.ceil((wantBytes * 8e6) / this.#rateBps));
    return this.#waitingUntilUs;
  }
}
