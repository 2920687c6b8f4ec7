/**
 * How much parity a track carries where no retransmission fits: a steady stream of repair symbols, each over all media
 * frames that can still make their deadline. In: channel, symbols per media frame, how many frames later repair still
 * helps, price of a miss. Out: repair symbols per source symbol. Pure; an answer takes 0.5 to 20 ms and is kept by rate-searches.ts.
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

/** Part of a block's skewness that overlapping blocks still feel. */
const STREAM_SKEW = 2 / 3;
/** The channel's tables grow by so many packets at a time. */
const GROWTH_PACKETS = 16;
/** Cells of a step of a search, which takes some 40 us. */
const STEP_CELLS = 6000;
/** What a debt costs beside the cells that it is spread over. */
const DEBT_CELLS = 12;
/** Longer spans are modelled in groups of frames. */
const SPAN_MODEL_MAX = 7;
const DEBT_MAX = 40;
const DEBTS: number = DEBT_MAX + 1;
const WARM_SLOTS = 8;
/** Whole cycles of the repair symbols of a slot, which go up in powers of two from 1 / this. */
const CYCLE_SLOTS = 16;
const MEASURED_SLOTS_MIN = 8;
/** Chances are spread as far as they could cost so many symbols; a miss costs its price. */
const NEGLIGIBLE_SYMBOLS = 1e-4;
const NEGLIGIBLE_MAX = 1e-5;
/** Rates tried: from capacity up, first in strides of so many steps, then around the best in halves. */
const STRIDE = 4;
const STRIDES_MAX = 16;
const RATE_MAX = 2;
/**
 * Where losses come in long bursts the last misses are dear, and far more than the target would be left. What is missed
 * beyond two and a half times the target (which the price tells: planner.ts) costs so many times more.
 */
const EXCESS = 4;
const BEARABLE_SYMBOLS = 0.5;

/** What this share of misses costs: see {@link EXCESS}. */
function missCost(missRatio: number, { symbols, price }: StreamInputs): number {
  const bearable = (BEARABLE_SYMBOLS * Math.sqrt(symbols)) / price;
  return price * (missRatio + EXCESS * Math.max(0, missRatio - bearable));
}

/** Repair symbols per source symbol that cost least, 0..2. */
export function streamRate(inputs: StreamInputs, channel: Channel): number {
  return finish(searchRate(inputs, channel));
}

/**
 * The same in steps of some 40 us: whoever has frames to send takes a few at a time. How many there are depends on the
 * question alone, not on what the channel's tables know.
 */
export function* searchRate(inputs: StreamInputs, channel: Channel): Generator<undefined, number> {
  if (channel.lossRatio === 0) return 0;
  const model = new DebtModel(inputs, channel);
  const { symbols } = inputs;
  let best = 0;
  let bestCost = missCost(yield* model.measure(0), inputs);
  // Whole strides have short cycles, which are measured soon.
  const stride = STRIDE * model.step;
  const first = Math.ceil(channel.lossRatio / stride) * stride;
  for (let i = 0; i < STRIDES_MAX; i++) {
    const rate = first + i * stride;
    if (rate > RATE_MAX || rate * symbols > bestCost) break;
    const cost = rate * symbols + missCost(yield* model.measure(rate), inputs);
    if (cost < bestCost) {
      best = rate;
      bestCost = cost;
    } else if (best > 0) {
      break;
    }
  }
  if (best === 0) return 0;
  for (let half = stride / 2; half >= model.step; half /= 2) {
    const middle = best;
    for (const rate of [middle - half, middle + half]) {
      if (rate <= 0) continue;
      const cost = rate * symbols + missCost(yield* model.measure(rate), inputs);
      if (cost >= bestCost) continue;
      best = rate;
      bestCost = cost;
    }
  }
  return best;
}

/**
 * About as many, at once: what one block over a frame and the `span` behind it needs, by the normal approximation with its
 * skewness (Cornish-Fisher), of which a stream needs less. Mostly within a twentieth of {@link streamRate}. 0..2.
 */
