/**
 * Rate control for live media: keeps a short standing queue, drains by design, holds its rate under random loss. In:
 * packets sent, acked, lost. Out: pacing rate, window, target. Source: docs/rate-control.md §4; a start as BBR's.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import { LossAudit, Verdict } from './audit.ts';
import { BaseDip } from './base-dip.ts';
import { BurstBudget } from './burst-budget.ts';
import { CapacityProbe } from './capacity-probe.ts';
import type { AckedPacket, RateController, RateOptions, RttView } from './controller.ts';
import { DelayFilter } from './delay.ts';
import { DeliveryRate } from './delivery.ts';
import { LossHistory, RecentMax, SendHistory } from './history.ts';
import { Law } from './law.ts';
import {
  drainPart,
  growthPerSecond,
  isNearCut,
  isQueueExcessive,
  queueTargetUs,
  steer,
} from './queue-law.ts';
import { StartRounds } from './start-rounds.ts';

const START = 0;
const RUN = 1;
const DRAIN = 2;
const STATE_NAMES = ['start', 'run', 'drain'] as const;

/** One path. Cost per packet: a few sums; the law runs once per feedback, at most every 10 ms. */
export class MediaController implements RateController {
  capacityBps: number;
  targetRateBps: number;
  readonly #minBps: number;
  readonly #maxBps: number;
  #wantedBps: number;
  #state: number = START;
  readonly #delay: DelayFilter = new DelayFilter();
  readonly #delivery: DeliveryRate = new DeliveryRate();
  readonly #sent: SendHistory = new SendHistory();
  readonly #losses: LossHistory = new LossHistory();
  readonly #audit: LossAudit = new LossAudit();
  readonly #probe: CapacityProbe = new CapacityProbe();
  readonly #start: StartRounds = new StartRounds();
  #smoothedRttUs: Micros = 100 * MILLISECOND;
  #minRttUs: Micros = 100 * MILLISECOND;
  #now: Micros = 0;
  #tickedAtUs: Micros = -1;
  #acked = 0;
  #lost = 0;
  #queueBeforeUs: Micros = 0;
  /** Capacity at the last cut (0 before the first), its time; when the drain began. */
  #cutBps = 0;
  #cutAtUs: Micros = -10 * SECOND;
  #isShallow = false;
  #drainFromUs: Micros = 0;
  readonly #dip: BaseDip = new BaseDip();
  #stopAtUs: Micros = 0;
  readonly #delivered: RecentMax = new RecentMax();
  readonly #burst: BurstBudget = new BurstBudget();
  #isOutage = false;
  /** Losses of packets sent up to then are forgiven. */
  #forgiveUntilUs: Micros = -1;

  constructor(options: RateOptions = {}) {
    this.#minBps = options.minRateBps ?? 50_000;
    this.#maxBps = options.maxRateBps ?? 1e10;
    this.#wantedBps = this.#maxBps;
    this.targetRateBps = this.#clamp(1.3 * (options.startBitrateBps ?? 500_000));
    this.capacityBps = this.targetRateBps;
  }

  get state(): string {
    return this.#audit.isRunning ? 'audit' : (STATE_NAMES[this.#state] as string);
  }
  get randomLossRatio(): number {
    return this.#audit.randomLossRatio;
  }
  get lossRatio(): number {
    return this.#losses.ratio;
  }
  get queueDelayUs(): Micros {
    return this.#delay.queueUs;
  }
  get probeBytesWanted(): number {
    return this.#probe.isSending(this.#now) ? this.#probe.bytesLeft : 0;
  }

