/**
 * The redundancy policy of live tracks, wired: what recovery sees of loss goes to the loss model, what a track asks
 * about a media frame goes to the rules of plan/. Source: DESIGN D7.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import { LossModel } from '../plan/loss-model.ts';
import { repairFor } from '../plan/repair-rule.ts';
import { roundsThatFit } from '../plan/rounds.ts';
import type { AckedSample, PacketObserver } from '../recovery/observer.ts';
import type { RttEstimator } from '../recovery/rtt.ts';
import type { RepairInput, RepairPolicy } from '../track/types.ts';

/** Tolerable miss ratio of a media frame; key frames and audio count ten times as much (DESIGN D7). */
const TARGET = 1e-3;
const STRICT_TARGET = 1e-4;
/** Feedback leaves with the end of a media frame, at most this much later (docs/wire-format.md §3.1). */
const FEEDBACK_DELAY_US: Micros = 5 * MILLISECOND;
/** Repair of media frames below this many symbols covers several of them. */
const SMALL_FRAME_SYMBOLS = 4;
const COVERED_FRAMES_MAX = 4;

/** What is asked of the rate controller: whose loss it is. */
interface CongestionObserver extends PacketObserver {
  readonly isCongested: boolean;
}

/** Stands between loss recovery and the rate controller: both the controller and the loss model hear everything. */
export class Redundancy implements RepairPolicy, PacketObserver {
  readonly model: LossModel = new LossModel();
  readonly #controller: CongestionObserver;
  readonly #rtt: RttEstimator;

  constructor(controller: CongestionObserver, rtt: RttEstimator) {
    this.#controller = controller;
    this.#rtt = rtt;
  }

  repairCount(input: RepairInput): number {
    const lossRatio = this.model.lossRatio;
    if (lossRatio === 0) return 0;
    const isStrict = input.isKeyFrame || input.kind === 'audio';
    const covered = this.coverFrames(input);
    const repair = repairFor({
      symbols: input.symbols * covered,
      lossRatio,
      burstMean: this.model.burstMean,
      roundsLeft: this.#roundsLeft(input),
      target: isStrict ? STRICT_TARGET : TARGET,
    });
    return Math.ceil(repair / covered);
  }

  coverFrames(input: RepairInput): number {
    if (input.symbols >= SMALL_FRAME_SYMBOLS || input.frameIntervalUs === 0 || this.#roundsLeft(input) > 0)
      return 1;
    const fit = Math.floor(input.deadlineLeftUs / input.frameIntervalUs);
    return Math.min(COVERED_FRAMES_MAX, Math.max(1, fit));
  }

  #roundsLeft(input: RepairInput): number {
    const { smoothedUs, varianceUs } = this.#rtt;
    return roundsThatFit({
      timeLeftUs: input.deadlineLeftUs + smoothedUs / 2,
      smoothedRttUs: smoothedUs,
      rttVarianceUs: varianceUs,
      ackDelayUs: FEEDBACK_DELAY_US,
      detectUs: smoothedUs / 8,
    });
  }

  onPacketSent(now: Micros, sizeBytes: number, bytesInFlight: number, isAppLimited: boolean): void {
    this.#controller.onPacketSent(now, sizeBytes, bytesInFlight, isAppLimited);
  }

  onPacketAcked(packet: AckedSample): void {
    this.model.onAcked(packet.ackedAtUs);
    this.#controller.onPacketAcked(packet);
  }

  onPacketLost(packetNumber: number, sizeBytes: number, sentAtUs: Micros, now: Micros): void {
    // A queue that overflows needs a lower rate, not redundancy, which would be more of the same.
    if (!this.#controller.isCongested) this.model.onLost(packetNumber, now);
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
