/**
 * CUBIC behind the controller interface, for comparison: what a loss-based controller does with the same packets. In
 * and out as `RateController`. Source: RFC 9438, RFC 9002 §7 (slow start, recovery periods, pacing), RFC 9002 B.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { AckedPacket, RateController, RateOptions, RttView } from './controller.ts';
import { LossHistory } from './history.ts';

/** Constants of RFC 9438 §4: C, beta, and the Reno-friendly increase (§4.3). */
const CUBIC_C = 0.4;
const BETA = 0.7;
const ALPHA: number = (3 * (1 - BETA)) / (1 + BETA);
const SEGMENT_BYTES = 1200;
const WINDOW_START = 10;
const WINDOW_MIN = 2;
/** RFC 9002 §7.7. */
const PACING_GAIN = 1.25;

/** One path. */
export class CubicController implements RateController {
  readonly randomLossRatio = 0;
  readonly probeBytesWanted = 0;
  readonly probePacketBytes = 0;
  /** To a loss-based controller every loss is congestion; redundancy must not hear that, or there would be none. */
  readonly isCongested = false;
  queueDelayUs: Micros = 0;
  readonly #minBps: number;
  readonly #losses: LossHistory = new LossHistory();
  #maxBps: number;
  /** Segments. */
  #window = WINDOW_START;
  #threshold: number = Number.POSITIVE_INFINITY;
  #windowMax = 0;
  #renoWindow = 0;
  #epochUs: Micros = -1;
  /** Losses of packets sent before this instant belong to a cut that has been made. */
  #recoveryUs: Micros = -1;
  #smoothedRttUs: Micros = 100 * MILLISECOND;
  #acked = 0;
  #lost = 0;
  /** Acked segments that were sent while the window was the limit. */
  #growing = 0;
  #before = { window: 0, threshold: 0, windowMax: 0, losses: 0 };

  constructor(options: RateOptions = {}) {
    this.#minBps = options.minRateBps ?? 50_000;
    this.#maxBps = options.maxRateBps ?? 1e10;
  }

  get state(): string {
    return this.#window < this.#threshold ? 'start' : 'run';
  }
  get lossRatio(): number {
    return this.#losses.ratio;
  }
  get congestionWindowBytes(): number {
    return this.#window * SEGMENT_BYTES;
  }
  get targetRateBps(): number {
    const rate = (this.congestionWindowBytes * 8e6) / this.#smoothedRttUs;
    return Math.max(this.#minBps, Math.min(rate, this.#maxBps));
  }
  get capacityBps(): number {
    return this.targetRateBps;
  }
  get pacingRateBps(): number {
    return (this.state === 'start' ? 2 : PACING_GAIN) * this.targetRateBps;
  }

  onPacketSent(): void {}

  onPacketAcked(packet: AckedPacket): void {
    this.#acked++;
    if (!packet.isAppLimited && packet.sentAtUs > this.#recoveryUs)
      this.#growing += packet.sizeBytes / SEGMENT_BYTES;
  }

  onPacketLost(_packetNumber: number, _sizeBytes: number, sentAtUs: Micros, now: Micros): void {
    this.#lost++;
    if (sentAtUs <= this.#recoveryUs) {
      this.#before.losses++;
      return;
    }
    this.#before = {
      window: this.#window,
      threshold: this.#threshold,
      windowMax: this.#windowMax,
      losses: 1,
    };
    this.#recoveryUs = now;
    // Fast convergence, RFC 9438 §4.7.
    this.#windowMax = this.#window < this.#windowMax ? (this.#window * (1 + BETA)) / 2 : this.#window;
    this.#window = Math.max(WINDOW_MIN, this.#window * BETA);
    this.#threshold = this.#window;
    this.#epochUs = -1;
  }

  /** When every loss behind the last cut was none, the cut is undone (RFC 9438 §4.9). */
  onSpuriousLoss(): void {
    this.#lost--;
    this.#acked++;
    if (this.#before.losses === 0 || --this.#before.losses > 0) return;
    this.#window = Math.max(this.#window, this.#before.window);
    this.#threshold = this.#before.threshold;
    this.#windowMax = this.#before.windowMax;
    this.#epochUs = -1;
  }

  onAckEnd(now: Micros, rtt: RttView): void {
    if (rtt.hasSample) {
      this.#smoothedRttUs = Math.max(1, rtt.smoothedUs);
      this.queueDelayUs = Math.max(0, rtt.smoothedUs - rtt.minUs);
    }
    this.#losses.add(now, this.#acked, this.#lost, true);
    const segments = this.#growing;
    this.#acked = 0;
    this.#lost = 0;
    this.#growing = 0;
    if (segments === 0 || this.targetRateBps >= this.#maxBps) return;
    if (this.#window < this.#threshold) this.#window += segments;
    else this.#avoidCongestion(segments, now);
  }

  #avoidCongestion(segments: number, now: Micros): void {
    if (this.#epochUs < 0) {
      this.#epochUs = now;
      this.#renoWindow = this.#window;
      this.#windowMax = Math.max(this.#windowMax, this.#window);
    }
    const seconds = (now - this.#epochUs + this.#smoothedRttUs) / 1e6;
    const k = Math.cbrt((this.#windowMax - this.#window < 0 ? 0 : this.#windowMax * (1 - BETA)) / CUBIC_C);
    const cubic = this.#windowMax + CUBIC_C * (seconds - k) ** 3;
    this.#renoWindow += (ALPHA * segments) / this.#window;
    const aim = Math.max(this.#window, Math.min(cubic, 1.5 * this.#window));
    this.#window += ((aim - this.#window) / this.#window) * segments;
    this.#window = Math.max(this.#window, this.#renoWindow);
  }

  onProbeTimeout(): void {}
  onMediaDemand(): void {}

  /** Its rate grows by what is sent, not by probes. */
  setWantedRate(): void {}

  setMaxRate(bps: number): void {
    this.#maxBps = bps;
  }

  onPathChange(): void {
    this.#window = WINDOW_START;
    this.#threshold = Number.POSITIVE_INFINITY;
    this.#windowMax = 0;
    this.#epochUs = -1;
    this.#losses.clear();
  }
}
