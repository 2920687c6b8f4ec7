/**
 * Finds the largest datagram the path carries, and notices when it stops to. In: size probes acked or lost (tokens),
 * sizes of packets acked and lost, probe timeouts. Out: the size in use, the next probe. Source: RFC 8899 (DPLPMTUD),
 * docs/wire-format.md §3.5, DESIGN D10.
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../base/protocol.ts';
import type { TokenOwner } from '../wire/frame-source.ts';
import { DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MIN } from '../wire/header.ts';

/** The search ends when the interval is smaller: 20 bytes are 1.4 % of a packet. */
const STEP_MIN = 20;
/** MAX_PROBES of RFC 8899 §5.1.2: one lost probe is loss, three are a limit. */
const PROBES_PER_SIZE = 3;
/** PMTU_RAISE_TIMER of RFC 8899 §5.1.1. */
const RAISE_INTERVAL_US: Micros = 600 * SECOND;
/** After a fallback that silence alone has caused (more likely an outage) larger sizes are tried again soon. */
const RAISE_AFTER_SILENCE_US: Micros = 10 * SECOND;
/** Large packets lost in a row, while small ones arrived, that prove a black hole. At 20 % loss: 1 in 10^4 packets. */
const LARGE_LOST_MAX = 6;
const SMALL_ACKED_MIN = 2;
/** So many of them were sent after the small ones: a burst of loss takes a whole media frame, and is over when those arrive. */
const LOST_AFTER_MIN = 2;
/** Nothing large got through for so long: two bursts one after the other may take two media frames. */
const LOST_FOR_US: Micros = 100 * MILLISECOND;
/** Probe timeouts in a row with large packets in use that call for the size that always works. */
const SILENT_TIMEOUTS = 3;

/** One per connection. Owner of `TokenKind.PROBE` tokens: a = size of the probe, b = `pathNumber` when it left. */
export class DatagramSizeProber implements TokenOwner {
  /** Size of a full datagram now, bytes of UDP payload. */
  currentBytes: number = DATAGRAM_BYTES_MIN;
  /** How many paths there were before this one: what went over those says nothing about it. */
  pathNumber = 0;
  /** How often the size fell back to 1200. */
  blackHoles = 0;
  /** Smallest size that failed; nothing from here on is tried in this search. */
  #failedBytes: number = DATAGRAM_BYTES_MAX + 1;
  #limitBytes: number = DATAGRAM_BYTES_MAX;
  #probeBytes = 0;
  #probesLost = 0;
  #isInFlight = false;
  #searchAtUs: Micros = 0;
  #largeLost = 0;
  #smallAcked = 0;
  /** Packet number of the newest of the small ones. */
  #smallNumber = 0;
  #lostAfter = 0;
  #lostSinceUs: Micros = 0;

