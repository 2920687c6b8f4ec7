/**
 * Loss models: which packets a link loses. A model is made from data ({@link LossSpec}), one per link and direction,
 * and is asked once per packet in sending order. In: instant, size, index. Out: lost or not.
 * Sources: Gilbert 1960, Elliott 1963; RFC 8868 §4; quic-interop-runner's `drop-rate` with at most b drops in a row.
 */
import type { Micros } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import { exponential } from './distributions.ts';

/** Decides packet by packet. Own implementations may be given wherever a {@link LossSpec} is. */
export interface LossModel {
  /** True when the packet is lost. `index` counts the packets offered to this model from 0. */
  isLost(nowUs: Micros, sizeBytes: number, index: number): boolean;
}

/** Loss as data. Ratios are 0..1; times are milliseconds; sizes are bytes on the wire, IP header included. */
export type LossSpec =
  | { readonly kind: 'none' }
  /** Every packet alike; at most `burstMax` lost in a row (the interop runner's rule), default no limit. */
  | { readonly kind: 'iid'; readonly ratio: number; readonly burstMax?: number }
  /** Two states that move once per packet. Loss inside a state defaults to 0 when good and 1 when bad. */
  | {
      readonly kind: 'gilbert-elliott';
      readonly goodToBad: number;
      readonly badToGood: number;
      readonly lossGood?: number;
      readonly lossBad?: number;
    }
  /** Bursts with a mean length, at an overall ratio: the by-packet model in the terms people measure. */
  | { readonly kind: 'burst'; readonly ratio: number; readonly meanBurst: number }
  /** Two states that move with time, not packets, so that a quiet sender is not held in the bad state. */
  | {
      readonly kind: 'gilbert-elliott-time';
      readonly meanGoodMs: number;
      readonly meanBadMs: number;
      readonly lossGood?: number;
      readonly lossBad?: number;
    }
  /** `x` is lost, any other character passes; then everything passes, unless it repeats. */
  | { readonly kind: 'pattern'; readonly pattern: string; readonly repeat?: boolean }
  /** Packets of `minBytes`..`maxBytes` are lost at `ratio` (default 1). */
  | { readonly kind: 'size'; readonly minBytes?: number; readonly maxBytes?: number; readonly ratio?: number }
  /** The packets with these indexes, counted from 0. */
  | { readonly kind: 'index'; readonly indexes: readonly number[] }
  /** Lost when any of the models says so; all are asked, so that each keeps its own state. */
  | { readonly kind: 'any'; readonly models: readonly (LossSpec | LossModel)[] };

/** Makes a model from data. `random` belongs to the model from now on. Throws `RangeError` on a bad ratio. */
export function createLoss(spec: LossSpec | LossModel, random: Random): LossModel {
  if ('isLost' in spec) return spec;
  switch (spec.kind) {
    case 'none':
      return { isLost: () => false };
    case 'iid':
      return independentLoss(checkRatio(spec.ratio), spec.burstMax ?? Number.POSITIVE_INFINITY, random);
    case 'gilbert-elliott':
      return new PacketGilbertElliott(spec, random);
    case 'burst':
      return new PacketGilbertElliott(burstChannel(spec.ratio, spec.meanBurst), random);
    case 'gilbert-elliott-time':
      return new TimedGilbertElliott(spec, random);
    case 'pattern':
      return patternLoss(spec.pattern, spec.repeat ?? false);
    case 'size':
      return sizeLoss(
        spec.minBytes ?? 0,
        spec.maxBytes ?? Number.POSITIVE_INFINITY,
        checkRatio(spec.ratio ?? 1),
        random,
      );
    case 'index':
      return indexLoss(spec.indexes);
    case 'any':
      return anyLoss(spec.models.map((model) => createLoss(model, random)));
  }
}

function checkRatio(ratio: number): number {
  if (!(ratio >= 0 && ratio <= 1)) throw new RangeError(`a ratio must be in 0..1, not ${ratio}`);
  return ratio;
}

function independentLoss(ratio: number, burstMax: number, random: Random): LossModel {
  let run = 0;
  return {
    isLost: () => {
      const isLost = random.unit() < ratio && run < burstMax;
      run = isLost ? run + 1 : 0;
      return isLost;
    },
  };
}

