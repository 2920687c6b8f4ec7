/**
 * What the media controller observes: queue, delivery rate, what was sent, loss. In: packets sent, acked, lost. Out: one
 * consistent picture per control step. Source: docs/rate-control.md §4.1.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { AckedPacket, RttView } from './controller.ts';
import { DelayFilter } from './delay.ts';
import { DeliveryRate } from './delivery.ts';
import { LossHistory, RecentMax, SendHistory } from './history.ts';
import { JitterMeter } from './jitter.ts';
import { Law } from './law.ts';
import { PathStep } from './path-step.ts';
import { queueTargetUs } from './queue-law.ts';

/** Who sends less than this part of the target has too little to send: what arrives then says nothing of the path. */
const USED_PART = 0.85;
/**
 * Media frames that are acknowledged before the next one comes leave no gap either: only who has also used the target for
 * so long, or half of it where ACKs are lost, is a bulk flow, whose probes carry data of its own and cost nothing.
 */
const LASTING_US: Micros = 500 * MILLISECOND;
const LASTING_PART = 0.5;
const STEP_SECONDS_FIRST = 0.025;
const STEP_SECONDS_MAX = 0.1;

/** One path. Fields are those of the last step. */
export class Signals {
  readonly delay: DelayFilter = new DelayFilter();
  readonly pathStep: PathStep = new PathStep();
  readonly jitter: JitterMeter = new JitterMeter();
  readonly delivery: DeliveryRate = new DeliveryRate();
  readonly sent: SendHistory = new SendHistory();
  readonly losses: LossHistory = new LossHistory();
  /** The most that arrived, over 300 ms, lately. */
  readonly delivered: RecentMax = new RecentMax();
  now: Micros = 0;
  /** Seconds since the step before. */
  dt = 0;
  smoothedRttUs: Micros = 100 * MILLISECOND;
  /** The least of the last minute: the way back may become longer, and nothing else tells. */
  minRttUs: Micros = 100 * MILLISECOND;
  queueUs: Micros = 0;
  /** The queue aimed at. */
  aimUs: Micros = 0;
  /** Change of the queue, seconds per second. */
  growth = 0;
  /** What arrives, over 300 ms, bits per second; NaN if too little is known. */
  longBps: number = Number.NaN;
  /** Too little is sent to fill what the target allows: the rate that arrives may raise an estimate, never lower it. */
  isLimited = false;
  /** There was always something to send. */
  isBulk = false;
  /** There was, and for so long that no media frame explains it. */
  isLastingBulk = false;
  /** The path has become longer by so much, us; 0 mostly. Who answers sets it back. */
  lengthenedUs: Micros = 0;
  /** Told in this step. */
  acked = 0;
  lost = 0;
  #steppedAtUs: Micros = -1;
  #hasLengthened = false;
  /** What the path was believed to carry at the last step. */
  #capacityBps = 1;

  onAcked(packet: AckedPacket): void {
    this.acked++;
    this.delay.onPacket(packet.sentAtUs, packet.receivedAtUs, packet.ackedAtUs);
    this.jitter.onPacket(packet, this.#capacityBps);
    this.delivery.onPacket(packet);
    const lengthenedUs = this.pathStep.onPacket(packet);
    if (lengthenedUs <= 0) return;
    this.lengthenedUs = lengthenedUs;
    this.#hasLengthened = true;
    this.delay.raise(lengthenedUs, this.pathStep.fromUs, packet.ackedAtUs);
    // A span over the moment in which nothing arrived would count as slow delivery.
    this.delivery.clear();
  }

  /** The round trip without the queue of the way out. The least one alone is too short once the path has become longer. */
  get emptyRttUs(): Micros {
    if (!this.#hasLengthened && !this.pathStep.isOpen) return this.minRttUs;
    const queueUs = this.pathStep.isOpen ? 0 : this.queueUs;
    return Math.max(this.minRttUs, this.smoothedRttUs - queueUs);
  }

  /** After one ACK. True when a control step is due: then `step`, and in the end `done`. */
  onAckEnd(now: Micros, rtt: RttView): boolean {
    this.now = now;
    if (rtt.hasSample) {
      this.smoothedRttUs = rtt.smoothedUs;
      this.minRttUs = rtt.recentMinUs;
    }
    this.delivery.checkpoint();
    if (this.#steppedAtUs >= 0 && now - this.#steppedAtUs < Law.TICK_US) return false;
    const seconds = (now - this.#steppedAtUs) / 1e6;
    this.dt = this.#steppedAtUs < 0 ? STEP_SECONDS_FIRST : Math.min(STEP_SECONDS_MAX, seconds);
    this.#steppedAtUs = now;
    return true;
  }

  step(targetBps: number, capacityBps: number): void {
    const { now } = this;
    this.#capacityBps = capacityBps;
    this.jitter.fade(this.dt);
    this.delay.update(now, this.jitter);
    const queueUs = this.delay.queueUs;
    this.growth = (queueUs - this.queueUs) / (this.dt * 1e6);
    this.queueUs = queueUs;
    this.aimUs = queueTargetUs(targetBps, this.jitter.heldUs);
    this.losses.add(now, this.acked, this.lost, queueUs < 1.5 * this.aimUs);
    this.longBps = this.delivery.over(Law.LONG_US);
    this.isBulk = !this.delivery.isAppLimited;
    this.isLastingBulk = this.isBulk && this.sent.rate(now - LASTING_US, now) > LASTING_PART * targetBps;
    this.isLimited = this.delivery.isAppLimited && !this.#isPressing(targetBps);
    this.delivered.note(this.longBps, now);
  }

  done(): void {
    this.acked = 0;
    this.lost = 0;
  }

  get shortBps(): number {
    return this.delivery.over(Law.SHORT_US);
  }

  /** What arrives now was sent about a round trip ago: was that what the target allowed? */
  #isPressing(targetBps: number): boolean {
    const leftBy = this.now - this.smoothedRttUs;
    return this.sent.rate(leftBy - Law.LONG_US, leftBy) > USED_PART * targetBps;
  }
}
