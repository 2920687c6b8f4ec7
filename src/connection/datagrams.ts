/**
 * App datagrams: unreliable messages that fit one packet, with a time to live. In: messages. Out: DATAGRAM frames,
 * and for each message what became of it. Source: RFC 9221; W3C WebTransport (outgoingMaxAge).
 */
import { copyBytes, type Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { Deque } from '../track/deque.ts';
import {
  type Activate,
  type PacketRecord,
  type Sender,
  TokenKind,
  type TokenOwner,
} from '../wire/frame-source.ts';
import { datagramFrameSize, writeDatagramFrame } from '../wire/stream.ts';

/** Bytes waiting, and what holds them; beyond it the oldest are dropped. */
export const DATAGRAM_QUEUE_BYTES_MAX = 1_048_576;
/** What a waiting message costs beside its bytes, about: else empty ones would wait without bound. */
const MESSAGE_OVERHEAD_BYTES = 128;
/** Messages waiting for the application of the receiving end. */
export const INCOMING_DATAGRAMS_MAX = 1024;

/** What became of a message. */
export type DatagramOutcome = 'acknowledged' | 'lost' | 'expired' | 'dropped';

interface QueuedDatagram {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly expiresAtUs: Micros;
}

/** Called once per message. */
export type DatagramSettled = (id: number, outcome: DatagramOutcome) => void;

export class DatagramQueue implements Sender, TokenOwner {
  readonly sendOrder: number;
  readonly weight = 1;
  readonly #queue: Deque<QueuedDatagram> = new Deque<QueuedDatagram>();
  readonly #activate: Activate;
  readonly #settled: DatagramSettled;
  /** Sent, and its fate not told: a packet that counted as lost may be acknowledged later. */
  readonly #inFlight: Set<number> = new Set();
  #queuedBytes = 0;
  #nextId = 0;

  constructor(sendOrder: number, activate: Activate, settled: DatagramSettled) {
    this.sendOrder = sendOrder;
    this.#activate = activate;
    this.#settled = settled;
  }

  /** Queues a copy. The caller has checked that it fits one packet. Returns its id. */
  send(bytes: Uint8Array, timeToLiveUs: Micros, now: Micros): number {
    const id = this.#nextId++;
    this.#queue.push({ id, bytes: copyBytes(bytes), expiresAtUs: now + timeToLiveUs });
    this.#queuedBytes += bytes.length + MESSAGE_OVERHEAD_BYTES;
    while (this.#queuedBytes > DATAGRAM_QUEUE_BYTES_MAX) this.#drop('dropped');
    this.#activate(this);
    return id;
  }

  /** The path carries less than before: messages whose frame fits no packet any more would hold up all others. */
  dropAbove(frameBytesMax: number): void {
    // Once around: what fits comes to stand behind the others in the same order.
    for (let left = this.#queue.length; left > 0; left--) {
      const oldest = this.#queue.at(0) as QueuedDatagram;
      if (datagramFrameSize(oldest.bytes.length) > frameBytesMax) {
        this.#drop('dropped');
      } else {
        this.#queue.shift();
        this.#queue.push(oldest);
      }
    }
  }

  /** The connection is over: what waits is dropped, what is under way may have arrived and counts as lost. */
  end(): void {
    while (this.#queue.length > 0) this.#drop('dropped');
    for (const id of this.#inFlight) this.#settled(id, 'lost');
    this.#inFlight.clear();
  }

  hasData(now: Micros): boolean {
    let oldest = this.#queue.at(0);
    while (oldest !== undefined && oldest.expiresAtUs <= now) {
      this.#drop('expired');
      oldest = this.#queue.at(0);
    }
    return oldest !== undefined;
  }

  writeFrame(writer: Writer, record: PacketRecord, now: Micros): number {
    if (!this.hasData(now)) return 0;
    const next = this.#queue.at(0) as QueuedDatagram;
    const size = datagramFrameSize(next.bytes.length);
    if (size > writer.room) return 0;
    writeDatagramFrame(writer, next.bytes);
    record.note(TokenKind.DATAGRAM, next.id, 0, 0);
    this.#inFlight.add(next.id);
    this.#take();
    return size;
  }

  onAcked(id: number): void {
    if (this.#inFlight.delete(id)) this.#settled(id, 'acknowledged');
  }

  onLost(id: number): void {
    if (this.#inFlight.delete(id)) this.#settled(id, 'lost');
  }

  #drop(outcome: DatagramOutcome): void {
    const oldest = this.#take();
    if (oldest !== undefined) this.#settled(oldest.id, outcome);
  }

  #take(): QueuedDatagram | undefined {
    const oldest = this.#queue.shift();
    if (oldest !== undefined) this.#queuedBytes -= oldest.bytes.length + MESSAGE_OVERHEAD_BYTES;
    return oldest;
  }
}
