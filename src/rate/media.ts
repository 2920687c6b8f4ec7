/**
 * Rate control for live media: keeps a short standing queue, drains by design, holds its rate under random loss. In:
 * packets sent, acked, lost. Out: pacing rate, window, target. The law itself is in the phases: start, run, drain,
 * compete; this file decides which one is on. Source: docs/rate-control.md §4.
 */
import { type Micros, NEVER, SECOND } from '../base/protocol.ts';
import { LossAudit, Verdict } from './audit.ts';
import { BaseDip } from './base-dip.ts';
import { BurstBudget } from './burst-budget.ts';
import { CapacityProbe } from './capacity-probe.ts';
import { CompetePhase } from './compete-phase.ts';
import type { AckedPacket, RateController, RateOptions, RttView } from './controller.ts';
import { Drained, DrainPhase } from './drain-phase.ts';
import { Estimate } from './estimate.ts';
import { Law } from './law.ts';
import { LossGuard } from './loss-guard.ts';
import { ProbeBudget } from './probe-budget.ts';
import { isQueueExcessive } from './queue-law.ts';
import { RunPhase } from './run-phase.ts';
import { Signals } from './signals.ts';
import { StartPhase } from './start-phase.ts';

const START = 0;
const RUN = 1;
const DRAIN = 2;
const COMPETE = 3;
/** Trains while the path is unknown. */
const FIRST_GAIN = 3;
const STATE_NAMES = ['start', 'run', 'drain', 'compete'] as const;

/** One path. Cost per packet: a few sums; the law runs once per feedback, at most every 10 ms. */
export class MediaController implements RateController {
  readonly #estimate: Estimate;
  readonly #signals: Signals = new Signals();
  #state: number = START;
  readonly #start: StartPhase = new StartPhase();
  readonly #run: RunPhase = new RunPhase();
  readonly #drain: DrainPhase = new DrainPhase();
  readonly #compete: CompetePhase = new CompetePhase();
  readonly #guard: LossGuard;
  readonly #audit: LossAudit = new LossAudit();
  readonly #probe: CapacityProbe = new CapacityProbe();
  readonly #budget: ProbeBudget;
  readonly #dip: BaseDip = new BaseDip();
  readonly #burst: BurstBudget = new BurstBudget();
  #hasProbed = false;
  #now: Micros = 0;
  #isOutage = false;
  /** Since the first probe timeout of a silence. */
  #silentSinceUs: Micros = NEVER;
  /** Losses of packets sent up to then are forgiven. */
  #forgiveUntilUs: Micros = -1;

  constructor(options: RateOptions = {}) {
    this.#estimate = new Estimate(options);
    this.#budget = new ProbeBudget(this.#estimate.targetBps);
    this.#guard = new LossGuard(options.lossTolerance === 'rfc8083');
  }

  get capacityBps(): number {
    return this.#estimate.capacityBps;
  }
  get targetRateBps(): number {
    return this.#estimate.targetBps;
  }
  get state(): string {
    return this.#audit.isRunning ? 'audit' : (STATE_NAMES[this.#state] as string);
  }
  get randomLossRatio(): number {
    return this.#audit.randomLossRatio;
  }
  get lossRatio(): number {
    return this.#signals.losses.ratio;
  }
  get queueDelayUs(): Micros {
    return this.#signals.queueUs;
  }
  get isCongested(): boolean {
    const { queueUs, aimUs } = this.#signals;
    return this.#state !== COMPETE && (this.#state === DRAIN || queueUs > 1.5 * aimUs);
  }
  get probeBytesWanted(): number {
    return this.#probe.isSending(this.#now) ? this.#probe.bytesLeft : 0;
  }
  get probePacketBytes(): number {
    return this.#probe.packetBytes;
  }

