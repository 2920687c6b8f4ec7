/**
 * A first-in first-out queue in front of a server of limited speed. In: packets. Out: each packet when it has been
 * served, or a refusal when the queue is full. The speed may change at any time, also while a packet is in service.
 */
import type { Capacity } from './capacity.ts';
import type { QueueSpec } from './link-options.ts';
import type { Simulator } from './simulator.ts';

/** Serves in order. Cost per packet: O(log n) for its one event. */
export class DropTailQueue<Packet extends { readonly sizeBytes: number }> {
  readonly #sim: Simulator;
  readonly #onServed: (packet: Packet) => void;
  readonly #packets: (Packet | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #limit: QueueSpec;
  #capacity: Capacity;
  /** The last rate above 0: a limit in milliseconds must not shrink to nothing while the link stands still. */
  #limitRateBps = 0;
  #isServing = false;
  /** Service times with the fractions that the clock cannot show: otherwise rates would drift by up to 10 %. */
  #startUs = 0;
  #finishUs = 0;
  /** Grows when the service in progress is planned anew; an event of an older plan is ignored. */
  #plan = 0;

  constructor(sim: Simulator, capacity: Capacity, limit: QueueSpec, onServed: (packet: Packet) => void) {
    this.#sim = sim;
    this.#capacity = capacity;
    this.#limit = limit;
    this.#onServed = onServed;
  }

  /** Bytes waiting, with those of the packet in service. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Packets waiting, with the one in service. */
  get length(): number {
    return this.#packets.length - this.#head;
  }

  /** Puts a packet at the end. False when it does not fit; a packet always fits into an empty queue. */
  push(packet: Packet): boolean {
    if (this.length > 0 && !this.#hasRoom(packet.sizeBytes)) return false;
    this.#packets.push(packet);
    this.#bytes += packet.sizeBytes;
    if (!this.#isServing) this.#serveNext(Math.max(this.#finishUs, this.#sim.now));
    return true;
  }

  setLimit(limit: QueueSpec): void {
    this.#limit = limit;
  }

  /** Changes the speed from now on; the rest of the packet in service is served at the new one. */
  setCapacity(capacity: Capacity): void {
    this.#limitRateBps = this.#capacity.rateAt(this.#sim.now) || this.#limitRateBps;
    this.#capacity = capacity;
    const current = this.#packets[this.#head];
    if (!this.#isServing || current === undefined) {
      this.#finishUs = Math.min(this.#finishUs, this.#sim.now);
      return;
    }
    const now = this.#sim.now;
    const spanUs = this.#finishUs - this.#startUs;
    const restRatio = spanUs > 0 && now < this.#finishUs ? Math.min(1, (this.#finishUs - now) / spanUs) : 0;
    const restBytes = current.sizeBytes * (Number.isFinite(spanUs) ? restRatio : 1);
    this.#planService(now, restBytes);
  }

  #hasRoom(sizeBytes: number): boolean {
    const { bytes, ms, packets } = this.#limit;
    const after = this.#bytes + sizeBytes;
    if (packets !== undefined && this.length >= packets) return false;
    if (bytes !== undefined && after > bytes) return false;
    if (ms === undefined) return true;
    const rateBps = this.#capacity.rateAt(this.#sim.now);
    if (rateBps > 0) this.#limitRateBps = rateBps;
    return after * 8_000 <= ms * this.#limitRateBps;
  }

  #serveNext(startUs: number): void {
    const next = this.#packets[this.#head];
    if (next === undefined) {
      this.#isServing = false;
      return;
    }
    this.#isServing = true;
    this.#planService(startUs, next.sizeBytes);
  }

  #planService(startUs: number, sizeBytes: number): void {
    const plan = ++this.#plan;
    this.#startUs = startUs;
    this.#finishUs = this.#capacity.finishAt(startUs, sizeBytes);
    // A nanosecond less: sums of fractions end a hair above whole microseconds, and rounding up must not see it.
    this.#sim.schedule(this.#finishUs - 0.001, () => {
      if (plan === this.#plan) this.#serve();
    });
  }

  #serve(): void {
    const packet = this.#packets[this.#head] as Packet;
    this.#packets[this.#head++] = undefined;
    this.#bytes -= packet.sizeBytes;
    if (this.#head > 64 && this.#head * 2 > this.#packets.length) {
      this.#packets.splice(0, this.#head);
      this.#head = 0;
    }
    this.#serveNext(this.#finishUs);
    this.#onServed(packet);
  }
}
