/**
 * How much parity a track carries where no retransmission fits: a steady stream of repair symbols, each over all media
 * frames that can still make their deadline. In: channel, symbols per media frame, how many frames later repair still
 * helps, price of a miss. Out: repair symbols per source symbol. Pure; a table entry takes about a millisecond once.
 *
 * Model: the receiver owes itself as many symbols as it lost (debt); every repair symbol that arrives pays for one,
 * whichever; when the debt is gone everything is known. A media frame is missed if the debt that holds it lasts longer
 * than it can wait. That is joint decoding of overlapping blocks. Source: Martinian and Sundberg (2004) on delay;
 * Badr et al. (2017) on information debt; checked against elimination by test/unit/plan-stream-rate.test.ts.
 */
import type { Channel } from './channel.ts';

/** What the stream's rate depends on. */
export interface StreamInputs {
  /** Mean source symbols of a media frame, at least 1. */
  readonly symbols: number;
  /** Media frames after a frame whose repair still helps it. */
  readonly span: number;
  /** What a missed media frame costs, in symbols. */
  readonly price: number;
}

/** Longer spans are modelled in groups of frames. */
const SPAN_MODEL_MAX = 7;
const DEBT_MAX = 40;
const WARM_SLOTS = 8;
const MEASURED_SLOTS = 16;
/** What is rarer than this changes no decision. */
const NEGLIGIBLE = 1e-8;
/** Rates tried: from capacity up, first in strides of so many steps, then around the best in halves. */
const STRIDE = 4;
const STRIDES_MAX = 16;
const RATE_MAX = 1.5;

/** Repair symbols per source symbol that cost least, 0..1.5. */
export function streamRate(inputs: StreamInputs, channel: Channel): number {
  if (channel.lossRatio === 0) return 0;
  const model = new DebtModel(inputs, channel);
  const costOf = (rate: number): number => rate * inputs.symbols + inputs.price * model.missRatio(rate);
  let best = 0;
  let bestCost = costOf(0);
  const first = Math.ceil(channel.lossRatio / model.step) * model.step;
  for (let i = 0; i < STRIDES_MAX; i++) {
    const rate = first + i * STRIDE * model.step;
    if (rate > RATE_MAX || rate * inputs.symbols > bestCost) break;
    const cost = costOf(rate);
    if (cost < bestCost) {
      best = rate;
      bestCost = cost;
    } else if (best > 0) {
      break;
    }
  }
  if (best === 0) return 0;
  for (let stride = STRIDE / 2; stride >= 1; stride /= 2) {
    const middle = best;
    for (const rate of [middle - stride * model.step, middle + stride * model.step]) {
      const cost = rate > 0 ? costOf(rate) : bestCost;
      if (cost >= bestCost) continue;
      best = rate;
      bestCost = cost;
    }
  }
  return best;
}

/** The debt of a stream as a Markov chain: age of the debt, its size, and what happened to the last packet. */
export class DebtModel {
  readonly #channel: Channel;
  readonly #span: number;
  /** Media frames and source symbols of a slot of the model. */
  readonly #frames: number;
  readonly #symbols: number;
  /** P(a slot has a loss), media frames missed when its debt is not paid in time, and the symbols it lost. */
  readonly #slotLoss: number;
  readonly #framesMissed: number;
  readonly #symbolsMissed: number;
  /** Independent losses remember nothing: one state of the channel is enough. */
  readonly #starts: number;
  /** Rates worth telling apart. */
  readonly step: number;

