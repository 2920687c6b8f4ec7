/**
 * The redundancy policy of live tracks, wired: what recovery sees of loss goes to the loss model, what a track asks
 * about a media frame goes to the planner. Source: DESIGN D7; docs/planner.md.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import { LossModel } from '../plan/loss-model.ts';
import { PacketSpacing } from '../plan/packet-spacing.ts';
import { Planner, priceOf } from '../plan/planner.ts';
import { feedbackUs, leadUs, type PathTimes, roundsThatFit, spanThatFits } from '../plan/rounds.ts';
import type { SpareInputs } from '../plan/spare.ts';
import type { AckedSample, PacketObserver } from '../recovery/observer.ts';
import type { RttEstimator } from '../recovery/rtt.ts';
import type { FramePlan, PlanInput, RedundancyPolicy } from '../track/types.ts';

/** A loss shows with the silence behind it, and the silence with the next feedback (docs/wire-format.md §3.1). */
const DETECT_US: Micros = 8 * MILLISECOND;
/** The model is asked again after so long: it moves slowly, and media frames can be many. */
const OBSERVE_INTERVAL_US: Micros = 10 * MILLISECOND;

/** Larger media frames are split into blocks, each protected for itself (track/limits.ts). */
const BLOCK_SYMBOLS = 100;
/** A full packet, for the time that one takes. */
const PACKET_BYTES = 1452;

/** A media frame that waited for up to this share of its latency is no sign of a short budget, and so much more of one that is fully short. */
const CALM_SHARE = 0.15;
const PRESSED_SHARE = 0.35;

/** What is asked of the rate controller: whose loss it is, and the pace. */
interface CongestionView {
  readonly isCongested: boolean;
  readonly queueDelayUs: Micros;
  readonly pacingRateBps: number;
}

/** What is asked of loss recovery: by how much a packet may be late before it counts as lost. */
interface ReorderingView {
  /** 0 while no reordering has been seen: then later packets show a loss, not time. */
  readonly windowUs: Micros;
  lossDelayUs(latestRttUs: Micros, smoothedRttUs: Micros): Micros;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Stands between loss recovery and the rate controller: both the controller and the loss model hear everything. */
export class Redundancy implements RedundancyPolicy, PacketObserver {
  readonly model: LossModel = new LossModel();
  readonly planner: Planner = new Planner();
  readonly #controller: PacketObserver & CongestionView;
  readonly #rtt: RttEstimator;
  #reordering: ReorderingView | undefined;
  readonly #times: Mutable<PathTimes> = {
    smoothedRttUs: 0,
    rttVarianceUs: 0,
    jitterUs: 0,
    detectUs: DETECT_US,
    packetUs: 0,
  };
  readonly #spare: Mutable<SpareInputs> = { missing: 0, unknown: 0, rowsArrived: 0, rowsUnknown: 0 };
  readonly #spacing: PacketSpacing = new PacketSpacing();
  #now: Micros = 0;
  #observedAtUs: Micros = -OBSERVE_INTERVAL_US;

  constructor(controller: PacketObserver & CongestionView, rtt: RttEstimator) {
    this.#controller = controller;
    this.#rtt = rtt;
  }

  /** Another path: what the planner takes for a queue counts from its delay. */
  onPathChange(): void {
    this.model.resetDelay();
  }

  /** Loss recovery, whose patience with late packets is time that resends do not have. */
  watch(reordering: ReorderingView): void {
    this.#reordering = reordering;
  }

  plan(input: PlanInput, plan: FramePlan): void {
    const times = this.#pathTimes();
    plan.leadUs = leadUs(times);
    plan.packetUs = times.packetUs;
    plan.spacingUs = this.#spacing.us;
    plan.rounds = roundsThatFit(input.timeLeftUs, times);
    plan.span = spanThatFits(input.latencyUs, input.frameIntervalUs, times);
    plan.streamRatio = 0;
    plan.firstSpares = 0;
    plan.price = 0;
    if (input.mode === 'off') return;
    if (input.mode !== 'auto') {
      plan.streamRatio = input.mode.overhead;
      return;
    }
    this.#observe();
    const frameClass = input.isKeyFrame
      ? 'key'
      : input.kind === 'audio'
        ? 'audio'
        : input.isDiscardable
          ? 'discardable'
          : 'ordinary';
    const pressure = Math.min(1, Math.max(0, input.waitedUs / input.latencyUs - CALM_SHARE) / PRESSED_SHARE);
    plan.price = priceOf(input.target, input.symbols, frameClass, pressure);
    if (plan.rounds > 0) {
      const blocks = Math.ceil(input.symbols / BLOCK_SYMBOLS);
      const each = Math.ceil(input.symbols / blocks);
      // Frames whose last flights fall between the feedback of this one and its deadline share their spares.
      const slackUs = input.timeLeftUs - plan.leadUs - plan.rounds * feedbackUs(times);
      const sharing = input.frameIntervalUs > 0 ? 1 + Math.floor(slackUs / input.frameIntervalUs) : 1;
      // Key frames are too rare to decide what the usual frame waits.
      const isUsual = pressure === 0 && !input.isKeyFrame;
      const waiting = isUsual ? waitingFrames(input, feedbackUs(times)) : 0;
      plan.firstSpares = blocks * this.planner.firstSpares(each, plan.rounds, plan.price, sharing, waiting);
      return;
    }
    const price = priceOf(input.target, input.meanSymbols, frameClass, pressure);
    plan.streamRatio = this.planner.streamRatio(input.meanSymbols, plan.span, price);
  }

