/**
 * How fast a link serves its queue: a constant rate, a rate that changes at given times, or a trace of delivery
 * opportunities in mahimahi's format. In: when service of a packet may begin, and its size. Out: when it is through.
 * Source of the trace format: Netravali et al., "Mahimahi", USENIX ATC 2015 (link-shell).
 */
import type { Micros } from '../base/protocol.ts';

/** Serves packets one after the other; `startUs` never decreases from call to call. */
export interface Capacity {
  /** The instant (fractions allowed) a packet is through whose service begins at `startUs`; `Infinity` = never. */
  finishAt(startUs: number, sizeBytes: number): number;
  /** Bits per second around `nowUs`: turns a queue limit in milliseconds into bytes. */
  rateAt(nowUs: Micros): number;
}

/** Capacity as data. Rates are bits per second (0 holds the queue, Infinity has none), times milliseconds. */
export type CapacitySpec =
  | { readonly kind: 'rate'; readonly rateBps: number }
  /** Each step holds from `atMs` until the next; the first must be at 0. Starts over after `repeatMs` if given. */
  | {
      readonly kind: 'schedule';
      readonly steps: readonly { readonly atMs: number; readonly rateBps: number }[];
      readonly repeatMs?: number;
    }
  /**
   * One opportunity of `opportunityBytes` (default 1504, as mahimahi) per time stamp; repeats after the last stamp. An
   * opportunity that nobody waits for is wasted; a packet may span several, and several may share one.
   */
  | {
      readonly kind: 'mahimahi';
      readonly timestampsMs: readonly number[];
      readonly opportunityBytes?: number;
    };

/** Makes the capacity that `spec` describes. Throws `RangeError` when it describes none. */
export function createCapacity(spec: CapacitySpec): Capacity {
  switch (spec.kind) {
    case 'rate':
      return constantRate(spec.rateBps);
    case 'schedule':
      return new RateSchedule(spec.steps, spec.repeatMs ?? Number.POSITIVE_INFINITY);
    case 'mahimahi':
      return new OpportunityTrace(spec.timestampsMs, spec.opportunityBytes ?? 1_504);
  }
}

/**
 * Reads a mahimahi trace file: one integer, milliseconds, per line, not decreasing, the last above 0.
 * Throws `RangeError` naming the first bad line.
 */
export function parseMahimahi(text: string): number[] {
  const timestampsMs: number[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] as string).trim();
    if (line === '' || line.startsWith('#')) continue;
    const stamp = Number(line);
    const isValid = Number.isSafeInteger(stamp) && stamp >= (timestampsMs.at(-1) ?? 0);
    if (!isValid) throw new RangeError(`line ${i + 1} of the trace is not a later time stamp: ${line}`);
    timestampsMs.push(stamp);
  }
  return timestampsMs;
}

function checkRate(rateBps: number): number {
  if (!(rateBps >= 0)) throw new RangeError(`a rate must be 0 or more bits per second, not ${rateBps}`);
  return rateBps;
}

function constantRate(rateBps: number): Capacity {
  checkRate(rateBps);
  const perByteUs = 8_000_000 / rateBps;
  return { finishAt: (startUs, sizeBytes) => startUs + sizeBytes * perByteUs, rateAt: () => rateBps };
}

class RateSchedule implements Capacity {
  readonly #atUs: number[] = [];
  readonly #rateBps: number[] = [];
  readonly #periodUs: number;

