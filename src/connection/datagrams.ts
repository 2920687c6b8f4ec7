/**
 * App datagrams: unreliable messages that fit one packet, with a time to live. In: messages. Out: DATAGRAM frames,
 * and for each message what became of it. Source: RFC 9221; W3C WebTransport (outgoingMaxAge).
 */
import { copyBytes, type Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import {
  type Activate,
  type PacketRecord,
  type Sender,
  TokenKind,
  type TokenOwner,
} from '../wire/frame-source.ts';
import { datagramFrameSize, writeDatagramFrame } from '../wire/stream.ts';

/** Bytes waiting; beyond it the oldest are dropped. */
export const DATAGRAM_QUEUE_BYTES_MAX = 1_048_576;
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
  readonly #queue: QueuedDatagram[] = [];
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
    this.#queuedBytes += bytes.length;
    while (this.#queuedBytes > DATAGRAM_QUEUE_BYTES_MAX) this.#drop('dropped');
    this.#activate(this);
    return id;
  }

  /** The path carries less than before: messages whose frame fits no packet any more would hold up all others. */
  dropAbove(frameBytesMax: number): void {
    let kept = 0;
    for (const waiting of this.#queue) {
      if (datagramFrameSize(waiting.bytes.length) <= frameBytesMax) {
        this.#queue[kept++] = waiting;
        continue;
      }
      this.#queuedBytes -= waiting.bytes.length;
      this.#settled(waiting.id, 'dropped');
    }
    this.#queue.length = kept;
  }

  /** The connection is over: what waits is dropped, what is under way may have arrived and counts as lost. */
  end(): void {
    while (this.#queue.length > 0) this.#drop('dropped');
    for (const id of this.#inFlight) this.#settled(id, 'lost');
    this.#inFlight.clear();
  }

  hasData(now: Micros): boolean {
    while (this.#queue.length > 0 && (this.#queue[0] as QueuedDatagram).expiresAtUs <= now)
      this.#drop('expired');
    return this.#queue.length > 0;
  }

  writeFrame(writer: Writer, record: PacketRecord, now: Micros): number {
    if (!this.hasData(now)) return 0;
    const next = this.#queue[0] as QueuedDatagram;
    const size = datagramFrameSize(next.bytes.length);
    if (size > writer.room) return 0;
    writeDatagramFrame(writer, next.bytes);
    record.note(TokenKind.DATAGRAM, next.id, 0, 0);
    this.#inFlight.add(next.id);
    this.#queue.shift();
    this.#queuedBytes -= next.bytes.length;
    return size;
  }

  onAcked(id: number): void {
    if (this.#inFlight.delete(id)) this.#settled(id, 'acknowledged');
  }

  onLost(id: number): void {
    if (this.#inFlight.delete(id)) this.#settled(id, 'lost');
  }

  #drop(outcome: DatagramOutcome): void {
    const oldest = this.#queue.shift();
    if (oldest === undefined) return;
    this.#queuedBytes -= oldest.bytes.length;
    this.#settled(oldest.id, outcome);
  }
}