/** The by-packet channel whose bursts last `meanBurst` packets on average and whose overall loss is `ratio` (below 1). */
export function burstChannel(
  ratio: number,
  meanBurst: number,
): { goodToBad: number; badToGood: number; lossGood: number; lossBad: number } {
  if (!(meanBurst >= 1)) throw new RangeError('a burst lasts at least one packet');
  if (checkRatio(ratio) === 1) throw new RangeError('bursts need packets between them');
  const badToGood = 1 / meanBurst;
  const goodToBad = (badToGood * ratio) / (1 - ratio);
  return { goodToBad: checkRatio(goodToBad), badToGood, lossGood: 0, lossBad: 1 };
}

class PacketGilbertElliott implements LossModel {
  readonly #goodToBad: number;
  readonly #badToGood: number;
  readonly #lossGood: number;
  readonly #lossBad: number;
  readonly #random: Random;
  #isBad: boolean;

  constructor(
    spec: { goodToBad: number; badToGood: number; lossGood?: number; lossBad?: number },
    random: Random,
  ) {
    this.#goodToBad = checkRatio(spec.goodToBad);
    this.#badToGood = checkRatio(spec.badToGood);
    this.#lossGood = checkRatio(spec.lossGood ?? 0);
    this.#lossBad = checkRatio(spec.lossBad ?? 1);
    this.#random = random;
    // Starts in the stationary state, so that short runs are not biased towards the good one.
    const sum = this.#goodToBad + this.#badToGood;
    this.#isBad = sum > 0 && random.unit() < this.#goodToBad / sum;
  }

  isLost(): boolean {
    const isLost = this.#random.unit() < (this.#isBad ? this.#lossBad : this.#lossGood);
    if (this.#random.unit() < (this.#isBad ? this.#badToGood : this.#goodToBad)) this.#isBad = !this.#isBad;
    return isLost;
  }
}

class TimedGilbertElliott implements LossModel {
  readonly #meanGoodUs: Micros;
  readonly #meanBadUs: Micros;
  readonly #lossGood: number;
  readonly #lossBad: number;
  readonly #random: Random;
  #isBad: boolean;
  #changesAtUs: Micros;

  constructor(
    spec: { meanGoodMs: number; meanBadMs: number; lossGood?: number; lossBad?: number },
    random: Random,
  ) {
    if (!(spec.meanGoodMs > 0 && spec.meanBadMs > 0)) throw new RangeError('states need a mean time above 0');
    this.#meanGoodUs = spec.meanGoodMs * 1_000;
    this.#meanBadUs = spec.meanBadMs * 1_000;
    this.#lossGood = checkRatio(spec.lossGood ?? 0);
    this.#lossBad = checkRatio(spec.lossBad ?? 1);
    this.#random = random;
    this.#isBad = random.unit() < spec.meanBadMs / (spec.meanGoodMs + spec.meanBadMs);
    this.#changesAtUs = this.#stay();
  }

  #stay(): Micros {
    return exponential(this.#random, this.#isBad ? this.#meanBadUs : this.#meanGoodUs);
  }

  isLost(nowUs: Micros): boolean {
    const cycleUs = this.#meanGoodUs + this.#meanBadUs;
    if (nowUs - this.#changesAtUs > 64 * cycleUs) {
      // After so many cycles the state is independent of the old one: draw it, rather than walk a week of flips.
      this.#isBad = this.#random.unit() < this.#meanBadUs / cycleUs;
      this.#changesAtUs = nowUs + this.#stay();
    }
    while (this.#changesAtUs <= nowUs) {
      this.#isBad = !this.#isBad;
      this.#changesAtUs += this.#stay();
    }
    return this.#random.unit() < (this.#isBad ? this.#lossBad : this.#lossGood);
  }
}

function patternLoss(pattern: string, repeat: boolean): LossModel {
  const size = pattern.length;
  if (size === 0) throw new RangeError('an empty pattern loses nothing: use kind none');
  return { isLost: (_nowUs, _sizeBytes, index) => pattern[repeat ? index % size : index] === 'x' };
}

function sizeLoss(minBytes: number, maxBytes: number, ratio: number, random: Random): LossModel {
  return {
    isLost: (_nowUs, sizeBytes) => sizeBytes >= minBytes && sizeBytes <= maxBytes && random.unit() < ratio,
  };
}

function indexLoss(indexes: readonly number[]): LossModel {
  const lost = new Set(indexes);
  return { isLost: (_nowUs, _sizeBytes, index) => lost.has(index) };
}

function anyLoss(models: readonly LossModel[]): LossModel {
  return {
    isLost: (nowUs, sizeBytes, index) => {
      let isLost = false;
      for (const model of models) if (model.isLost(nowUs, sizeBytes, index)) isLost = true;
      return isLost;
    },
  };
}
