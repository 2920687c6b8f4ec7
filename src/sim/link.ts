/**
 * One direction of a path. A packet passes, in this order:
 *   taps > size limit > blackout > policer > loss > duplication > queue and rate > delay, jitter, reordering >
 *   corruption > delivery      (`lossPlace: 'after-queue'` moves loss behind the queue)
 *
 * Use:
 *   const link = new Link(sim, { rateBps: 20e6, queue: { ms: 100 }, delayMs: 30, loss: { kind: 'iid', ratio: 0.01 } });
 *   link.onDeliver = (datagram, sizeBytes, address) => ...;
 *   link.send(datagram, datagram.length + UDP_IPV4_HEADER_BYTES);
 * Several flows share one link through `link.open(deliver)`, each with payloads of its own type. The link keeps the
 * payload until it delivers it: the sender must not write into it again.
 */
import type { Micros } from '../base/protocol.ts';
import type { SeededRandom } from '../base/random.ts';
import { type Capacity, createCapacity } from './capacity.ts';
import { DropTailQueue } from './drop-tail-queue.ts';
import { drawJitter, flipBits, isBlackedOut, isOver, Policer } from './impairments.ts';
import {
  type BlackoutSpec,
  createLinkStatistics,
  type LinkOptions,
  type LinkStatistics,
} from './link-options.ts';
import { createLoss, type LossModel } from './loss.ts';
import type { Simulator } from './simulator.ts';

/**
 * Receives what a link carried. `address` names the client's side of the flow: the source of what goes up, the
 * destination of what comes down (see nat.ts); 0 where nobody cares.
 */
export type Deliver<Payload> = (payload: Payload, sizeBytes: number, address: number) => void;

/** Whatever takes packets: a link, a flow's share of a link, a NAT in front of a link. */
export interface Outlet<Payload> {
  /** Sends one packet of `sizeBytes` bytes on the wire, IP header included. */
  send(payload: Payload, sizeBytes: number, address?: number): void;
}

/** A packet as a tap sees it. A tap may replace `payload`, `sizeBytes` or `address`, not write into the payload. */
export interface CarriedPacket {
  payload: unknown;
  sizeBytes: number;
  address: number;
}

/** An attacker or observer on the path: sees each packet as it enters, before anything else. False drops it. */
export type Tap = (packet: CarriedPacket, nowUs: Micros, link: Link) => boolean;

interface LinkPacket extends CarriedPacket {
  readonly deliver: Deliver<never>;
}

/** What becomes of a packet, as the trace hash is told. */
const LOST = 1;
const QUEUE_DROPPED = 2;
const POLICED = 3;
const OVERSIZED = 4;
const BLACKED_OUT = 5;
const TAPPED = 6;
const CORRUPTED_DROPPED = 7;
const DELIVERED = 8;

/** One direction of a path, shared by any number of flows. */
export class Link implements Outlet<Uint8Array> {
  /** Where packets go that were sent with `send`. */
  onDeliver: Deliver<Uint8Array> = () => {};
  readonly statistics: LinkStatistics = createLinkStatistics();
  readonly #sim: Simulator;
  readonly #random: SeededRandom;
  readonly #identity: number;
  readonly #taps: Tap[] = [];
  readonly #deliverDefault: Deliver<Uint8Array> = (payload, sizeBytes, address) =>
    this.onDeliver(payload, sizeBytes, address);
  #options: LinkOptions = {};
  #blackouts: BlackoutSpec[] = [];
  #queue: DropTailQueue<LinkPacket> | undefined;
  #loss: LossModel | undefined;
  #lossIndex = 0;
  #corruption: LossModel | undefined;
  #corruptionIndex = 0;
  #policer: Policer | undefined;
  #lastDeliveryUs: Micros = 0;

  constructor(sim: Simulator, options: LinkOptions = {}) {
    this.#sim = sim;
    this.#random = sim.random.fork();
    this.#identity = sim.nextIdentity();
    this.update(options);
  }