  constructor(inputs: StreamInputs, channel: Channel) {
    this.#channel = channel;
    this.#span = Math.min(inputs.span, SPAN_MODEL_MAX);
    this.#frames = (inputs.span + 1) / (this.#span + 1);
    this.#symbols = Math.max(1, Math.round(inputs.symbols * this.#frames));
    this.#slotLoss = channel.moreThan(0, this.#symbols);
    const frameLoss = channel.moreThan(0, Math.max(1, Math.round(inputs.symbols)));
    this.#framesMissed = Math.max(1, (this.#frames * frameLoss) / this.#slotLoss);
    this.#symbolsMissed = Math.max(1, Math.round((this.#symbols * channel.lossRatio) / this.#slotLoss));
    const spread = Math.sqrt(this.#symbols * (this.#span + 1) * channel.lossRatio * channel.burstMean);
    // Repair symbols per slot go up in powers of two from 1/16, so that the measured slots hold whole cycles.
    const perSlot = spread / (4 * (this.#span + 1));
    this.step = 2 ** Math.max(-4, Math.round(Math.log2(perSlot))) / this.#symbols;
    this.#starts = channel.isBursty ? 2 : 1;
  }

  /** Share of media frames that miss with `rate` repair symbols per source symbol. */
  missRatio(rate: number): number {
    const ages = this.#span + 2;
    const width = DEBT_MAX + 1;
    let now = new Float64Array(2 * ages * width);
    let next = new Float64Array(2 * ages * width);
    now[0] = this.#starts === 1 ? 1 : 1 - this.#channel.lossRatio;
    now[ages * width] = 1 - (now[0] as number);
    let carried = 0;
    let missed = 0;
    for (let slot = 0; slot < WARM_SLOTS + MEASURED_SLOTS; slot++) {
      carried += rate * this.#symbols;
      const repair = Math.floor(carried);
      carried -= repair;
      next.fill(0);
      const misses = this.#advance(now, next, repair);
      if (slot >= WARM_SLOTS) missed += misses;
      [now, next] = [next, now];
    }
    return Math.min(1, (missed * this.#framesMissed) / (MEASURED_SLOTS * this.#frames));
  }

  /** One slot: `repair` repair symbols and the slot's source symbols. Returns the share of slots missed. */
  #advance(now: Float64Array, next: Float64Array, repair: number): number {
    const ages = this.#span + 2;
    const width = DEBT_MAX + 1;
    const packets = repair + this.#symbols;
    const counts = this.#channel.counts(packets);
    let missed = 0;
    for (let start = 0; start < this.#starts; start++) {
      for (let age = 0; age <= this.#span; age++) {
        for (let debt = 0; debt < width; debt++) {
          const share = now[(start * ages + age) * width + debt] as number;
          if (share < NEGLIGIBLE) continue;
          missed += this.#spread(next, counts, packets, repair, start, age, debt, share);
        }
      }
    }
    return missed;
  }

  #spread(
    next: Float64Array,
    counts: Float64Array,
    packets: number,
    repair: number,
    start: number,
    age: number,
    debt: number,
    share: number,
  ): number {
    const ages = this.#span + 2;
    const width = DEBT_MAX + 1;
    const lostMax = Math.min(packets, DEBT_MAX + repair);
    let missed = 0;
    const gap = Math.max(1, Math.round(1 / this.#slotLoss));
    for (let end = 0; end < 2; end++) {
      const from = (2 * start + end) * (packets + 1);
      const base = this.#starts === 1 ? 0 : end * ages * width;
      for (let lost = 0, left = 1; lost <= lostMax && left * share > NEGLIGIBLE; lost++) {
        const chance = counts[from + lost] as number;
        left -= chance;
        if (chance === 0) continue;
        const weight = share * chance;
        let owed = Math.max(0, Math.min(DEBT_MAX, debt + lost - repair));
        let older = owed === 0 ? 0 : age + 1;
        if (older > this.#span) {
          // The oldest slot gives up; what it lost is owed no more, and the next one with a loss is the oldest.
          missed += weight;
          owed = Math.max(0, owed - this.#symbolsMissed);
          older = owed === 0 ? 0 : Math.min(this.#span, Math.max(1, this.#span + 1 - gap));
          if (older === 0) owed = 0;
        }
        const at = base + older * width + owed;
        next[at] = (next[at] as number) + weight;
      }
    }
    return missed;
  }
}
