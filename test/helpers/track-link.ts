/**
 * Two sets of tracks coupled through a lossy link in virtual time, without packets of the real wire: a packet is bytes
 * of frames, its number, and the numbers that it acknowledges. Loss detection is the plainest that works.
 */
import { Reader, Writer } from '../../src/base/bytes.ts';
import { MILLISECOND, type Micros, NEVER } from '../../src/base/protocol.ts';
import { BlockDecoder } from '../../src/fec/decoder.ts';
import { BlockEncoder } from '../../src/fec/encoder.ts';
import { ReferenceCodec } from '../../src/fec/reference-codec.ts';
import type { TrackReceiver } from '../../src/track/receive.ts';
import type { TrackSender } from '../../src/track/send.ts';
import { TrackSet } from '../../src/track/set.ts';
import type { LiveTrackOptions } from '../../src/track/set-options.ts';
import type {
  Announcement,
  Outcome,
  PathView,
  ReceivedFrame,
  RedundancyPolicy,
} from '../../src/track/types.ts';
import { TrackAckFrame } from '../../src/wire/ack.ts';
import { type PacketRecord, type Sender, TokenKind } from '../../src/wire/frame-source.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { RepairFrame, SymbolFrame } from '../../src/wire/symbol.ts';
import { fixedPolicy } from './fixed-policy.ts';

/** Room for frames in a datagram of 1200 bytes: header 13, tag 16. */
export const PAYLOAD_BYTES = 1171;
const REORDER_PACKETS = 3;
const ACKS_KEPT = 512;

export interface Packet {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly acks: readonly number[];
  readonly isEliciting: boolean;
}

export interface LinkOptions {
  readonly delayUs?: Micros;
  /** Bits per second of the media direction; default 50 Mbit/s. */
  readonly capacityBps?: number;
  /** True: this packet of the client's is lost. */
  readonly drop?: (packet: Packet, now: Micros) => boolean;
  readonly dropFeedback?: (packet: Packet, now: Micros) => boolean;
  /** Additional delay of one packet. */
  readonly jitter?: (packet: Packet, now: Micros) => Micros;
  /** How often the packet arrives; default 1. */
  readonly copies?: (packet: Packet) => number;
  readonly policy?: RedundancyPolicy;
  /** Call `poll` at once for every frame; default true. */
  readonly reads?: boolean;
  readonly startUs?: Micros;
  /** The receiver's clock is this far ahead. */
  readonly skewUs?: Micros;
  /** Streams of reliable tracks have come as soon as they are announced; default not. */
  readonly isStreamReceived?: boolean;
  /** What either end asks for; default no wish. */
  readonly latencyWishUs?: Micros;
}

interface SentPacket {
  readonly tokens: readonly (readonly [number, number, number, number])[];
  readonly sentAtUs: Micros;
}

/** One end. Times it is given are on its own clock. */
export class TrackEnd {
  readonly set: TrackSet;
  readonly path: { -readonly [Key in keyof PathView]: PathView[Key] } = {
    smoothedRttUs: 40 * MILLISECOND,
    rttVarianceUs: 2 * MILLISECOND,
    oneWayDelayUs: 20 * MILLISECOND,
    packetUs: MILLISECOND,
    lossRatio: 0,
    heardAtUs: 0,
    maxPayloadBytes: PAYLOAD_BYTES,
  };
  readonly announced: Announcement[] = [];
  readonly receivers: TrackReceiver[] = [];
  readonly outcomes: Map<string, Outcome[]> = new Map();
  readonly delivered: { readonly id: number; readonly at: Micros; readonly frame: ReceivedFrame }[] = [];
  readonly log: string[] = [];
  readonly errors: number[] = [];
  readonly #active: Set<Sender> = new Set();
  readonly #sent: Map<number, SentPacket> = new Map();
  readonly #received: Set<number> = new Set();
  readonly #capacityBps: number;
  readonly #reads: boolean;
  #now: Micros = 0;
  #number = 0;
  #largestAcked = -1;
  #largestReceived = -1;
  #freeAtUs: Micros = 0;
  #ackDueUs: Micros = NEVER;
  #unackedCount = 0;
  #lastAckUs: Micros = 0;
  #hasFrameEnded = false;
  #isBlocked = false;
  wireBytes = 0;
  packets = 0;

