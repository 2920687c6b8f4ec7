/**
 * What was computed for a channel, kept for the process: a channel is two numbers, so all connections of a server whose
 * paths are alike share it, and a path that wavers comes back to it. In: levels of loss, prices and sizes. Out: tables.
 * Bounded: the channel that was entered longest ago goes first. A look-up of what is known allocates nothing. Source: docs/planner.md §6.
 */
import { Channel } from './channel.ts';
import { FlightTable } from './flights.ts';
import { ROUNDS_MAX, SPAN_MAX } from './rounds.ts';
import { blockRate, searchRate } from './stream-rate.ts';

/** Channels whose decisions are kept for the process: tens of kilobytes each. A path that wavers visits some fifty. */
const CHANNELS_MAX = 128;
/** Of these, channels that keep what decisions are made from: up to megabytes each with the largest blocks. */
const GROWN_MAX = 32;
/** Of one channel: the classes and sizes of a few tracks. */
const FLIGHTS_MAX = 16;
const RATES_MAX = 128;
/** Rates that are being searched for; and steps of one decision, by states of the channel: a quarter of a millisecond. */
const SEARCHES_MAX = 8;
const STEPS_INDEPENDENT = 12;
const STEPS_BURSTY = 6;
/** Loss ratios, burst lengths, prices and sizes within such a factor share a table. */
const RATIO_STEP = 1.1;
/** Bursts are few: their ratio is known less well, and a table of theirs takes longer. */
const BURSTY_RATIO_STEP = 1.25;
export const BURST_STEP = 1.4;
const SIZE_STEP = 1.15;
const PRICE_STEP = 1.4;
/** Levels of a price: from 0.07 symbols, for which nothing is bought, to more than any target asks. */
const PRICE_LEVEL_MIN = -8;
const PRICE_LEVELS = 128;
/** Spares shared by more frames than this gain little more. */
const SHARING_MAX = 4;

/** All that was computed for one channel. */
export class ChannelTables {
  readonly channel: Channel;
  readonly #flights: Map<number, FlightTable> = new Map();
  readonly #rates: Map<number, number> = new Map();
  readonly #searches: Map<number, Generator<undefined, number>> = new Map();

  constructor(channel: Channel) {
    this.channel = channel;
  }

  /** Values of the flights of media frames `sharing` of which share their last one. */
  flights(price: number, sharing: number): FlightTable {
    const shares = Math.min(SHARING_MAX, Math.max(1, sharing));
    const priceLevel = levelOfPrice(price);
    const key = shares * PRICE_LEVELS + priceLevel - PRICE_LEVEL_MIN;
    const known = this.#flights.get(key);
    if (known !== undefined) return known;
    const made = new FlightTable(this.channel, PRICE_STEP ** priceLevel, ROUNDS_MAX + 1, shares);
    keep(this.#flights, key, made, FLIGHTS_MAX);
    return made;
  }

  /**
   * Repair symbols per source symbol of a stream (stream-rate.ts). `span` 0..63. The first of a channel that are asked for
   * are an estimate, on the safe side: the search goes on by a few steps with each question.
   */
  streamRate(symbols: number, span: number, price: number): number {
    const sizeLevel = Math.max(0, levelOf(symbols, SIZE_STEP));
    const priceLevel = levelOfPrice(price);
    const key = (sizeLevel * (SPAN_MAX + 1) + span) * PRICE_LEVELS + priceLevel - PRICE_LEVEL_MIN;
    const known = this.#rates.get(key);
    if (known !== undefined) return known;
    const inputs = { symbols: SIZE_STEP ** sizeLevel, span, price: PRICE_STEP ** priceLevel };
    let search = this.#searches.get(key);
    if (search === undefined) {
      search = searchRate(inputs, this.channel);
      keep(this.#searches, key, search, SEARCHES_MAX);
    }
    for (let steps = this.channel.isBursty ? STEPS_BURSTY : STEPS_INDEPENDENT; steps > 0; steps--) {
      const { done, value } = search.next();
      if (done !== true) continue;
      this.#searches.delete(key);
      keep(this.#rates, key, value, RATES_MAX);
      return value;
    }
    return blockRate(inputs, this.channel);
  }
}

const shared: Map<number, ChannelTables> = new Map();
const grown: Map<number, Channel> = new Map();
const clean = new ChannelTables(new Channel(0, 1));

/** False where runs are as long as chance makes them, as nearly as channels are told apart. */
export function isBursty(burstMean: number): boolean {
  return levelOf(burstMean, BURST_STEP) > 0;
}

/** Loss ratios within this factor share a channel. */
export function ratioStep(burstMean: number): number {
  return isBursty(burstMean) ? BURSTY_RATIO_STEP : RATIO_STEP;
}

/** The tables of the channel nearest to a loss ratio and a mean burst length in packets. */
export function tablesFor(lossRatio: number, burstMean: number): ChannelTables {
  if (lossRatio <= 0) return clean;
  const step = ratioStep(burstMean);
  const ratioLevel = levelOf(lossRatio, step);
  const burstLevel = levelOf(burstMean, BURST_STEP);
  const key = ratioLevel * 64 + burstLevel;
  const known = shared.get(key);
  // Asked for again: it becomes the newest.
  shared.delete(key);
  grown.delete(key);
  const tables = known ?? new ChannelTables(new Channel(step ** ratioLevel, BURST_STEP ** burstLevel));
  keep(shared, key, tables, CHANNELS_MAX);
  // Who still plans with a channel that is forgotten here has it grow again, as far as it needs.
  keep(grown, key, tables.channel, GROWN_MAX)?.forget();
  return tables;
}

/** Enters a value as the newest. Returns the oldest one if it had to go. */
function keep<Value>(map: Map<number, Value>, key: number, value: Value, max: number): Value | undefined {
  let gone: Value | undefined;
  if (map.size >= max) {
    const oldest = map.keys().next().value as number;
    gone = map.get(oldest);
    map.delete(oldest);
  }
  map.set(key, value);
  return gone;
}

function levelOfPrice(price: number): number {
  const level = levelOf(price, PRICE_STEP);
  return Math.min(PRICE_LEVELS + PRICE_LEVEL_MIN - 1, Math.max(PRICE_LEVEL_MIN, level));
}

function levelOf(value: number, step: number): number {
  return Math.round(Math.log(value) / Math.log(step));
}