  constructor(steps: readonly { atMs: number; rateBps: number }[], repeatMs: number) {
    if (steps[0]?.atMs !== 0) throw new RangeError('a rate schedule begins at 0');
    for (const step of steps) {
      const atUs = step.atMs * 1_000;
      if (atUs < (this.#atUs.at(-1) ?? 0))
        throw new RangeError('the steps of a rate schedule must be in order');
      this.#atUs.push(atUs);
      this.#rateBps.push(checkRate(step.rateBps));
    }
    this.#periodUs = repeatMs * 1_000;
    if (this.#periodUs <= (this.#atUs.at(-1) as number))
      throw new RangeError('repeatMs must be after the last step');
    const isDead = Number.isFinite(this.#periodUs) && this.#rateBps.every((rate) => rate === 0);
    if (isDead) throw new RangeError('a repeating schedule needs a rate above 0');
  }

  /** Index of the step in force at `phaseUs`: the last one that began at or before it. */
  #stepAt(phaseUs: number): number {
    let low = 0;
    let high = this.#atUs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#atUs[middle] as number) <= phaseUs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #epochOf(nowUs: number): number {
    return Number.isFinite(this.#periodUs) ? Math.floor(nowUs / this.#periodUs) * this.#periodUs : 0;
  }

  rateAt(nowUs: Micros): number {
    return this.#rateBps[this.#stepAt(nowUs - this.#epochOf(nowUs))] as number;
  }

  finishAt(startUs: number, sizeBytes: number): number {
    let epochUs = this.#epochOf(startUs);
    let step = this.#stepAt(startUs - epochUs);
    let atUs = startUs;
    let bits = sizeBytes * 8;
    while (true) {
      const rate = this.#rateBps[step] as number;
      const endUs = epochUs + (this.#atUs[step + 1] ?? this.#periodUs);
      const doneUs = rate === Number.POSITIVE_INFINITY ? atUs : atUs + (bits * 1_000_000) / rate;
      if (doneUs <= endUs) return doneUs;
      bits -= ((endUs - atUs) * rate) / 1_000_000;
      atUs = endUs;
      step++;
      if (step === this.#atUs.length) {
        step = 0;
        epochUs += this.#periodUs;
      }
    }
  }
}

class OpportunityTrace implements Capacity {
  readonly #stampsUs: number[];
  readonly #periodUs: number;
  readonly #opportunityBytes: number;
  readonly #meanRateBps: number;
  /** The opportunity in use, counted over all repetitions, and what is left of it. */
  #index = -1;
  #leftBytes = 0;

  constructor(timestampsMs: readonly number[], opportunityBytes: number) {
    const lastMs = timestampsMs.at(-1) ?? 0;
    if (lastMs <= 0 || opportunityBytes <= 0)
      throw new RangeError('a trace needs an opportunity later than 0');
    this.#stampsUs = timestampsMs.map((stamp) => stamp * 1_000);
    this.#periodUs = lastMs * 1_000;
    this.#opportunityBytes = opportunityBytes;
    this.#meanRateBps = (timestampsMs.length * opportunityBytes * 8_000) / lastMs;
  }

  #timeOf(index: number): number {
    const size = this.#stampsUs.length;
    const epoch = Math.floor(index / size);
    return epoch * this.#periodUs + (this.#stampsUs[index - epoch * size] as number);
  }

  /** The first opportunity at or after `atUs`. */
  #firstFrom(atUs: number): number {
    const epoch = Math.floor(atUs / this.#periodUs);
    const phaseUs = atUs - epoch * this.#periodUs;
    let low = 0;
    let high = this.#stampsUs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#stampsUs[middle] as number) < phaseUs) low = middle + 1;
      else high = middle;
    }
    const index = epoch * this.#stampsUs.length + low;
    // A start exactly on the seam may still use the last stamps of the repetition before, which fall on the same instant.
    if (phaseUs > 0 || epoch === 0) return index;
    let seam = index;
    while (seam > 0 && this.#timeOf(seam - 1) >= atUs) seam--;
    return seam;
  }

  rateAt(): number {
    return this.#meanRateBps;
  }

  finishAt(startUs: number, sizeBytes: number): number {
    if (this.#index < 0 || this.#timeOf(this.#index) < startUs) {
      this.#index = Math.max(this.#firstFrom(startUs), this.#index + 1);
      this.#leftBytes = this.#opportunityBytes;
    }
    let bytes = sizeBytes;
    while (bytes > this.#leftBytes) {
      bytes -= this.#leftBytes;
      this.#index++;
      this.#leftBytes = this.#opportunityBytes;
    }
    this.#leftBytes -= bytes;
    return this.#timeOf(this.#index);
  }
}