  constructor(isServer: boolean, options: LinkOptions) {
    const codec = new ReferenceCodec();
    this.#capacityBps = options.capacityBps ?? 50e6;
    this.#reads = options.reads ?? true;
    const rtt = 2 * (options.delayUs ?? 20 * MILLISECOND);
    this.path.smoothedRttUs = rtt;
    this.path.oneWayDelayUs = rtt / 2;
    this.set = new TrackSet({
      isServer,
      activate: (sender) => this.#active.add(sender),
      deactivate: (sender) => this.#active.delete(sender),
      path: this.path,
      streams: {
        mayCarry: (id) => id % 8 === (isServer ? 6 : 7),
        isReceived: () => options.isStreamReceived ?? false,
      },
      makeRepairMaker: () => new BlockEncoder(codec),
      policy: options.policy ?? fixedPolicy(0),
      makeDecoder: () => new BlockDecoder(codec),
      latencyWishUs: () => options.latencyWishUs ?? 0,
      events: {
        onAnnounced: (id, announcement, receiver) => {
          this.announced.push(announcement);
          if (receiver !== undefined) this.receivers.push(receiver);
          this.set.receiver(id);
        },
        onReadable: (id) => {
          this.log.push(`readable ${id}`);
          const receiver = this.receivers.find((r) => r.id === id);
          if (this.#reads && receiver !== undefined) this.drain(receiver);
        },
        onEnded: (id) => this.log.push(`ended ${id}`),
        onSettled: (id, frameId, outcome) => {
          const key = `${id}/${frameId}`;
          this.outcomes.set(key, [...(this.outcomes.get(key) ?? []), outcome]);
        },
        onSenderEnded: (id) => this.log.push(`sender ended ${id}`),
        onStopped: (id, code) => this.log.push(`stopped ${id} ${code}`),
        onKeyFrameRequested: (id) => this.log.push(`key frame ${id}`),
        onFrameEnd: () => {
          this.#hasFrameEnded = true;
        },
        onWantsToSend: () => {},
      },
    });
    this.set.applyPeerParameters({ maxTracks: 1024 });
  }

  drain(receiver: TrackReceiver): void {
    for (let frame = receiver.poll(); frame !== undefined; frame = receiver.poll()) {
      this.delivered.push({ id: receiver.id, at: this.#now, frame });
    }
  }

  /** The next packet to leave now. */
  poll(now: Micros): Packet | undefined {
    this.#now = now;
    const hasAck = this.#ackDueUs <= now;
    const tokens: [number, number, number, number][] = [];
    const record: PacketRecord = { note: (kind, a, b, c) => tokens.push([kind, a, b, c]) };
    const writer = new Writer().reset(new Uint8Array(this.path.maxPayloadBytes));
    if (hasAck) this.set.writeFeedback(writer, record, now);
    this.set.writeFrames(writer, record, now);
    if (now >= this.#freeAtUs) this.#writeData(writer, record, now);
    if (writer.at === 0 && !hasAck) return undefined;
    const bytes = writer.bytes.slice(0, writer.at);
    const number = this.#number++;
    if (tokens.length > 0) this.#sent.set(number, { tokens, sentAtUs: now });
    const wire = bytes.length + 29 + 28;
    this.wireBytes += wire;
    this.packets++;
    this.#freeAtUs = Math.max(this.#freeAtUs, now) + Math.ceil((wire * 8e6) / this.#capacityBps);
    if (hasAck) {
      this.#ackDueUs = NEVER;
      this.#unackedCount = 0;
      this.#lastAckUs = now;
    }
    const acks = hasAck ? [...this.#received].slice(-ACKS_KEPT) : [];
    return { number, bytes, acks, isEliciting: tokens.length > 0 };
  }

  #writeData(writer: Writer, record: PacketRecord, now: Micros): void {
    const senders = [...this.#active].sort((a, b) => b.sendOrder - a.sendOrder);
    const before = writer.at;
    for (const sender of senders) {
      if (!sender.hasData(now)) this.#active.delete(sender);
      while (sender.hasData(now) && sender.writeFrame(writer, record, now) > 0);
    }
    // Something waits that did not fit beside control frames: the next packet has it.
    this.#isBlocked = writer.at === before && this.#active.size > 0;
  }

  receive(packet: Packet, now: Micros): void {
    this.#now = now;
    if (this.#received.has(packet.number)) return;
    this.#received.add(packet.number);
    for (const number of packet.acks) this.#acked(number, now);
    if (packet.acks.length > 0) this.#detectLoss(now);
    this.#hasFrameEnded = false;
    const error = this.#parse(packet.bytes, now);
    if (error !== 0) this.errors.push(error);
    if (!packet.isEliciting) return;
    const isGap = packet.number !== this.#largestReceived + 1;
    this.#largestReceived = Math.max(this.#largestReceived, packet.number);
    this.#unackedCount++;
    this.#ackDueUs = Math.min(this.#ackDueUs, now + 25 * MILLISECOND);
    if (isGap || this.#unackedCount >= 16) this.#ackDueUs = now;
    if (this.#hasFrameEnded) {
      this.#ackDueUs = Math.min(this.#ackDueUs, Math.max(now, this.#lastAckUs + 5 * MILLISECOND));
    }
  }

  #acked(number: number, now: Micros): void {
    const sent = this.#sent.get(number);
    if (sent === undefined) return;
    this.#sent.delete(number);
    this.#largestAcked = Math.max(this.#largestAcked, number);
    for (const [kind, a, b, c] of sent.tokens) this.#owner(kind).onAcked(a, b, c, now);
  }

  #owner(kind: number): TrackSet['dataOwner'] {
    return kind === TokenKind.TRACK ? this.set.dataOwner : this.set;
  }

  #detectLoss(now: Micros): void {
    const timeThreshold = (this.path.smoothedRttUs * 9) / 8;
    for (const [number, sent] of [...this.#sent]) {
      if (number > this.#largestAcked) return;
      const isLate = now - sent.sentAtUs >= timeThreshold;
      if (number <= this.#largestAcked - REORDER_PACKETS || isLate) this.#lose(number, sent, now);
    }
  }

  #lose(number: number, sent: SentPacket, now: Micros): void {
    this.#sent.delete(number);
    for (const [kind, a, b, c] of sent.tokens) this.#owner(kind).onLost(a, b, c, now);
  }

  get #probeTimeoutUs(): Micros {
    const first = this.#sent.values().next();
    if (first.done === true) return NEVER;
    return first.value.sentAtUs + 2 * this.path.smoothedRttUs + 30 * MILLISECOND;
  }

  handleTimeout(now: Micros): void {
    this.#now = now;
    if (this.#probeTimeoutUs <= now) {
      const [first] = this.#sent;
      if (first !== undefined) this.#lose(first[0], first[1], now);
    }
    this.set.handleTimeout(now);
  }

  nextDeadline(): Micros {
    const data = this.#active.size > 0 ? this.#freeAtUs + (this.#isBlocked ? 1 : 0) : NEVER;
    return Math.min(data, this.#ackDueUs, this.#probeTimeoutUs, this.set.nextDeadline());
  }

  #parse(bytes: Uint8Array, now: Micros): number {
    const reader = new Reader().reset(bytes);
    while (reader.remaining > 0) {
      const type = reader.u8();
      let error = 0;
      if (type === FrameType.TRACK_ACK) {
        const frame = new TrackAckFrame();
        error = frame.parse(reader) || this.set.onTrackAck(frame, now);
      } else if (type >= FrameType.SYMBOL && type < FrameType.SYMBOL + 8) {
        const frame = new SymbolFrame();
        error = frame.parse(reader, type) || this.set.onSymbol(frame, now);
      } else if (type === FrameType.REPAIR || type === FrameType.REPAIR + 1) {
        const frame = new RepairFrame();
        error = frame.parse(reader, type) || this.set.onRepair(frame, now);
      } else {
        error = this.set.onControlFrame(type, reader, now);
      }
      if (error !== 0) return error;
    }
    return 0;
  }
}

interface Event {
  readonly at: Micros;
  readonly run: (now: Micros) => void;
}

/** A sending client and a receiving server, and the link between them. */
export class TrackLink {
  readonly client: TrackEnd;
  readonly server: TrackEnd;
  readonly #options: LinkOptions;
  readonly #events: Event[] = [];
  readonly #skewUs: Micros;
  now: Micros;

  constructor(options: LinkOptions = {}) {
    this.#options = options;
    this.client = new TrackEnd(false, options);
    this.server = new TrackEnd(true, options);
    this.now = options.startUs ?? 1_000_000;
    this.#skewUs = options.skewUs ?? 0;
  }

  open(options: Partial<LiveTrackOptions> = {}): TrackSender {
    return this.client.set.openLive({ kind: 'video', latencyUs: 120_000, ...options }) as TrackSender;
  }

  /** Runs `task` at `at`. */
  at(at: Micros, run: (now: Micros) => void): void {
    let index = this.#events.length;
    while (index > 0 && (this.#events[index - 1] as Event).at > at) index--;
    this.#events.splice(index, 0, { at, run });
  }

  /** Runs virtual time on to `until`. */
  run(until: Micros): void {
    for (let steps = 0; ; steps++) {
      if (steps > 5_000_000) throw new Error('virtual time stands still');
      this.#transmit();
      const timers = Math.min(this.client.nextDeadline(), this.server.nextDeadline() - this.#skewUs);
      const next = Math.min(this.#events[0]?.at ?? NEVER, timers);
      if (next > until) break;
      this.now = Math.max(this.now, next);
      while ((this.#events[0]?.at ?? NEVER) <= this.now) (this.#events.shift() as Event).run(this.now);
      if (this.client.nextDeadline() <= this.now) this.client.handleTimeout(this.now);
      const serverNow = this.now + this.#skewUs;
      if (this.server.nextDeadline() <= serverNow) this.server.handleTimeout(serverNow);
    }
    this.now = Math.max(this.now, until);
  }

  #transmit(): void {
    const { delayUs = 20 * MILLISECOND, drop, dropFeedback, jitter, copies } = this.#options;
    for (let packet = this.client.poll(this.now); packet !== undefined; packet = this.client.poll(this.now)) {
      const sent = packet;
      if (drop?.(sent, this.now) === true) continue;
      const arrival = this.now + delayUs + (jitter?.(sent, this.now) ?? 0);
      const count = copies?.(sent) ?? 1;
      for (let i = 0; i < count; i++) {
        this.at(arrival + i, (now) => this.server.receive(sent, now + this.#skewUs));
      }
    }
    const serverNow = this.now + this.#skewUs;
    for (
      let packet = this.server.poll(serverNow);
      packet !== undefined;
      packet = this.server.poll(serverNow)
    ) {
      const sent = packet;
      if (dropFeedback?.(sent, this.now) === true) continue;
      this.at(this.now + delayUs, (now) => this.client.receive(sent, now));
    }
  }
}

/** Bytes that differ per frame. */
export function mediaBytes(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