  get name(): string {
    return this.#options.name ?? 'link';
  }

  /** The options in force. */
  get options(): LinkOptions {
    return this.#options;
  }

  /** Bytes in the queue, with the packet being sent. */
  get queueBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  /** Changes the options named; the others stay, with their state. Packets already on their way keep their delay. */
  update(changes: LinkOptions): void {
    this.#options = { ...this.#options, ...changes };
    if (changes.loss !== undefined) {
      this.#loss = createLoss(changes.loss, this.#random.fork());
      this.#lossIndex = 0;
    }
    if (changes.corrupt !== undefined) {
      this.#corruption = createLoss({ kind: 'iid', ...changes.corrupt }, this.#random.fork());
      this.#corruptionIndex = 0;
    }
    if (changes.policer !== undefined) this.#policer = new Policer(changes.policer, this.#sim.now);
    if (changes.blackouts !== undefined) this.#blackouts = [...changes.blackouts];
    if (changes.rateBps !== undefined)
      this.#setCapacity(createCapacity({ kind: 'rate', rateBps: changes.rateBps }));
    if (changes.capacity !== undefined) this.#setCapacity(createCapacity(changes.capacity));
    if (changes.queue !== undefined) this.#queue?.setLimit(changes.queue);
  }

  #setCapacity(capacity: Capacity): void {
    if (this.#queue !== undefined) {
      this.#queue.setCapacity(capacity);
      return;
    }
    const limit = this.#options.queue ?? {};
    this.#queue = new DropTailQueue(this.#sim, capacity, limit, (packet) => this.#leaveQueue(packet));
  }

  /** Loses everything that enters from now on for so long. */
  blackout(durationMs: number): void {
    const nowMs = this.#sim.now / 1_000;
    this.#blackouts = this.#blackouts.filter((blackout) => !isOver(blackout, nowMs));
    this.#blackouts.push({ startMs: nowMs, durationMs });
  }

  /** Adds an observer or attacker on the path; they see packets in the order they were added. */
  addTap(tap: Tap): void {
    this.#taps.push(tap);
  }

  send(datagram: Uint8Array, sizeBytes: number, address = 0): void {
    this.#offer({ payload: datagram, sizeBytes, address, deliver: this.#deliverDefault as Deliver<never> });
  }

  /** A share of this link for one flow, delivered to `deliver` instead of `onDeliver`. */
  open<Payload>(deliver: Deliver<Payload>): Outlet<Payload> {
    return {
      send: (payload, sizeBytes, address = 0) => {
        this.#offer({ payload, sizeBytes, address, deliver: deliver as Deliver<never> });
      },
    };
  }

  /**
   * Puts a forged datagram on the link, past the taps: what an attacker does, on the path (with what a tap has shown
   * it) or off it (knowing the address only). It is delivered to `onDeliver`.
   */
  inject(datagram: Uint8Array, sizeBytes: number, address = 0): void {
    this.statistics.injected++;
    this.#enter({ payload: datagram, sizeBytes, address, deliver: this.#deliverDefault as Deliver<never> });
  }

  #offer(packet: LinkPacket): void {
    const { statistics } = this;
    statistics.offered++;
    statistics.offeredBytes += packet.sizeBytes;
    for (let i = 0; i < this.#taps.length; i++) {
      if (!(this.#taps[i] as Tap)(packet, this.#sim.now, this)) {
        statistics.tapped++;
        this.#record(TAPPED, packet);
        return;
      }
    }
    this.#enter(packet);
  }

  #enter(packet: LinkPacket): void {
    const { statistics } = this;
    const options = this.#options;
    const now = this.#sim.now;
    if (options.sizeLimitBytes !== undefined && packet.sizeBytes > options.sizeLimitBytes) {
      statistics.oversized++;
      this.#record(OVERSIZED, packet);
      return;
    }
    if (this.#blackouts.length > 0 && isBlackedOut(this.#blackouts, now)) {
      statistics.blackedOut++;
      this.#record(BLACKED_OUT, packet);
      return;
    }
    if (this.#policer !== undefined && !this.#policer.admits(now, packet.sizeBytes)) {
      statistics.policed++;
      this.#record(POLICED, packet);
      return;
    }
    if (options.lossPlace !== 'after-queue' && this.#isLost(packet)) return;
    statistics.held++;
    if (options.duplicate !== undefined && this.#random.unit() < options.duplicate.ratio) {
      statistics.duplicated++;
      statistics.held++;
      const copy = { ...packet };
      this.#enqueue(packet);
      this.#sim.schedule(now + (options.duplicate.delayMs ?? 0) * 1_000, () => this.#enqueue(copy));
      return;
    }
    this.#enqueue(packet);
  }

  #isLost(packet: LinkPacket): boolean {
    if (this.#loss === undefined) return false;
    if (!this.#loss.isLost(this.#sim.now, packet.sizeBytes, this.#lossIndex++)) return false;
    this.statistics.lost++;
    this.#record(LOST, packet);
    return true;
  }

  #enqueue(packet: LinkPacket): void {
    if (this.#queue === undefined) {
      this.#leaveQueue(packet);
      return;
    }
    if (!this.#queue.push(packet)) {
      this.statistics.held--;
      this.statistics.queueDropped++;
      this.#record(QUEUE_DROPPED, packet);
      return;
    }
    if (this.#queue.bytes > this.statistics.queueBytesMax) this.statistics.queueBytesMax = this.#queue.bytes;
  }

  #leaveQueue(packet: LinkPacket): void {
    const { delayMs, jitter, reorder, lossPlace } = this.#options;
    if (lossPlace === 'after-queue' && this.#isLost(packet)) {
      this.statistics.held--;
      return;
    }
    let delayUs = (delayMs ?? 0) * 1_000;
    if (jitter !== undefined) delayUs = Math.max(0, delayUs + drawJitter(jitter, this.#random));
    let atUs = Math.round(this.#sim.now + delayUs);
    if (reorder !== undefined && this.#random.unit() < reorder.ratio) {
      // Not subject to keeping order: that it arrives late, and alone, is the point.
      atUs += Math.round(reorder.delayMs * 1_000);
      this.statistics.reordered++;
    } else if (jitter?.keepOrder !== false) {
      atUs = Math.max(atUs, this.#lastDeliveryUs);
      this.#lastDeliveryUs = atUs;
    }
    this.#sim.schedule(atUs, () => this.#arrive(packet));
  }

  #arrive(packet: LinkPacket): void {
    const { statistics } = this;
    statistics.held--;
    if (this.#corruption?.isLost(this.#sim.now, packet.sizeBytes, this.#corruptionIndex++)) {
      if (!(packet.payload instanceof Uint8Array)) {
        statistics.corruptedDropped++;
        this.#record(CORRUPTED_DROPPED, packet);
        return;
      }
      statistics.corrupted++;
      packet.payload = flipBits(packet.payload, this.#options.corrupt?.bits ?? 1, this.#random);
    }
    statistics.delivered++;
    statistics.deliveredBytes += packet.sizeBytes;
    this.#record(DELIVERED, packet);
    if (this.#sim.hashPayload && packet.payload instanceof Uint8Array)
      this.#sim.trace.addBytes(packet.payload);
    packet.deliver(packet.payload as never, packet.sizeBytes, packet.address);
  }

  #record(fate: number, packet: LinkPacket): void {
    const { trace } = this.#sim;
    trace.add(this.#sim.now);
    trace.add(this.#identity * 16 + fate);
    trace.add(packet.sizeBytes * 4_294_967_296 + (packet.address % 4_294_967_296));
  }
}
