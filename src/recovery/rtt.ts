/**
 * Round-trip time of one path: latest, smoothed, variance, minimum, and how much the one-way delay to the peer varies.
 * Source: RFC 9002 §5; jitter RFC 3550 §6.4.1.
 */
import type { Micros } from '../base/protocol.ts';
import { MILLISECOND, SECOND } from '../base/protocol.ts';
import { WindowedMin } from '../base/windowed-min.ts';

/**
 * What is assumed before the first sample. With no variance known (RFC 9002 §6.2.2: half of it) the first probe
 * timeout is 66.7 + 4 * 33.3 = 200 ms (DESIGN D5): a lost first flight of a live call must not cost a second.
 */
const INITIAL_RTT_US = 66_667;
/**
 * The variance remembers four samples (RFC 9002 §5.3), so by chance it is half of what answers usually stray: with 3 ms of
 * jitter each way one answer in fifty to a lone packet comes after a probe that waits for four times the variance. The
 * deviation of so many samples does not swing; six times that is near five standard deviations, one answer in ten thousand.
 */
const DEVIATION_SAMPLES = 64;
const DEVIATIONS = 6;
const STRAY_MAX = 4;
/** A sample above this is a stopped clock or a suspended host: clamped, so that timers stay usable. */
const RTT_MAX_US: Micros = 10 * SECOND;

/** The recent minimum is that of the last minute: what has become longer since then, without a sign, is the path. */
const RECENT_BUCKET_US: Micros = 10 * SECOND;
const RECENT_BUCKETS = 7;

/** One per path, shared by its packet number spaces. */
export class RttEstimator {
  /** False until the first sample. */
  hasSample = false;
  latestUs: Micros = INITIAL_RTT_US;
  smoothedUs: Micros = INITIAL_RTT_US;
  /** Mean deviation, us. */
  varianceUs: Micros = Math.round(INITIAL_RTT_US / 2);
  /** Smallest sample of the connection's life on this path. */
  minUs: Micros = INITIAL_RTT_US;
  /** How much the one-way delay to the peer differs from packet to packet, smoothed over 16, us. */
  jitterUs: Micros = 0;
  readonly #recent: WindowedMin = new WindowedMin(RECENT_BUCKET_US, RECENT_BUCKETS);
  #transitUs: Micros = Number.NaN;
  /** Mean deviation of the last 64 samples or so, us. */
  #deviationUs: Micros = 0;

  /** Smallest sample of the last 60 to 70 s, us; of longer where samples are rarer. */
  get recentMinUs(): Micros {
    return this.hasSample ? this.#recent.value : INITIAL_RTT_US;
  }

  /**
   * One sample: from when the largest newly acked packet left until its ACK came.
   *
   * @param ackDelayUs What the peer says it waited, already limited to its max_ack_delay.
   */
  onSample(sampleUs: Micros, ackDelayUs: Micros, now: Micros): void {
    const latest = Math.max(1, Math.min(sampleUs, RTT_MAX_US));
    this.latestUs = latest;
    this.#recent.add(latest, now);
    if (!this.hasSample) {
      this.hasSample = true;
      this.minUs = latest;
      this.smoothedUs = latest;
      this.varianceUs = Math.round(latest / 2);
      return;
    }
    this.minUs = Math.min(this.minUs, latest);
    // RFC 9002 §5.3: the delay is believed only as far as it leaves a plausible round trip.
    const adjusted = latest - ackDelayUs >= this.minUs ? latest - ackDelayUs : latest;
    const deviation = Math.abs(this.smoothedUs - adjusted);
    // What strays much further than usual is an outage, which happens once: it is usual when it comes again and again.
    const straysUs = Math.min(deviation, STRAY_MAX * this.#deviationUs + MILLISECOND);
    this.#deviationUs += (straysUs - this.#deviationUs) / DEVIATION_SAMPLES;
    this.varianceUs = Math.round((3 * this.varianceUs + deviation) / 4);
    this.smoothedUs = Math.round((7 * this.smoothedUs + adjusted) / 8);
  }

  /** One packet's way to the peer; the clocks differ, so only changes count. `receivedAtUs` may be NaN. */
  onTransit(sentAtUs: Micros, receivedAtUs: Micros): void {
    const transit = receivedAtUs - sentAtUs;
    if (Number.isNaN(transit)) return;
    if (!Number.isNaN(this.#transitUs)) {
      const change = Math.min(Math.abs(transit - this.#transitUs), SECOND);
      this.jitterUs += (change - this.jitterUs) / 16;
    }
    this.#transitUs = transit;
  }

  /** Time without any answer after which a packet is taken to need a probe. RFC 9002 §6.2.1, without back-off. */
  probeTimeoutUs(maxAckDelayUs: Micros): Micros {
    const strayUs = Math.max(4 * this.varianceUs, Math.round(DEVIATIONS * this.#deviationUs), MILLISECOND);
    return this.smoothedUs + strayUs + maxAckDelayUs;
  }

  /** The connection has moved to another path. */
  reset(): void {
    this.hasSample = false;
    this.latestUs = INITIAL_RTT_US;
    this.smoothedUs = INITIAL_RTT_US;
    this.varianceUs = Math.round(INITIAL_RTT_US / 2);
    this.minUs = INITIAL_RTT_US;
    this.jitterUs = 0;
    this.#recent.clear();
    this.#transitUs = Number.NaN;
    this.#deviationUs = 0;
  }
}