export function blockRate({ symbols, span, price }: StreamInputs, channel: Channel): number {
  const ratio = channel.lossRatio;
  if (ratio === 0) return 0;
  const sources = symbols * (span + 1);
  // Losses in bursts scatter as so many times more packets would.
  const runs = channel.isBursty ? 2 * channel.burstMean - 1 : 1;
  const deviation = Math.sqrt(sources * ratio * (1 - ratio) * runs);
  // Where one symbol more saves just its own price: at so many deviations above the mean.
  const odds = price / (Math.sqrt(2 * Math.PI) * deviation);
  if (odds <= 1) return 0;
  const sigmas = Math.sqrt(2 * Math.log(odds));
  const skewed = ((sigmas * sigmas - 1) / 6) * runs;
  const lost = sources * ratio + sigmas * deviation + STREAM_SKEW * skewed;
  return Math.min(RATE_MAX, Math.max(0, lost / (1 - ratio) / sources));
}

function finish(steps: Generator<undefined, number>): number {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
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
  readonly #forgiven: number;
  /** Age of the debt that is left when the oldest slot with a loss gives up. */
  readonly #ageLeft: number;
  /** Independent losses remember nothing: one state of the channel is enough. */
  readonly #states: number;
  /** What is rarer than this changes no decision. */
  readonly #negligible: number;
  /** By repair symbols of a slot. */
  readonly #kernels: SlotKernel[] = [];
  /** Shape [states][ages][debts]: debt 0 has age 0, and only it. */
  #now: Float64Array;
  #next: Float64Array;
  /** Written since the last step. */
  #cells = 0;
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
    const lostThere = Math.max(1, Math.round((this.#symbols * channel.lossRatio) / slotLoss));
    this.#forgiven = this.#span === 0 ? DEBT_MAX : Math.min(DEBT_MAX, lostThere);
    const gap = Math.max(1, Math.round(1 / slotLoss));
    this.#ageLeft = Math.min(this.#span, Math.max(1, this.#span + 1 - gap));
    const spread = Math.sqrt(this.#symbols * (this.#span + 1) * channel.lossRatio * channel.burstMean);
    // Repair symbols per slot go up in powers of two from 1/16, so that the measured slots hold whole cycles.
    const perSlot = spread / (4 * (this.#span + 1));
    this.step = 2 ** Math.max(-4, Math.round(Math.log2(perSlot))) / this.#symbols;
    this.#negligible = Math.min(NEGLIGIBLE_MAX, NEGLIGIBLE_SYMBOLS / Math.max(1, inputs.price));
    this.#states = channel.isBursty ? 2 : 1;
    const cells = this.#states * (this.#span + 1) * DEBTS;
    this.#now = new Float64Array(cells);
    this.#next = new Float64Array(cells);
  }

  /** Share of media frames that miss with `rate` repair symbols per source symbol. */
  missRatio(rate: number): number {
    return finish(this.measure(rate));
  }

  /** The same, some slots a step. */
  *measure(rate: number): Generator<undefined, number> {
    yield* this.#prepare(Math.ceil(rate * this.#symbols));
    this.#now.fill(0);
    const bad = this.#states === 1 ? 0 : this.#channel.lossRatio;
    this.#now[0] = 1 - bad;
    if (this.#states === 2) this.#now[(this.#span + 1) * DEBTS] = bad;
    let carried = 0;
    let missed = 0;
    let measured = CYCLE_SLOTS;
    while (measured > MEASURED_SLOTS_MIN && Number.isInteger((rate * this.#symbols * measured) / 2))
      measured /= 2;
    for (let slot = 0; slot < WARM_SLOTS + measured; slot++) {
      carried += rate * this.#symbols;
      const repair = Math.floor(carried) | 0;
      carried -= repair;
      const misses = this.#advance(repair);
      if (slot >= WARM_SLOTS) missed += misses;
      if (this.#isStepOver()) yield;
    }
    return Math.min(1, (missed * this.#framesMissed) / (measured * this.#frames));
  }

  /** The channel's counts for a slot with so much repair, some packets a step. */
  *#prepare(repair: number): Generator<undefined, void> {
    const packets = Math.min(repair + this.#symbols, PACKETS_MAX);
    for (let n = GROWTH_PACKETS; n < packets; n += GROWTH_PACKETS) {
      this.#channel.counts(n);
      this.#cells += 4 * GROWTH_PACKETS * n;
      if (this.#isStepOver()) yield;
    }
  }

  #isStepOver(): boolean {
    if (this.#cells < STEP_CELLS) return false;
    this.#cells = 0;
    return true;
  }

  /** One slot: `repair` repair symbols and the slot's source symbols. Returns the share of slots missed. */
  #advance(repair: number): number {
    const kernel = this.#kernel(repair);
    const now = this.#now;
    this.#next.fill(0);
    let missed = 0;
    for (let start = 0; start < this.#states; start++) {
      for (let age = 0; age <= this.#span; age++) {
        for (let end = 0; end < this.#states; end++) {
          missed += this.#spread(kernel, start, end, age, repair);
        }
      }
    }
    this.#now = this.#next;
    this.#next = now;
    return missed;
  }

  /** Spreads all debts of one age over those that follow them. Returns the share missed. */
  #spread(kernel: SlotKernel, start: number, end: number, age: number, repair: number): number {
    const { chances, above, width } = kernel;
    const row = start * this.#states + end;
    const all = kernel.all[row] as number;
    const from = row * width;
    const block = (this.#span + 1) * DEBTS;
    const now = this.#now;
    const next = this.#next;
    const isLast = age === this.#span;
    // The oldest slot gives up; what it lost is owed no more, and the next one with a loss is the oldest.
    const forgiven = isLast ? this.#forgiven : 0;
    const older = end * block + (isLast ? this.#ageLeft : age + 1) * DEBTS - forgiven;
    let missed = 0;
    let paid = 0;
    for (let debt = 0; debt <= DEBT_MAX; debt++) {
      const share = now[start * block + age * DEBTS + debt] as number;
      if (share < this.#negligible) continue;
      // Debt if the slot loses nothing: below 0 if its repair pays for more.
      const owed = debt - repair;
      if (isLast) missed += share * tailOf(above, from, width, all, 0 - owed);
      const left = forgiven === DEBT_MAX ? 0 : tailOf(above, from, width, all, forgiven - owed);
      paid += share * (all - left);
      if (left === 0) continue;
      const first = Math.max(0, 1 + forgiven - owed);
      const last = DEBT_MAX - owed;
      const stop = cutOf(above, from, first, Math.min(width, last), this.#negligible / share);
      const to = older + owed;
      this.#cells += DEBT_CELLS + Math.max(0, stop - first);
      for (let lost = first; lost < stop; lost++) {
        next[to + lost] = (next[to + lost] as number) + share * (chances[from + lost] as number);
      }
      // What is beyond stays in the cell after the last: the shares always add up to 1.
      const cell = to + Math.min(stop, last);
      next[cell] =
        (next[cell] as number) + share * (stop > first ? (above[from + stop - 1] as number) : left);
    }
    next[end * block] = (next[end * block] as number) + paid;
    return missed;
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

/** Just after the first of the columns `low`..`high` - 1 beyond which no more than `negligible` is left; else `high`. */
function cutOf(above: Float64Array, from: number, low: number, high: number, negligible: number): number {
  if (high <= low || (above[from + high - 1] as number) > negligible) return Math.max(low, high);
  let start = low;
  let end = high;
  while (start < end) {
    const middle = (start + end) >> 1;
    if ((above[from + middle] as number) > negligible) start = middle + 1;
    else end = middle;
  }
  return Math.max(low, Math.min(start + 1, high));
}
