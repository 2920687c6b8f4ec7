/**
 * What a viewer suffers, measured at the moment pictures are drawn: latency from the source's drawing to the player's,
 * and freezes. In: capture and display instants of one clock, ms. Out: totals and percentiles. Pure: no clock inside.
 */

/** Captures remembered: half a minute and more at 30 pictures a second. */
const CAPTURES_MAX = 2_048;

/** When the source made pictures: what it did not make, nobody can show. */
export class SourceLog {
  readonly #atMs: Float64Array = new Float64Array(CAPTURES_MAX);
  #count = 0;

  /** Pictures made so far. */
  get count(): number {
    return this.#count;
  }

  onCapture(atMs: number): void {
    this.#atMs[this.#count++ % CAPTURES_MAX] = atMs;
  }

  /** Mean interval between the recent pictures, ms. */
  get intervalMs(): number {
    const recent = Math.min(this.#count - 1, 60);
    if (recent < 1) return 33;
    return (this.#at(this.#count - 1) - this.#at(this.#count - 1 - recent)) / recent;
  }

  /** The longest the source paused between `fromMs` and `toMs`, ms. */
  longestPauseMs(fromMs: number, toMs: number): number {
    let longest = 0;
    let laterMs = toMs;
    for (let i = this.#count - 1; i >= Math.max(0, this.#count - CAPTURES_MAX); i--) {
      const atMs = this.#at(i);
      if (atMs > laterMs) continue;
      longest = Math.max(longest, laterMs - Math.max(atMs, fromMs));
      laterMs = atMs;
      if (atMs <= fromMs) break;
    }
    return longest;
  }

  #at(index: number): number {
    return this.#atMs[index % CAPTURES_MAX] as number;
  }
}

/**
 * A freeze, as WebRTC's statistics define it: the same picture stands for longer than three intervals and longer than
 * an interval and 150 ms. Taken out are pauses of the source, when the pictures should have been made, and of this page,
 * when they should have been shown: source and players share a thread, and a busy machine is no fault of the transport.
 */
export class FreezeMeter {
  readonly #source: SourceLog;
  /** Freezes that are over. */
  #freezes = 0;
  #frozenMs = 0;
  #shownAtMs = Number.NaN;
  #capturedAtMs = Number.NaN;

  constructor(source: SourceLog) {
    this.#source = source;
  }

  /** A picture was drawn. */
  onShown(shownAtMs: number, capturedAtMs: number): void {
    const stoodMs = this.#overdueMs(shownAtMs, capturedAtMs);
    if (stoodMs > 0) {
      this.#freezes++;
      this.#frozenMs += stoodMs;
    }
    this.#shownAtMs = shownAtMs;
    this.#capturedAtMs = capturedAtMs;
  }

  /** Freezes so far, with the one going on. */
  freezes(nowMs: number): number {
    return this.#freezes + (this.#overdueMs(nowMs, nowMs) > 0 ? 1 : 0);
  }

  /** Time that pictures stood longer than they should, ms, with the freeze going on. */
  frozenMs(nowMs: number): number {
    return this.#frozenMs + this.#overdueMs(nowMs, nowMs);
  }

  /** Since when the picture on the screen has been old, ms; 0 while nothing is frozen. */
  #overdueMs(nowMs: number, capturedAtMs: number): number {
    if (Number.isNaN(this.#shownAtMs)) return 0;
    const { intervalMs } = this.#source;
    const pauseMs = Math.max(
      intervalMs,
      this.#source.longestPauseMs(this.#capturedAtMs, capturedAtMs),
      this.#source.longestPauseMs(this.#shownAtMs, nowMs),
    );
    const stoodMs = nowMs - this.#shownAtMs;
    const allowedMs = Math.max(3 * intervalMs, intervalMs + 150) + pauseMs - intervalMs;
    return stoodMs > allowedMs ? stoodMs - pauseMs : 0;
  }
}

/** Latencies above this count as this. */
const LATENCY_MS_MAX = 30_000;

/** Percentiles of everything so far, exact to a millisecond, in constant memory. */
export class LatencyMeter {
  readonly #counts: Uint32Array = new Uint32Array(LATENCY_MS_MAX + 1);
  #total = 0;
  #recentMs: number[] = [];

  add(latencyMs: number): void {
    const bounded = Math.min(LATENCY_MS_MAX, Math.max(0, Math.round(latencyMs)));
    this.#counts[bounded] = (this.#counts[bounded] as number) + 1;
    this.#total++;
    this.#recentMs.push(latencyMs);
  }

  /** `part` is 0..1; 0 before the first. */
  percentileMs(part: number): number {
    let left = Math.ceil(part * this.#total);
    if (left === 0) return 0;
    for (let ms = 0; ms <= LATENCY_MS_MAX; ms++) {
      left -= this.#counts[ms] as number;
      if (left <= 0) return ms;
    }
    return LATENCY_MS_MAX;
  }

  /** The largest since the last call; undefined if there was none. */
  takeLargestMs(): number | undefined {
    const recent = this.#recentMs;
    this.#recentMs = [];
    return recent.length === 0 ? undefined : Math.max(...recent);
  }
}
