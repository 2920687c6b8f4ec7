/**
 * Decides whose data goes into the next packet: strictly by send order, by weight within one order.
 * In: senders that announce data. Out: frames in packets. Cost per packet does not depend on how many senders exist.
 * Source: deficit round robin (Shreedhar and Varghese, 1995); send order as in WebTransport, lanes as in GNS.
 */
import type { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import type { PacketRecord, Sender } from '../wire/frame-source.ts';

/**
 * Bytes per turn and unit of weight: about one datagram, so equal weights alternate packet by packet. No frame is larger,
 * or a sender of weight 1 would never pay its debt and have more than its share.
 */
const QUANTUM_BYTES = 1500;
/** Senders tried for the room left in one packet before it is closed: bounds the work per packet. */
const TRIES_PER_FRAME_MAX = 4;

interface Entry {
  readonly sender: Sender;
  readonly lane: Lane;
  deficitBytes: number;
  isActive: boolean;
  /** The packet in which its frame did not fit although it was its turn; 0 = none. */
  missedIn: number;
}

/** Active senders of one send order, in round-robin order. */
interface Lane {
  readonly sendOrder: number;
  /** Its senders, active or not; it is forgotten with the last one. */
  senders: number;
  readonly active: Entry[];
  /** Whose turn it is. */
  at: number;
}

export class Scheduler {
  readonly #entries: Map<Sender, Entry> = new Map();
  /** Of every send order that a sender has. */
  readonly #laneOf: Map<number, Lane> = new Map();
  /** Those with active senders, descending by send order: all that a packet costs. */
  readonly #lanes: Lane[] = [];

  #packet = 0;

  /** Tells that `sender` has data. Unknown senders are taken in. */
  readonly activate = (sender: Sender): void => {
    let entry = this.#entries.get(sender);
    if (entry === undefined) {
      entry = { sender, lane: this.#lane(sender.sendOrder), deficitBytes: 0, isActive: false, missedIn: 0 };
      entry.lane.senders++;
      this.#entries.set(sender, entry);
    }
    if (entry.isActive) return;
    entry.isActive = true;
    entry.deficitBytes = 0;
    if (entry.lane.active.push(entry) === 1) this.#insert(entry.lane);
  };

  /** Forgets a sender that has ended. */
  remove(sender: Sender): void {
    const entry = this.#entries.get(sender);
    if (entry === undefined) return;
    this.#entries.delete(sender);
    this.#deactivate(entry, entry.lane.active.indexOf(entry));
    if (--entry.lane.senders === 0) this.#laneOf.delete(entry.lane.sendOrder);
  }

  /** True when any sender has data that may leave now. */
  hasData(now: Micros): boolean {
    // Whoever has nothing is taken out, and with the last of a lane the lane.
    for (let lane = this.#lanes[0]; lane !== undefined; lane = this.#lanes[0]) {
      const at = lane.at % lane.active.length;
      const entry = lane.active[at] as Entry;
      if (entry.sender.hasData(now)) return true;
      this.#deactivate(entry, at);
    }
    return false;
  }

  /** A new packet is about to be filled. */
  beginPacket(): void {
    this.#packet++;
  }

  /** Writes one frame of whoever is next and fits. Returns bytes written; 0 = nothing, or nothing that fits. */
  writeFrame(writer: Writer, record: PacketRecord, now: Micros): number {
    let tries = 0;
    for (let i = 0; i < this.#lanes.length; ) {
      const lane = this.#lanes[i] as Lane;
      // Whose frame does not fit keeps its turn for one more packet; the room left goes to those behind it.
      let behind = 0;
      while (behind < lane.active.length && tries < TRIES_PER_FRAME_MAX) {
        if (lane.at >= lane.active.length) lane.at = 0;
        const at = (lane.at + behind) % lane.active.length;
        const entry = lane.active[at] as Entry;
        if (!entry.sender.hasData(now)) {
          this.#deactivate(entry, at);
          continue;
        }
        tries++;
        const written = entry.sender.writeFrame(writer, record, now);
        if (written > 0) {
          this.#charge(lane, entry, written, behind === 0);
          return written;
        }
        // What an empty packet did not take may never fit: it must not stand in the way of the others' turns.
        if (behind === 0 && this.#hasMissedTwice(entry)) lane.at++;
        else behind++;
      }
      // A lane that has run empty has gone, and another has its place.
      if (this.#lanes[i] === lane) i++;
    }
    return 0;
  }

  #hasMissedTwice(entry: Entry): boolean {
    const isSecond = entry.missedIn !== 0 && entry.missedIn !== this.#packet;
    entry.missedIn = isSecond ? 0 : this.#packet;
    return isSecond;
  }

  /** Whoever filled in for another pays all the same: its own turn is shorter, or passes, for it. */
  #charge(lane: Lane, entry: Entry, bytes: number, isItsTurn: boolean): void {
    entry.deficitBytes -= bytes;
    entry.missedIn = 0;
    if (!isItsTurn) return;
    if (entry.deficitBytes > 0) return;
    entry.deficitBytes += QUANTUM_BYTES * entry.sender.weight;
    lane.at++;
  }

  /** @param at Its place, unless it has ended while it was asked: then it is gone, and another may be there. */
  #deactivate(entry: Entry, at: number): void {
    const { lane } = entry;
    if (lane.active[at] !== entry) return;
    entry.isActive = false;
    lane.active.splice(at, 1);
    if (lane.at > at) lane.at--;
    if (lane.active.length === 0) this.#lanes.splice(this.#lanes.indexOf(lane), 1);
  }

  #lane(sendOrder: number): Lane {
    let lane = this.#laneOf.get(sendOrder);
    if (lane === undefined) {
      lane = { sendOrder, senders: 0, active: [], at: 0 };
      this.#laneOf.set(sendOrder, lane);
    }
    return lane;
  }

  #insert(lane: Lane): void {
    let at = 0;
    while (at < this.#lanes.length && (this.#lanes[at] as Lane).sendOrder > lane.sendOrder) at++;
    this.#lanes.splice(at, 0, lane);
  }
}