  /** The peer's max_udp_payload_size. */
  setPeerMax(bytes: number): void {
    this.#limitBytes = Math.max(DATAGRAM_BYTES_MIN, Math.min(bytes, DATAGRAM_BYTES_MAX));
    this.currentBytes = Math.min(this.currentBytes, this.#limitBytes);
  }

  /** Size of the probe to send now, alone in its datagram; 0 = none. */
  probeSize(now: Micros): number {
    if (this.#isInFlight || now < this.#searchAtUs) return 0;
    if (this.#probeBytes === 0) this.#probeBytes = this.#nextSize(now);
    return this.#probeBytes;
  }

  /** The next candidate, or 0 when the search is over; then it starts anew in 600 s. */
  #nextSize(now: Micros): number {
    const untried = this.#failedBytes > this.#limitBytes;
    const upper = Math.min(this.#failedBytes, this.#limitBytes + 1);
    if (this.currentBytes < this.#limitBytes && untried) return this.#limitBytes;
    if (upper - this.currentBytes >= 2 * STEP_MIN) return (this.currentBytes + upper) >> 1;
    this.#failedBytes = DATAGRAM_BYTES_MAX + 1;
    this.#searchAtUs = now + RAISE_INTERVAL_US;
    return 0;
  }

  onProbeSent(): void {
    this.#isInFlight = true;
  }

  /** A probe of `sizeBytes` arrived. */
  onAcked(sizeBytes: number, pathNumber: number): void {
    if (pathNumber !== this.pathNumber) return;
    if (sizeBytes === this.#probeBytes) this.#endProbe();
    if (sizeBytes > this.currentBytes && sizeBytes <= this.#limitBytes && sizeBytes < this.#failedBytes) {
      this.currentBytes = sizeBytes;
    }
  }

  onLost(sizeBytes: number, pathNumber: number): void {
    if (pathNumber !== this.pathNumber || sizeBytes !== this.#probeBytes) return;
    this.#isInFlight = false;
    if (++this.#probesLost < PROBES_PER_SIZE) return;
    this.#failedBytes = sizeBytes;
    this.#endProbe();
  }

  #endProbe(): void {
    this.#isInFlight = false;
    this.#probeBytes = 0;
    this.#probesLost = 0;
  }

  /** When a new search begins; NEVER while one runs. */
  nextDeadline(now: Micros): Micros {
    return this.#isInFlight || this.#searchAtUs <= now ? NEVER : this.#searchAtUs;
  }

  /** A packet of this size arrived (size probes included: they prove it too). */
  onSizeAcked(sizeBytes: number, packetNumber: number): void {
    if (sizeBytes > DATAGRAM_BYTES_MIN) {
      this.#forgetLosses();
    } else if (this.#largeLost > 0 && this.#smallAcked < SMALL_ACKED_MIN) {
      this.#smallAcked++;
      this.#smallNumber = Math.max(this.#smallNumber, packetNumber);
    }
  }

  /** A packet of this size (no size probe) was lost. */
  onSizeLost(sizeBytes: number, packetNumber: number, now: Micros): void {
    if (sizeBytes <= DATAGRAM_BYTES_MIN || this.currentBytes === DATAGRAM_BYTES_MIN) return;
    if (this.#largeLost++ === 0) this.#lostSinceUs = now;
    if (this.#smallAcked >= SMALL_ACKED_MIN && packetNumber > this.#smallNumber) this.#lostAfter++;
    if (this.#largeLost < LARGE_LOST_MAX || this.#lostAfter < LOST_AFTER_MIN) return;
    if (now - this.#lostSinceUs >= LOST_FOR_US) {
      this.#fallBack(now + RAISE_INTERVAL_US);
    }
  }

  /** @param count Probe timeouts in a row. */
  onProbeTimeout(now: Micros, count: number): void {
    if (count >= SILENT_TIMEOUTS && this.currentBytes > DATAGRAM_BYTES_MIN) {
      this.#fallBack(now + RAISE_AFTER_SILENCE_US);
    }
  }

  #fallBack(searchAtUs: Micros): void {
    this.blackHoles++;
    this.currentBytes = DATAGRAM_BYTES_MIN;
    this.#restart(searchAtUs);
  }

  #restart(searchAtUs: Micros): void {
    this.#failedBytes = DATAGRAM_BYTES_MAX + 1;
    this.#searchAtUs = searchAtUs;
    this.#forgetLosses();
    this.#endProbe();
  }

  #forgetLosses(): void {
    this.#largeLost = 0;
    this.#smallAcked = 0;
    this.#smallNumber = 0;
    this.#lostAfter = 0;
  }

  /** Another port, perhaps another way: the size in use stays, larger ones are tried at once. */
  onPortChange(now: Micros): void {
    this.#restart(now);
  }

  /** The connection has moved to another path: from the start. */
  onPathChange(now: Micros): void {
    this.pathNumber++;
    this.currentBytes = DATAGRAM_BYTES_MIN;
    this.#restart(now);
  }
}
