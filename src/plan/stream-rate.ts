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
import { type Channel, PACKETS_MAX } from './channel.ts';

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
const DEBTS: number = DEBT_MAX + 1;
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

/**
 * What a slot of so many packets does to a debt, one row per pair (state of the channel before, after). All rows have
 * the shape [starts * ends][packets + 1].
 */
interface SlotKernel {
  /** P(j lost). */
  readonly chances: Float64Array;
  /** P(more than j lost); P(any number lost) is `all`. */
  readonly above: Float64Array;
  readonly all: Float64Array;
  readonly width: number;
}

/** The debt of a stream as a Markov chain: age of the debt, its size, and what happened to the last packet. */
export class DebtModel {
  readonly #channel: Channel;
  readonly #span: number;
  /** Media frames and source symbols of a slot of the model. */
  readonly #frames: number;
  readonly #symbols: number;
  /** Media frames missed when the debt of a slot is not paid in time, and the symbols that the slot lost. */
  readonly #framesMissed: number;
  readonly #symbolsMissed: number;
  /** Age of the debt that is left when the oldest slot with a loss gives up. */
  readonly #ageLeft: number;
  /** Independent losses remember nothing: one state of the channel is enough. */
  readonly #states: number;
  /** By repair symbols of a slot. */
  readonly #kernels: SlotKernel[] = [];
  /** Shape [states][ages][debts]: debt 0 has age 0, and only it. */
  #now: Float64Array;
  #next: Float64Array;
  /** Rates worth telling apart. */
  readonly step: number;

  constructor(inputs: StreamInputs, channel: Channel) {
    this.#channel = channel;
    this.#span = Math.min(inputs.span, SPAN_MODEL_MAX);
    this.#frames = (inputs.span + 1) / (this.#span + 1);
    this.#symbols = Math.max(1, Math.round(inputs.symbols * this.#frames));
    const slotLoss = channel.moreThan(0, this.#symbols);
    const frameLoss = channel.moreThan(0, Math.max(1, Math.round(inputs.symbols)));
    this.#framesMissed = Math.max(1, (this.#frames * frameLoss) / slotLoss);
    this.#symbolsMissed = Math.max(1, Math.round((this.#symbols * channel.lossRatio) / slotLoss));
    const gap = Math.max(1, Math.round(1 / slotLoss));
    this.#ageLeft = Math.min(this.#span, Math.max(1, this.#span + 1 - gap));
    const spread = Math.sqrt(this.#symbols * (this.#span + 1) * channel.lossRatio * channel.burstMean);
    // Repair symbols per slot go up in powers of two from 1/16, so that the measured slots hold whole cycles.
    const perSlot = spread / (4 * (this.#span + 1));
    this.step = 2 ** Math.max(-4, Math.round(Math.log2(perSlot))) / this.#symbols;
    this.#states = channel.isBursty ? 2 : 1;
    const cells = this.#states * (this.#span + 1) * DEBTS;
    this.#now = new Float64Array(cells);
    this.#next = new Float64Array(cells);
  }

  /** Share of media frames that miss with `rate` repair symbols per source symbol. */
  missRatio(rate: number): number {
    this.#now.fill(0);
    const bad = this.#states === 1 ? 0 : this.#channel.lossRatio;
    this.#now[0] = 1 - bad;
    if (this.#states === 2) this.#now[(this.#span + 1) * DEBTS] = bad;
    let carried = 0;
    let missed = 0;
    for (let slot = 0; slot < WARM_SLOTS + MEASURED_SLOTS; slot++) {
      carried += rate * this.#symbols;
      const repair = Math.floor(carried);
      carried -= repair;
      const misses = this.#advance(repair);
      if (slot >= WARM_SLOTS) missed += misses;
    }
    return Math.min(1, (missed * this.#framesMissed) / (MEASURED_SLOTS * this.#frames));
  }

  /** One slot: `repair` repair symbols and the slot's source symbols. Returns the share of slots missed. */
  #advance(repair: number): number {
    const kernel = this.#kernel(repair);
    const now = this.#now;
    const block = (this.#span + 1) * DEBTS;
    this.#next.fill(0);
    let missed = 0;
    for (let at = 0; at < now.length; at++) {
      const share = now[at] as number;
      if (share < NEGLIGIBLE) continue;
      const start = at < block ? 0 : 1;
      const age = Math.floor((at - start * block) / DEBTS);
      const owed = (at % DEBTS) - repair;
      for (let end = 0; end < this.#states; end++) {
        missed += this.#spread(kernel, start * this.#states + end, end * block, age, owed, share);
      }
    }
    this.#now = this.#next;
    this.#next = now;
    return missed;
  }

  /**
   * Spreads one state over those that follow it. `owed` is the debt if the slot loses nothing: below 0 if its repair
   * pays for more. `home` is where a debt of 0 goes, age by age from there. Returns the share missed.
   */
  #spread(kernel: SlotKernel, row: number, home: number, age: number, owed: number, share: number): number {
    const { chances, above, width } = kernel;
    const next = this.#next;
    const from = row * width;
    const all = kernel.all[row] as number;
    const isLast = age === this.#span;
    // The oldest slot gives up; what it lost is owed no more, and the next one with a loss is the oldest.
    const forgiven = isLast ? (this.#span === 0 ? DEBT_MAX : Math.min(DEBT_MAX, this.#symbolsMissed)) : 0;
    const unpaid = tailOf(above, from, width, all, -owed);
    const left = forgiven === 0 ? unpaid : forgiven === DEBT_MAX ? 0 : tailOf(above, from, width, all, forgiven - owed);
    next[home] = (next[home] as number) + share * (all - left);
    if (left > 0) {
      const to = home + (isLast ? this.#ageLeft : age + 1) * DEBTS + owed - forgiven;
      const negligible = NEGLIGIBLE / share;
      const stop = Math.min(width, DEBT_MAX - owed);
      let lost = Math.max(0, 1 + forgiven - owed);
      let rest = left;
      // Few losses of many packets: what is beyond stays in the cell after the last, so no share is lost.
      for (; lost < stop && rest > negligible; lost++) {
        next[to + lost] = (next[to + lost] as number) + share * (chances[from + lost] as number);
        rest = above[from + lost] as number;
      }
      const cell = to + Math.min(lost, DEBT_MAX - owed);
      next[cell] = (next[cell] as number) + share * rest;
    }
    return isLast ? share * unpaid : 0;
  }

  #kernel(repair: number): SlotKernel {
    const known = this.#kernels[repair];
    if (known !== undefined) return known;
    const packets = Math.min(repair + this.#symbols, PACKETS_MAX);
    const width = packets + 1;
    const counts = this.#channel.counts(packets);
    const rows = this.#states * this.#states;
    const chances = rows === 1 ? new Float64Array(width) : counts;
    if (rows === 1) {
      for (let j = 0; j < width; j++) chances[j] = (counts[j] as number) + (counts[width + j] as number);
    }
    const above = new Float64Array(rows * width);
    const all = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let j = packets; j >= 0; j--) {
        above[row * width + j] = sum;
        sum += chances[row * width + j] as number;
      }
      all[row] = sum;
    }
    const made = { chances, above, all, width };
    this.#kernels[repair] = made;
    return made;
  }
}

/** P(more than `lost` lost) of the row that begins at `from`; below 0 that is `all` of it. */
function tailOf(above: Float64Array, from: number, width: number, all: number, lost: number): number {
  if (lost < 0) return all;
  return lost < width ? (above[from + lost] as number) : 0;
}