  get pacingRateBps(): number {
    const { targetBps, capacityBps } = this.#estimate;
    if (this.#probe.isSending(this.#now)) return this.#probe.gain * targetBps;
    const { isRunning, isHolding, randomLossRatio } = this.#audit;
    const isCareful = isHolding || this.#state >= DRAIN || randomLossRatio > Law.UNEXPLAINED_LOSS;
    const isAsking = isRunning && !isHolding && this.#state < DRAIN;
    const askedBps = isAsking ? this.#audit.sentBeforeBps : 0;
    return this.#burst.pacingBps(targetBps, capacityBps, isCareful, askedBps);
  }

  get congestionWindowBytes(): number {
    const { emptyRttUs, smoothedRttUs } = this.#signals;
    const rate = Math.max(this.#estimate.targetBps, this.pacingRateBps);
    // A queue that somebody else keeps is part of the way.
    const roundTripUs = this.#state === COMPETE ? smoothedRttUs : emptyRttUs;
    const gain = this.#state === START ? 3 : 2;
    const wideUs = gain * roundTripUs + Law.HEADROOM_US + this.#blindUs();
    return Math.max(Law.WINDOW_MIN_BYTES, (rate * wideUs) / 8e6);
  }

  /**
   * What was sent into a silence is no measure of the path. Media that lives for a tenth of a second goes on at its rate for a
   * while, so that the first picture after the silence arrives; bulk waits.
   */
  #blindUs(): Micros {
    if (this.#signals.isLastingBulk) return 0;
    return Math.max(0, Math.min(this.#now - this.#silentSinceUs, Law.BLIND_MAX_US));
  }

  onPacketSent(now: Micros, sizeBytes: number): void {
    this.#now = now;
    this.#signals.sent.onSent(now, sizeBytes);
    this.#burst.onSent(sizeBytes, this.#estimate.targetBps, now);
    this.#probe.onSent(sizeBytes, now);
    this.#budget.onSent(now, sizeBytes, this.#signals.losses.ratio);
  }

  onPacketAcked(packet: AckedPacket): void {
    if (this.#isOutage) this.#endOutage(packet);
    this.#silentSinceUs = NEVER;
    this.#signals.onAcked(packet);
    this.#probe.onAcked(packet);
  }

  onPacketLost(packetNumber: number, _sizeBytes: number, sentAtUs: Micros): void {
    if (this.#isOutage || sentAtUs <= this.#forgiveUntilUs) return;
    this.#signals.lost++;
    this.#signals.losses.onLost(packetNumber);
  }

  onSpuriousLoss(): void {
    this.#signals.lost--;
    this.#signals.acked++;
  }

  onAckEnd(now: Micros, rtt: RttView): void {
    this.#now = now;
    if (!this.#signals.onAckEnd(now, rtt)) return;
    if (!this.#isOutage) this.#step(now);
    this.#signals.done();
  }

  onProbeTimeout(now: Micros, count: number): void {
    this.#now = now;
    if (count === 1) this.#silentSinceUs = now;
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
    this.#signals.losses.clear();
  }

  /** From half the rate, which the start's doubling finds anew. */
  #restart(): void {
    const estimate = this.#estimate;
    this.#signals.delivery.clear();
    estimate.believe(estimate.capacityBps / 2);
    estimate.targetBps = estimate.capacityBps;
    this.#state = START;
    this.#start.reset();
    this.#run.reset();
    this.#dip.disarm();
  }

  onMediaDemand(bps: number, now: Micros, isBacklog = false): void {
    this.#now = now;
    this.#burst.demandBps = bps;
    if (!isBacklog) this.#budget.onDemand(bps, now);
    // The first train leaves with the first media: a round trip later the capacity is known to some degree.
    if (bps > 0 && this.#state === START && !this.#hasProbed) this.#startProbe(FIRST_GAIN, true, now);
  }

  setWantedRate(bps: number): void {
    this.#budget.wantedBps = bps;
  }

  setMaxRate(bps: number): void {
    this.#estimate.wantedBps = bps;
    this.#estimate.clampAll();
  }

  onPathChange(now: Micros): void {
    this.#now = now;
    this.#signals.delay.reset();
    this.#signals.pathStep.reset();
    this.#signals.jitter.reset();
    this.#signals.losses.clear();
    this.#audit.abort(now);
    this.#audit.randomLossRatio = 0;
    this.#probe.postpone(now);
    this.#estimate.forgetLimits();
    this.#compete.reset();
    this.#restart();
  }

  #step(now: Micros): void {
    const signals = this.#signals;
    const estimate = this.#estimate;
    signals.step(estimate.targetBps, estimate.capacityBps);
    this.#audit.follow(signals.losses, signals.dt);
    this.#compete.note(signals);
    this.#stepAudit(now);
    if (signals.lengthenedUs > 0) this.#lengthen(now);
    // For a tenth of a second or two a queue that came at once may be a longer path.
    if (signals.pathStep.isOpen && this.#state !== COMPETE) {
      this.#limit(now);
      return;
    }
    const mayCut = now - estimate.cutAtUs > Math.max(signals.smoothedRttUs, Law.SHORT_US);
    if (this.#state === COMPETE) this.#stepCompete();
    else if (this.#state === DRAIN) this.#stepDrain(now);
    else if (mayCut && isQueueExcessive(signals.queueUs, signals.aimUs, signals.growth)) this.#cut(now);
    else if (this.#state === START || this.#start.wasTooSoon(signals)) this.#stepStart(now);
    else this.#stepRun(now);
    this.#limit(now);
  }

  /** The path has become longer: what timers took for lost was late, and a full path may have hidden a queue in it. */
  #lengthen(now: Micros): void {
    const signals = this.#signals;
    this.#forgive(now);
    if (!signals.isLimited) this.#dip.verify(signals.lengthenedUs, now);
    signals.lengthenedUs = 0;
  }

  #stepStart(now: Micros): void {
    this.#state = START;
    const estimate = this.#estimate;
    const signals = this.#signals;
    if (this.#start.step(signals, estimate, this.#audit.randomLossRatio, this.#probe.isPending)) {
      if (estimate.cutAtUs === now) this.#forgive(now);
      this.#state = RUN;
      this.#dip.arm(now);
    } else if (!signals.isBulk || this.#probe.isPending) {
      this.#stepProbe(now);
      estimate.targetBps = Math.max(estimate.targetBps, estimate.capacityBps);
    }
  }

  #stepRun(now: Micros): void {
    const isAuditing = this.#audit.isRunning;
    const signals = this.#signals;
    const isDisturbed = isAuditing || this.#probe.isPending;
    this.#run.step(signals, this.#estimate, this.#dip, this.#audit.randomLossRatio, isDisturbed);
    if (this.#dip.isActive(now)) return;
    this.#stepProbe(now);
    if (!isAuditing) this.#dip.step(signals.queueUs, signals.delay.nearBaseAtUs, now);
  }

  #cut(now: Micros): void {
    if (!this.#drain.begin(this.#signals, this.#estimate, this.#audit.randomLossRatio)) return;
    this.#forgive(now);
    this.#probe.postpone(now);
    this.#run.reset();
    this.#state = DRAIN;
  }

  #stepDrain(now: Micros): void {
    const cutAtUs = this.#estimate.cutAtUs;
    const drained = this.#drain.step(this.#signals, this.#estimate, this.#audit.randomLossRatio);
    if (this.#estimate.cutAtUs !== cutAtUs) this.#forgive(now);
    if (drained === Drained.HOPELESS) this.#signals.delay.reset();
    if (drained !== Drained.NOT_YET) {
      this.#state = RUN;
      this.#probe.notBefore(now + SECOND);
      this.#dip.arm(now);
      return;
    }
    const { startedAtUs, unanswered } = this.#drain;
    if (!this.#compete.isDue(startedAtUs, unanswered, now)) return;
    this.#compete.begin(
      this.#signals,
      this.#estimate,
      this.#signals.sent.rate(startedAtUs - SECOND, startedAtUs),
    );
    this.#state = COMPETE;
  }

  #stepCompete(): void {
    if (this.#compete.step(this.#signals, this.#estimate, this.#audit.randomLossRatio)) this.#state = RUN;
  }

  #stepProbe(now: Micros): void {
    const estimate = this.#estimate;
    const { smoothedRttUs, queueUs, aimUs } = this.#signals;
    const probe = this.#probe;
    if (probe.isComplete(now, smoothedRttUs)) {
      const lossFactor = 1 / (1 - this.#audit.randomLossRatio);
      const believedBps = Math.max(estimate.capacityBps, estimate.targetBps);
      const found = Math.min(probe.result() * lossFactor, probe.gain * believedBps);
      if (found > 1.03 * estimate.capacityBps) {
        estimate.believe(found);
        probe.accept(now, smoothedRttUs);
      } else probe.reject(now);
    } else if (!probe.isPending && now >= probe.nextAtUs && queueUs < 0.4 * aimUs && !this.#audit.isRunning) {
      // A train fits into a policer's bucket and proves nothing about its rate.
      if (estimate.isNearShallow(now)) return;
      const usefulBps = this.#signals.isLastingBulk
        ? estimate.limitBps
        : this.#budget.usefulBps(probe.hasMetLimit);
      if (estimate.capacityBps >= 0.97 * Math.min(estimate.limitBps, usefulBps)) return;
      const isFar = now - estimate.cutAtUs > 4 * SECOND || estimate.capacityBps < 0.8 * estimate.cutBps;
      const isFirst = this.#state === START;
      this.#startProbe(isFirst ? FIRST_GAIN : isFar ? 1.5 : 1.25, isFirst, now);
    }
  }

  #startProbe(gain: number, isFirst: boolean, now: Micros): void {
    const { targetBps } = this.#estimate;
    const lengthUs = CapacityProbe.lengthUs(gain * targetBps, isFirst);
    // What is sent anyway costs nothing.
    const sentBps = Math.min(targetBps, this.#signals.sent.rate(now - SECOND / 2, now));
    const isFree = this.#signals.isLastingBulk;
    const costBytes = isFree ? 0 : ((gain * targetBps - sentBps) * lengthUs) / 8e6;
    this.#budget.giveBack(this.#probe.unspentBytes);
    this.#probe.unspentBytes = 0;
    if (!isFree && !this.#budget.take(costBytes, now)) return;
    this.#hasProbed = true;
    this.#probe.start(gain, targetBps, lengthUs, costBytes, now);
  }

  #stepAudit(now: Micros): void {
    const audit = this.#audit;
    const signals = this.#signals;
    const estimate = this.#estimate;
    if (!audit.isRunning) {
      const { longBps, losses, sent, smoothedRttUs } = signals;
      const isDue =
        this.#state === RUN &&
        !Number.isNaN(longBps) &&
        audit.isDue(losses, sent, estimate.capacityBps, smoothedRttUs, now);
      if (!isDue) return;
      const delivered = Math.max(longBps, signals.shortBps);
      if (estimate.isAtShallowLimit(longBps, now)) this.#cutToDelivered(longBps, true, now);
      else audit.start(losses, sent, estimate.capacityBps, delivered, smoothedRttUs, now);
      this.#probe.postpone(now);
      return;
    }
    const { acked, lost, sent, smoothedRttUs } = signals;
    const verdict = audit.onFeedback(acked, lost, sent, smoothedRttUs, now);
    if (verdict === Verdict.RANDOM && audit.randomLossRatio > Law.UNEXPLAINED_LOSS) estimate.forgetShallow();
    else if (verdict === Verdict.CONGESTION) this.#cutToDelivered(audit.deliveredBps, true, now);
    else if (verdict === Verdict.SUSPICION) {
      this.#cutToDelivered(audit.deliveredBps / (1 - audit.randomLossRatio), false, now);
    }
  }

  /** Congestion without delay: what was delivered is what the path carries. Near a limit that is certain, growth is slow. */
  #cutToDelivered(deliveredBps: number, isCertain: boolean, now: Micros): void {
    const estimate = this.#estimate;
    estimate.believe(Math.min(estimate.capacityBps, 0.95 * deliveredBps));
    estimate.noteCut(isCertain, now);
    this.#forgive(now);
    this.#probe.postpone(now);
  }

  /** What no law may exceed: heavy loss, a running audit, the bounds. */
  #limit(now: Micros): void {
    const signals = this.#signals;
    const estimate = this.#estimate;
    const isFarBelow = signals.sent.isFarBelow(estimate.capacityBps, now);
    const isExcused = this.#state === START || this.#state === COMPETE || isFarBelow;
    if (this.#guard.step(signals, estimate, this.#audit.randomLossRatio, isExcused)) {
      this.#forgive(now);
      if (this.#state === START) this.#state = RUN;
    }
    estimate.targetBps = Math.min(estimate.targetBps, this.#audit.limitBps);
    estimate.clampAll();
  }
}
