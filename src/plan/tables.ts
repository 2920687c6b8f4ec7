/**
 * What was computed for a channel, kept for the process: a channel is two numbers, so all connections of a server whose
 * paths are alike share it, and a path that wavers comes back to it. In: levels of loss, prices and sizes. Out: tables.
 * Bounded: the channel that was entered longest ago goes first. A look-up of what is known computes nothing. Source: docs/planner.md §6.
 */
import { Channel } from './channel.ts';
import { FlightTable } from './flights.ts';
import { keep } from './keep.ts';
import { forgetSearches, type Questions, rateAsked } from './rate-searches.ts';
import { ROUNDS_MAX, SPAN_MAX } from './rounds.ts';

/** Channels whose decisions are kept for the process: tens of kilobytes each. A path that wavers visits some fifty. */
const CHANNELS_MAX = 128;
/** Of these, channels that keep what decisions are made from: up to megabytes each with the largest blocks. */
const GROWN_MAX = 32;
/** Of one channel: the classes and sizes of a few tracks. */
const FLIGHTS_MAX = 16;
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
/** Sizes of symbols of a media frame that are told apart; and rates of a channel, so many levels of the three. */
const SIZE_LEVELS = 64;
const RATE_KEYS: number = SIZE_LEVELS * (SPAN_MAX + 1) * PRICE_LEVELS;
/** Spares shared by more frames than this gain little more. */
const SHARING_MAX = 4;

/** All that was computed for one channel. */
export class ChannelTables {
  readonly channel: Channel;
  readonly #flights: Map<number, FlightTable> = new Map();
  readonly #key: number;

  /** @param key Tells channels apart: a whole number. */
  constructor(channel: Channel, key: number) {
    this.channel = channel;
    this.#key = key;
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

  /** Repair symbols per source symbol of a stream (rate-searches.ts). `span` 0..63. */
  streamRate(symbols: number, span: number, price: number, by: Questions): number {
    const sizeLevel = Math.min(SIZE_LEVELS - 1, Math.max(0, levelOf(symbols, SIZE_STEP)));
    const priceLevel = levelOfPrice(price);
    const key = (sizeLevel * (SPAN_MAX + 1) + span) * PRICE_LEVELS + priceLevel - PRICE_LEVEL_MIN;
    const inputs = { symbols: SIZE_STEP ** sizeLevel, span, price: PRICE_STEP ** priceLevel };
    return rateAsked(this.#key * RATE_KEYS + key, inputs, this.channel, by);
  }
}

const shared: Map<number, ChannelTables> = new Map();
const grown: Map<number, Channel> = new Map();
const clean = new ChannelTables(new Channel(0, 1), 0);

/** Gives back the memory of all that is kept for the process: what is asked for again is computed again, and comes out the same. */
export function forgetTables(): void {
  for (const channel of grown.values()) channel.forget();
  for (const map of [shared, grown]) map.clear();
  forgetSearches();
}

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
  const tables = known ?? new ChannelTables(new Channel(step ** ratioLevel, BURST_STEP ** burstLevel), key);
  keep(shared, key, tables, CHANNELS_MAX);
  // Who still plans with a channel that is forgotten here has it grow again, as far as it needs.
  keep(grown, key, tables.channel, GROWN_MAX)?.forget();
  return tables;
}

function levelOfPrice(price: number): number {
  const level = levelOf(price, PRICE_STEP);
  return Math.min(PRICE_LEVELS + PRICE_LEVEL_MIN - 1, Math.max(PRICE_LEVEL_MIN, level));
}

function levelOf(value: number, step: number): number {
  return Math.round(Math.log(value) / Math.log(step));
}
