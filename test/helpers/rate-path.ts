/**
 * A sender with loss recovery, pacer and controller, a receiver with feedback, and a bottleneck between them, in
 * virtual time: the smallest world in which rate control can be judged. Real ACK bytes travel; frames do not.
 */
import { Reader, Writer } from '../../src/base/bytes.ts';
import { NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { RateController } from '../../src/rate/controller.ts';
import { LossRecovery } from '../../src/recovery/loss-recovery.ts';
import { Pacer } from '../../src/recovery/pacer.ts';
import { ReceivedPackets } from '../../src/recovery/received-packets.ts';
import { RttEstimator } from '../../src/recovery/rtt.ts';
import { PacketFlag } from '../../src/recovery/sent-packets.ts';
import { AckFrame } from '../../src/wire/ack.ts';
import { TOKEN_KINDS, TokenKind, type TokenOwner } from '../../src/wire/frame-source.ts';

export interface RatePathOptions {
  readonly controller: RateController;
  readonly seed: number;
  /** Bits per second at a time, us. */
  readonly capacityBps: (nowUs: number) => number;
  readonly rttMs: number;
  /** Drop-tail limit, ms at the capacity of the moment. */
  readonly queueMs: number;
  /** Random loss, and where it strikes. */
  readonly loss?: (nowUs: number) => number;
  readonly lossPlace?: 'before' | 'after';
  readonly ackLoss?: number;
  /** Event loops of both ends are busy for up to so long after each turn. */
  readonly turnMs?: number;
  /** Nothing passes in either direction while this is true. */
  readonly isOut?: (nowUs: number) => boolean;
  readonly packetBytes?: number;
  /** Media: frames per second and the share of the target that the encoder fills; default bulk. */
  readonly media?: { readonly framesPerSecond: number; readonly share: number; readonly maxBps: number };
  /** How far the receiver's clock is ahead, us; and how much faster it runs, parts per million. */
  readonly clockOffsetUs?: number;
  readonly clockDriftPpm?: number;
  readonly onTick?: (nowUs: number, controller: RateController) => void;
}

/** Percentiles of the bottleneck's queue as packets met it, and rates, between two instants. */
export interface Report {
  readonly deliveredBps: number;
  readonly sentBps: number;
  readonly queueP50Ms: number;
  readonly queueP95Ms: number;
  readonly lossRatio: number;
}

const NOBODY: TokenOwner = { onAcked() {}, onLost() {} };
const SLOT_US = 50_000;

/** A first-in first-out list of (time, packet number or bytes). */
class Fifo {
  readonly times: number[] = [];
  readonly values: number[] = [];
  head = 0;
  get next(): number {
    return this.head < this.times.length ? (this.times[this.head] as number) : NEVER;
  }
  push(time: number, value: number): void {
    this.times.push(time);
    this.values.push(value);
  }
  shift(): number {
    const value = this.values[this.head++] as number;
    if (this.head > 4096) {
      this.times.splice(0, this.head);
      this.values.splice(0, this.head);
      this.head = 0;
    }
    return value;
  }
}

export class RatePath {
  now = 0;
  readonly recovery: LossRecovery;
  readonly rtt: RttEstimator = new RttEstimator();
  readonly received: ReceivedPackets = new ReceivedPackets();
  spuriousLosses = 0;
  readonly #options: RatePathOptions;
  readonly #controller: RateController;
  readonly #pacer: Pacer;
  readonly #random: SeededRandom;
  readonly #forward = new Fifo();
  readonly #backward = new Fifo();
  readonly #acks: Uint8Array[] = [];
  readonly #ack = new AckFrame();
  readonly #writer = new Writer();
  readonly #reader = new Reader();
  readonly #packetBytes: number;
  #linkFreeAt = 0;
  #senderFreeAt = 0;
  #receiverFreeAt = 0;
  #ackDueAt = NEVER;
  #mediaBytes = 0;
  #nextFrameAt = 0;
  // Per 50 ms slot.
  readonly delivered: number[] = [];
  readonly sent: number[] = [];
  readonly #lost: number[] = [];
  readonly #queues: number[][] = [];

  constructor(options: RatePathOptions) {
    this.#options = options;
    this.#controller = options.controller;
    this.#packetBytes = options.packetBytes ?? 1200;
    this.#random = new SeededRandom(options.seed);
    this.#pacer = new Pacer(options.controller.pacingRateBps, this.#packetBytes);
    const owners: TokenOwner[] = new Array(TOKEN_KINDS).fill(NOBODY);
    owners[TokenKind.ACK] = this.received;
    this.recovery = new LossRecovery({
      rtt: this.rtt,
      owners,
      observer: options.controller,
      random: this.#random.fork(),
    });
    this.recovery.setMaxAckDelay(25_000);
    if (options.media === undefined) this.#mediaBytes = Number.POSITIVE_INFINITY;
  }

  /** Runs until `untilS` seconds. */
  run(untilS: number): void {
    const until = untilS * 1e6;
    while (true) {
      this.now = Math.max(this.now, Math.min(this.#senderDue(), this.#receiverDue()));
      if (this.now >= until) break;
      if (this.now >= this.#receiverDue()) this.#receiverTurn();
      if (this.now >= this.#senderDue()) this.#senderTurn();
    }
    this.now = until;
  }

  report(fromS: number, toS: number): Report {
    const from = Math.round((fromS * 1e6) / SLOT_US);
    const to = Math.round((toS * 1e6) / SLOT_US);
    const sum = (slots: number[]): number => slots.slice(from, to).reduce((total, n) => total + (n ?? 0), 0);
    const queues = this.#queues
      .slice(from, to)
      .flat()
      .sort((a, b) => a - b);
    const at = (q: number): number =>
      (queues[Math.min(queues.length - 1, Math.floor(queues.length * q))] ?? 0) / 1000;
    const seconds = toS - fromS;
    const lost = sum(this.#lost);
    return {
      deliveredBps: (sum(this.delivered) * 8) / seconds,
      sentBps: (sum(this.sent) * 8) / seconds,
      queueP50Ms: at(0.5),
      queueP95Ms: at(0.95),
      lossRatio: lost / Math.max(1, sum(this.sent) / this.#packetBytes),
    };
  }

  /** First instant (s) from which 200 ms long `bps` or more arrived. */
  reached(bps: number, fromS = 0): number {
    for (let i = Math.round((fromS * 1e6) / SLOT_US); i + 4 <= this.delivered.length; i++) {
      let bytes = 0;
      for (let k = 0; k < 4; k++) bytes += this.delivered[i + k] ?? 0;
      if (bytes * 8 >= bps * 0.2) return (i * SLOT_US) / 1e6;
    }
    return Number.POSITIVE_INFINITY;
  }

  #add(slots: number[], value: number): void {
    const slot = Math.floor(this.now / SLOT_US);
    while (slots.length <= slot) slots.push(0);
    slots[slot] = (slots[slot] as number) + value;
  }

  #turnUs(): number {
    return Math.floor(this.#random.unit() * (this.#options.turnMs ?? 0) * 1000);
  }

  // --- Sender --------------------------------------------------------------------------------------------------------

  #senderDue(): number {
    const due = Math.min(this.#backward.next, this.recovery.nextDeadline(), this.#sendDue());
    return Math.max(due, this.#senderFreeAt);
  }

  #sendDue(): number {
    if (this.recovery.probesDue > 0) return this.now;
    const frameAt = this.#options.media === undefined ? NEVER : this.#nextFrameAt;
    const hasRoom = this.recovery.bytesInFlight + this.#packetBytes <= this.#controller.congestionWindowBytes;
    if (!this.#hasData() || !hasRoom || !this.recovery.canSend()) return frameAt;
    return Math.min(frameAt, this.#pacer.nextSendTime(this.now));
  }

  #hasData(): boolean {
    return this.#mediaBytes > 0 || this.#controller.probeBytesWanted > 0;
  }

  #senderTurn(): void {
    const { media } = this.#options;
    while (this.#backward.next <= this.now) {
      const at = this.#backward.shift();
      this.#ack.parse(this.#reader.reset(this.#acks[at] as Uint8Array, 1));
      delete this.#acks[at];
      const reason = this.recovery.onAckReceived(this.#ack, this.now);
      if (reason !== 0) throw new Error(`ACK refused: ${reason}`);
    }
    if (this.recovery.nextDeadline() <= this.now) this.recovery.onTimeout(this.now);
    if (media !== undefined && this.now >= this.#nextFrameAt) {
      this.#nextFrameAt += Math.round(1e6 / media.framesPerSecond);
      const bps = Math.min(media.maxBps, media.share * this.#controller.targetRateBps);
      // A frame that finds 150 ms of backlog is not made: an encoder behind a live track skips.
      if (this.#mediaBytes * 8 < bps * 0.15) this.#mediaBytes += bps / media.framesPerSecond / 8;
      this.#controller.onMediaDemand((this.#mediaBytes * 8) / 0.04, this.now);
    }
    this.#pacer.setRate(this.#controller.pacingRateBps, this.now);
    while (this.#maySend()) this.#send();
    if (media !== undefined && this.#mediaBytes <= 0) this.#controller.onMediaDemand(0, this.now);
    this.#options.onTick?.(this.now, this.#controller);
    this.#senderFreeAt = this.now + this.#turnUs();
  }

  #maySend(): boolean {
    if (this.recovery.probesDue > 0) return true;
    if (!this.recovery.canSend() || !this.#pacer.canSend(this.now)) return false;
    if (this.recovery.bytesInFlight + this.#packetBytes > this.#controller.congestionWindowBytes)
      return false;
    if (this.#hasData()) return true;
    this.recovery.onAppLimited();
    return false;
  }

  #send(): void {
    const number = this.recovery.begin();
    if (this.#mediaBytes > 0) this.#mediaBytes = Math.max(0, this.#mediaBytes - this.#packetBytes);
    this.recovery.commit(PacketFlag.ACK_ELICITING | PacketFlag.IN_FLIGHT, this.#packetBytes, this.now);
    this.#pacer.onSent(this.now, this.#packetBytes);
    this.#pacer.setRate(this.#controller.pacingRateBps, this.now);
    this.#add(this.sent, this.#packetBytes);
    this.#carry(number);
  }

  /** Takes one packet over the bottleneck. */
  #carry(number: number): void {
    const { loss, lossPlace = 'before', rttMs, isOut } = this.#options;
    const isLost = this.#random.unit() < (loss?.(this.now) ?? 0);
    if (isOut?.(this.now) === true) return;
    const isThrough = (!isLost || lossPlace === 'after') && this.#enqueue() && !isLost;
    if (isThrough) this.#forward.push(Math.ceil(this.#linkFreeAt + rttMs * 500), number);
    else this.#add(this.#lost, 1);
  }

  /** False if the queue is full. */
  #enqueue(): boolean {
    const { capacityBps, queueMs } = this.#options;
    const waitUs = Math.max(0, this.#linkFreeAt - this.now);
    if (waitUs > queueMs * 1000) return false;
    const slot = Math.floor(this.now / SLOT_US);
    while (this.#queues.length <= slot) this.#queues.push([]);
    const queue = this.#queues[slot] as number[];
    if (queue.length < 64) queue.push(waitUs);
    this.#linkFreeAt =
      Math.max(this.now, this.#linkFreeAt) + (this.#packetBytes * 8e6) / capacityBps(this.now);
    return true;
  }

  // --- Receiver ------------------------------------------------------------------------------------------------------

  #receiverClock(time: number): number {
    const { clockOffsetUs = 0, clockDriftPpm = 0 } = this.#options;
    return Math.floor(time * (1 + clockDriftPpm / 1e6)) + clockOffsetUs;
  }

  #receiverDue(): number {
    return Math.max(Math.min(this.#forward.next, this.#ackDueAt), this.#receiverFreeAt);
  }

  #receiverTurn(): void {
    const { ackLoss = 0, rttMs, isOut } = this.#options;
    const clock = this.#receiverClock(this.now);
    while (this.#forward.next <= this.now) {
      this.received.onPacket(this.#forward.shift(), true, clock);
      this.#add(this.delivered, this.#packetBytes);
    }
    if (this.received.ackDueAt() <= clock) {
      const bytes = new Uint8Array(1200);
      this.#writer.reset(bytes);
      this.received.writeAck(this.#writer, { note: (_kind, largest) => this.#notePrune(largest) }, clock);
      const isLost = this.#random.unit() < ackLoss || isOut?.(this.now) === true;
      if (!isLost) {
        this.#acks.push(bytes);
        this.#backward.push(this.now + rttMs * 500, this.#acks.length - 1);
      }
    }
    const wait = this.received.ackDueAt() - clock;
    this.#ackDueAt = this.now + Math.max(0, wait);
    this.#receiverFreeAt = this.now + this.#turnUs();
  }

  /** ACKs of ACKs are not modelled: prune what is far behind, as they would. */
  #notePrune(largest: number): void {
    if (largest % 8 === 0) this.received.onAcked(Math.max(0, largest - 4000));
  }
}