  flightSpares(missing: number, rounds: number, price: number): number {
    this.#observe();
    return this.planner.flightSpares(missing, rounds, price);
  }

  lastSpares(
    missing: number,
    unknown: number,
    rowsArrived: number,
    rowsUnknown: number,
    price: number,
  ): number {
    this.#observe();
    const spare = this.#spare;
    spare.missing = missing;
    spare.unknown = unknown;
    spare.rowsArrived = rowsArrived;
    spare.rowsUnknown = rowsUnknown;
    return this.planner.spares(spare, price);
  }

  roundsIn(timeLeftUs: Micros): number {
    return roundsThatFit(timeLeftUs, this.#pathTimes());
  }

  /** From when a packet leaves until its loss is known. */
  get feedbackUs(): Micros {
    return feedbackUs(this.#pathTimes());
  }

  #pathTimes(): PathTimes {
    const times = this.#times;
    times.smoothedRttUs = this.#rtt.smoothedUs;
    times.rttVarianceUs = this.#rtt.varianceUs;
    times.jitterUs = this.#rtt.jitterUs;
    times.detectUs = this.#detectUs();
    return times;
  }

  /** On a path that reorders, silence alone shows nothing: the packet may only be late. */
  #detectUs(): Micros {
    const reordering = this.#reordering;
    if (reordering === undefined || reordering.windowUs === 0) return DETECT_US;
    const { latestUs, smoothedUs } = this.#rtt;
    return Math.max(DETECT_US, reordering.lossDelayUs(latestUs, smoothedUs) - smoothedUs);
  }

  #observe(): void {
    if (this.#now - this.#observedAtUs < OBSERVE_INTERVAL_US) return;
    this.#observedAtUs = this.#now;
    this.planner.observe(this.model.lossRatio, this.model.burstMean);
  }

  onPacketSent(
    now: Micros,
    sizeBytes: number,
    bytesInFlight: number,
    isAppLimited: boolean,
    packetNumber: number,
  ): void {
    this.#now = now;
    this.#times.packetUs = Math.max((PACKET_BYTES * 8e6) / this.#controller.pacingRateBps, this.#spacing.us);
    this.#controller.onPacketSent(now, sizeBytes, bytesInFlight, isAppLimited, packetNumber);
  }

  onPacketAcked(packet: AckedSample): void {
    this.#now = packet.ackedAtUs;
    this.model.onAcked(packet.ackedAtUs, packet.receivedAtUs - packet.sentAtUs);
    this.#spacing.onAcked(packet);
    this.#controller.onPacketAcked(packet);
  }

  onPacketLost(packetNumber: number, sizeBytes: number, sentAtUs: Micros, now: Micros): void {
    this.#now = now;
    const { isCongested, queueDelayUs } = this.#controller;
    this.model.onLost(packetNumber, sentAtUs, now, isCongested, queueDelayUs);
    this.#controller.onPacketLost(packetNumber, sizeBytes, sentAtUs, now);
  }

  onSpuriousLoss(packetNumber: number, sizeBytes: number, now: Micros): void {
    this.model.onSpuriousLoss(now);
    this.#controller.onSpuriousLoss(packetNumber, sizeBytes, now);
  }

  onAckEnd(now: Micros, rtt: RttEstimator, bytesInFlight: number): void {
    this.#controller.onAckEnd(now, rtt, bytesInFlight);
  }

  onProbeTimeout(now: Micros, count: number): void {
    this.#controller.onProbeTimeout(now, count);
  }
}

/** Media frames that wait while a lost symbol is resent, in the mean; 0 where an early one waits for its play-out anyway. */
function waitingFrames({ delivery, order, frameIntervalUs }: PlanInput, resendUs: Micros): number {
  if (delivery === 'timed') return 0;
  return order === 'none' || frameIntervalUs <= 0 ? 1 : Math.max(1, resendUs / frameIntervalUs);
}
