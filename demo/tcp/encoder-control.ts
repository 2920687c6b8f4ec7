/**
 * What a good application does above a TCP connection that carries live video: skips pictures before they are encoded
 * while earlier ones wait to be sent, and lets the encoder's bitrate follow what the connection achieves.
 * In: bytes sent so far, and how long the oldest unsent byte has been waiting. Out: whether to skip, and the bitrate.
 */

/** Skips pictures while the oldest unsent byte is older than this, ms. */
export const BEHIND_MS = 200;
/** The rate that TCP achieves is measured over this long, ms; below it a single round trip decides. */
const WINDOW_MS = 1_000;
/** Of what TCP achieved while it was the bottleneck: the rest lets the queue drain. */
const FOLLOW_RATIO = 0.85;
/** Growth a second while nothing waits. */
const GROWTH_RATIO = 0.15;
/** Nothing below this is worth watching. */
const LEAST_BPS = 100_000;

export class TcpEncoderControl {
  readonly #mostBps: number;
  #bitsPerSecond: number;
  #isBehind = false;
  #windowAtMs: number | undefined;
  #windowBytes = 0;
  #wasBehindInWindow = false;
  #growthAtMs = 0;

  /** Bits per second. */
  constructor(startBps: number, mostBps: number) {
    this.#mostBps = mostBps;
    this.#bitsPerSecond = Math.min(startBps, mostBps);
  }

  /** What the encoder may produce. */
  get bitsPerSecond(): number {
    return Math.round(this.#bitsPerSecond);
  }

  /** True: encode nothing now. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Ten times a second or more often. `sentBytes` counts from the start of the connection. */
  update(nowMs: number, sentBytes: number, behindMs: number): void {
    this.#isBehind = behindMs > BEHIND_MS;
    if (this.#isBehind) this.#wasBehindInWindow = true;
    if (this.#windowAtMs === undefined || sentBytes < this.#windowBytes) {
      this.#startWindow(nowMs, sentBytes);
      return;
    }
    const elapsedMs = nowMs - this.#windowAtMs;
    if (elapsedMs >= WINDOW_MS) {
      const achievedBps = ((sentBytes - this.#windowBytes) * 8_000) / elapsedMs;
      if (this.#wasBehindInWindow) {
        this.#bitsPerSecond = Math.max(LEAST_BPS, Math.min(this.#bitsPerSecond, achievedBps * FOLLOW_RATIO));
      }
      this.#startWindow(nowMs, sentBytes);
    } else if (!this.#wasBehindInWindow) {
      const grown = this.#bitsPerSecond * (1 + (GROWTH_RATIO * (nowMs - this.#growthAtMs)) / 1_000);
      this.#bitsPerSecond = Math.min(this.#mostBps, grown);
    }
    this.#growthAtMs = nowMs;
  }

  #startWindow(nowMs: number, sentBytes: number): void {
    this.#windowAtMs = nowMs;
    this.#windowBytes = sentBytes;
    this.#wasBehindInWindow = this.#isBehind;
    this.#growthAtMs = nowMs;
  }
}