  get pacingRateBps(): number {
    if (this.#probe.isSending(this.#now)) return this.#probe.gain * this.targetRateBps;
    const isCareful = this.#audit.isRunning || this.#state === DRAIN || this.#audit.randomLossRatio > 0.02;
    return this.#burst.pacingBps(this.targetRateBps, this.capacityBps, isCareful);
  }

  get congestionWindowBytes(): number {
    const rate = Math.max(this.targetRateBps, this.pacingRateBps);
    const gain = this.#state === START ? 3 : 2;
    return Math.max(Law.WINDOW_MIN_BYTES, (rate * (gain * this.#minRttUs + Law.HEADROOM_US)) / 8e6);
  }

  #clamp(bps: number): number {
    return Math.max(this.#minBps, Math.min(bps, this.#maxBps, this.#wantedBps));
  }

  onPacketSent(now: Micros, sizeBytes: number): void {
    this.#now = now;
    this.#sent.onSent(now, sizeBytes);
    this.#burst.onSent(sizeBytes, this.targetRateBps, now);
    this.#probe.onSent(sizeBytes);
  }

  onPacketAcked(packet: AckedPacket): void {
    if (this.#isOutage) this.#endOutage(packet);
    this.#acked++;
    this.#delay.onPacket(packet.sentAtUs, packet.receivedAtUs, packet.ackedAtUs);
    this.#delivery.onPacket(packet);
    this.#probe.onAcked(packet);
  }

  onPacketLost(_packetNumber: number, _sizeBytes: number, sentAtUs: Micros): void {
    if (!this.#isOutage && sentAtUs > this.#forgiveUntilUs) this.#lost++;
  }

  onSpuriousLoss(): void {
    this.#lost--;
    this.#acked++;
  }

  onAckEnd(now: Micros, rtt: RttView): void {
    this.#now = now;
    if (rtt.hasSample) {
      this.#smoothedRttUs = rtt.smoothedUs;
      this.#minRttUs = rtt.minUs;
    }
    this.#delivery.checkpoint();
    if (this.#tickedAtUs >= 0 && now - this.#tickedAtUs < Law.TICK_US) return;
    const dt = this.#tickedAtUs < 0 ? 0.025 : Math.min(0.1, (now - this.#tickedAtUs) / 1e6);
    this.#tickedAtUs = now;
    if (!this.#isOutage) this.#tick(now, dt);
    this.#acked = 0;
    this.#lost = 0;
  }

  onProbeTimeout(now: Micros, count: number): void {
    this.#now = now;
    if (count < Law.OUTAGE_TIMEOUTS || this.#isOutage) return;
    this.#isOutage = true;
    this.#audit.abort(now);
    this.#probe.postpone(now);
  }

  /** The path answers again; what was lost is forgiven. */
  #endOutage(packet: AckedPacket): void {
    this.#isOutage = false;
    this.#forgive(packet.ackedAtUs);
    this.#restart();
  }

  /** What was sent before `now` has been answered for: its losses, told later, must not count twice. */
  #forgive(now: Micros): void {
    this.#forgiveUntilUs = now;
    this.#losses.clear();
  }

  /** From half the rate, which the start's doubling finds anew. */
  #restart(): void {
    this.#delivery.clear();
    this.capacityBps = this.#clamp(this.capacityBps / 2);
    this.targetRateBps = this.capacityBps;
    this.#state = START;
    this.#start.reset();
    this.#dip.disarm();
  }

  onMediaDemand(bps: number, now: Micros): void {
    this.#now = now;
    this.#burst.demandBps = bps;
  }

  setMaxRate(bps: number): void {
    this.#wantedBps = bps;
    this.targetRateBps = this.#clamp(this.targetRateBps);
    this.capacityBps = this.#clamp(this.capacityBps);
  }

  onPathChange(now: Micros): void {
    this.#now = now;
    this.#delay.reset();
    this.#losses.clear();
    this.#audit.abort(now);
    this.#audit.randomLossRatio = 0;
    this.#probe.postpone(now);
    this.#cutBps = 0;
    this.#restart();
  }

  #tick(now: Micros, dt: number): void {
    this.#delay.update(now);
    const queue = this.#delay.queueUs;
    const target = queueTargetUs(this.targetRateBps);
    this.#losses.add(now, this.#acked, this.#lost, queue < 1.5 * target);
    this.#audit.follow(this.#losses, dt);
    const growth = (queue - this.#queueBeforeUs) / (dt * 1e6);
    this.#queueBeforeUs = queue;
    const long = this.#delivery.over(Law.LONG_US);
    this.#delivered.note(long, now);
    this.#stepAudit(long, now);
    const mayCut = now - this.#cutAtUs > Math.max(this.#smoothedRttUs, Law.SHORT_US);
    if (this.#state === DRAIN) this.#stepDrain(queue, target, growth, now);
    else if (mayCut && isQueueExcessive(queue, target, growth)) this.#cut(queue, growth, now);
    else if (this.#state === START) this.#stepStart(queue, target, dt, now);
    else this.#stepRun(queue, target, long, dt, now);
    this.#limit(now);
  }

  /** A path with random loss p that delivers R is filled by R / (1 - p). */
  get #lossFactor(): number {
    return 1 / (1 - this.#audit.randomLossRatio);
  }

  #stepStart(queue: Micros, target: Micros, dt: number, now: Micros): void {
    const window = Math.max(30 * MILLISECOND, Math.min(this.#smoothedRttUs, Law.LONG_US));
    const delivered = this.#delivery.over(window);
    if (Number.isNaN(delivered)) return;
    const isLimited = this.#delivery.isAppLimited;
    // A path is full when it delivers less than was sent; a rate that is flat because no more was sent proves nothing.
    const leftBy = now - this.#smoothedRttUs;
    const isPressed = this.#sent.rate(leftBy - window, leftBy) > Law.PRESSED * delivered;
    const isFull = this.#start.onFeedback(
      delivered,
      isLimited || !isPressed,
      this.#losses,
      this.#smoothedRttUs,
      now,
    );
    if (queue > 0.5 * target || isFull) {
      this.#state = RUN;
      // A path that is full without a queue to show has a shallow buffer, full to the brim: leave it room.
      // A burst of media fills a part of the window only: what an earlier round carried counts as well.
      const carried = Math.max(delivered, this.#start.reachedBps);
      if (!isLimited) this.capacityBps = (isFull ? 0.95 : 1) * carried * this.#lossFactor;
      if (isFull) this.#noteCut(true, now);
      this.#delivered.note(delivered, now);
      this.targetRateBps = this.#clamp(this.capacityBps);
      this.#dip.arm(now);
      return;
    }
    if (isLimited) {
      // Too little is sent to prove more: grow gently, and let probes do the rest.
      if (this.targetRateBps < 1.3 * delivered + 20_000) this.targetRateBps *= 1 + Math.min(1, 2 * dt);
      this.#stepProbe(queue, target, now);
      this.targetRateBps = Math.max(this.targetRateBps, this.capacityBps);
    } else {
      this.targetRateBps = Math.max(this.targetRateBps, this.#start.gain * delivered);
    }
    this.targetRateBps = this.#clamp(this.targetRateBps);
    this.capacityBps = this.targetRateBps;
  }

  #stepRun(queue: Micros, target: Micros, long: number, dt: number, now: Micros): void {
    const isDipping = this.#dip.isActive(now);
    const sustained = long * this.#lossFactor;
    if (Number.isNaN(long) || isDipping) {
      // Nothing is known that could move the estimate.
    } else if (queue >= 0.5 * target) {
      // The queue has not been empty for 60 ms, so what arrives is what the path carries, unless we sent too little.
      const isLower = sustained < this.capacityBps;
      if (!(isLower && this.#delivery.isAppLimited)) {
        this.capacityBps += (sustained - this.capacityBps) * Math.min(1, dt / Law.CAPACITY_SECONDS);
      }
    } else if (this.capacityBps < 1.3 * sustained + 20_000) {
      const isNear = isNearCut(this.capacityBps / this.#cutBps, now - this.#cutAtUs, this.#smoothedRttUs);
      const excess = this.#losses.ratio - this.#audit.randomLossRatio;
      // Where no queue warns, growth near the limit is slow: every step beyond it is loss.
      const isBulk = !this.#delivery.isAppLimited && !this.#audit.isRunning && !(isNear && this.#isShallow);
      this.capacityBps *=
        1 + growthPerSecond(queue, target, excess, isBulk, isNear, this.#smoothedRttUs) * dt;
    }
    this.capacityBps = this.#clamp(this.capacityBps);
    if (isDipping) {
      this.targetRateBps = this.#dip.part * this.capacityBps;
      return;
    }
    this.targetRateBps = this.capacityBps * steer(queue, target);
    this.#stepProbe(queue, target, now);
    if (!this.#audit.isRunning) this.#dip.step(queue, this.#delay.nearBaseAtUs, now);
  }

  /** The capacity now is where a limit was met, by a queue or (shallow) by loss alone. */
  #noteCut(isShallow: boolean, now: Micros): void {
    this.#isShallow = isShallow;
    this.#cutBps = this.capacityBps;
    this.#cutAtUs = now;
    this.#forgive(now);
  }

  #cut(queue: Micros, growth: number, now: Micros): void {
    const short = this.#delivery.over(Law.SHORT_US);
    if (Number.isNaN(short)) return;
    const instant = this.#delivery.over(Law.INSTANT_US);
    const measured = Math.min(short, Math.max(instant, 0.6 * short)) * this.#lossFactor;
    this.#probe.postpone(now);
    this.capacityBps = this.#clamp(measured);
    this.#noteCut(false, now);
    this.#drain(queue, growth);
    this.#state = DRAIN;
    this.#drainFromUs = now;
  }

  #drain(queue: Micros, growth: number): void {
    const drained = drainPart(queue, growth, this.#smoothedRttUs) * this.#cutBps;
    this.targetRateBps = Math.min(this.targetRateBps, drained);
  }

  #stepDrain(queue: Micros, target: Micros, growth: number, now: Micros): void {
    if (queue <= 0.8 * target) {
      this.#state = RUN;
      this.capacityBps = Math.min(this.capacityBps, 0.97 * this.#cutBps);
      this.targetRateBps = this.capacityBps;
      this.#probe.nextAtUs = Math.max(this.#probe.nextAtUs, now + SECOND);
      this.#dip.arm(now);
      return;
    }
    if (now - this.#drainFromUs > Law.DRAIN_MAX_US) {
      this.#delay.reset();
      this.#state = RUN;
      return;
    }
    const short = this.#delivery.over(Law.SHORT_US) * this.#lossFactor;
    if (Number.isNaN(short) || now - this.#cutAtUs <= this.#smoothedRttUs + 50_000) return;
    this.#cutBps = this.#clamp(short > this.#cutBps / 2 ? Math.min(this.#cutBps, short) : short);
    this.capacityBps = this.#cutBps;
    this.#drain(queue, growth);
    this.#cutAtUs = now;
  }

  #stepProbe(queue: Micros, target: Micros, now: Micros): void {
    const probe = this.#probe;
    if (probe.isComplete(now, this.#smoothedRttUs)) {
      const found = Math.min(probe.result() * this.#lossFactor, probe.gain * this.capacityBps);
      if (found > 1.03 * this.capacityBps) {
        this.capacityBps = this.#clamp(found);
        probe.accept(now, this.#smoothedRttUs);
      } else probe.reject(now);
    } else if (!probe.isPending && now >= probe.nextAtUs && queue < 0.4 * target && !this.#audit.isRunning) {
      if (this.capacityBps >= 0.97 * Math.min(this.#maxBps, this.#wantedBps)) return;
      const isFar = now - this.#cutAtUs > 4 * SECOND || this.capacityBps < 0.8 * this.#cutBps;
      probe.start(this.#state === START ? 3 : isFar ? 1.5 : 1.25, this.targetRateBps, now);
    }
  }

  #stepAudit(long: number, now: Micros): void {
    const audit = this.#audit;
    if (!audit.isRunning) {
      if (
        this.#state === RUN &&
        !Number.isNaN(long) &&
        !this.#sent.isFarBelow(this.capacityBps, now) &&
        audit.isDue(this.#losses, now)
      ) {
        this.#probe.postpone(now);
        const delivered = Math.max(long, this.#delivery.over(Law.SHORT_US));
        audit.start(this.#losses, this.#sent, this.capacityBps, delivered, now);
      }
      return;
    }
    const known = audit.randomLossRatio;
    const verdict = audit.onFeedback(this.#acked, this.#lost, this.#sent, this.#smoothedRttUs, now);
    if (verdict !== Verdict.CONGESTION) return;
    this.capacityBps = this.#clamp(Math.min(this.capacityBps, (0.95 * audit.deliveredBps) / (1 - known)));
    this.#noteCut(true, now);
    this.#probe.postpone(now);
  }

  /** What no law may exceed: heavy loss, a running audit, the bounds. */
  #limit(now: Micros): void {
    const loss = this.#losses.ratio;
    if (
      loss > Law.LOSS_GUARD &&
      this.#state !== START &&
      !(loss < Law.LOSS_STOP && this.#sent.isFarBelow(this.capacityBps, now))
    ) {
      const guard = Law.GUARD * this.#delivered.bps;
      this.capacityBps = Math.min(this.capacityBps, guard);
      this.targetRateBps = Math.min(this.targetRateBps, guard);
    }
    const isKnown = this.#losses.acked + this.#losses.lost >= 50;
    if (loss > Law.LOSS_STOP && isKnown && now - this.#stopAtUs > Law.LOSS_STOP_INTERVAL_US) {
      this.#stopAtUs = now;
      this.#forgive(now);
      this.#state = this.#state === START ? RUN : this.#state;
      const delivered = this.#delivery.over(Law.SHORT_US);
      this.capacityBps *= 0.9;
      if (delivered < this.capacityBps) this.capacityBps = delivered;
    }
    if (loss > Law.LOSS_STOP) this.targetRateBps = Math.min(this.targetRateBps, 0.9 * this.capacityBps);
    this.targetRateBps = this.#clamp(Math.min(this.targetRateBps, this.#audit.limitBps));
    this.capacityBps = this.#clamp(this.capacityBps);
  }
}
