/**
 * The redundancy planner: what each media frame is given, and what its last flight carries, so that misses stay under
 * the target at the least cost. In: the loss model's channel, times of the path, the frame's class. Out: numbers.
 * Tables are made once per channel and shared by all tracks; a decision is a look-up. Source: DESIGN D7; docs/planner.md.
 */
import { Channel } from './channel.ts';
import { FlightTable } from './flights.ts';
import { ROUNDS_MAX } from './rounds.ts';
import { type SpareInputs, sparesFor } from './spare.ts';
import { streamRate } from './stream-rate.ts';

/**
 * A miss costs as many symbols as make misses rarer by the factor e, over a third of the target (it is a bound, and
 * loss an estimate); they grow with the deviation of what a media frame loses: 0.07 x sqrt(symbols). At the least cost
 * under this price about a third of the target misses, whatever path, latency and size.
 */
const PRICE_FACTOR = 0.2;
/** Key frames are referred to by all that follow; audio is heard, but its frames are small; discardable frames are referred to by none. */
const CLASS_WEIGHT = { key: 3, audio: 0.8, ordinary: 1, discardable: 0.3 } as const;

/** How much a media frame matters. */
export type FrameClass = keyof typeof CLASS_WEIGHT;

/** Channels and tables remembered, each; the oldest goes. */
const CHANNELS_MAX = 32;
const TABLES_MAX = 128;
/** Loss ratios, burst lengths, prices and sizes within such a factor share a table. */
const RATIO_STEP = 1.1;
const BURST_STEP = 1.4;
const SIZE_STEP = 1.15;
const PRICE_STEP = 1.4;
/** In steps: half of one is where two levels meet. */
const NEAR = 0.8;
/** The loss model says 1 where runs are no longer than chance makes them. */
const BURSTY = 1;
/** Spares shared by more frames than this gain little more. */
const SHARING_MAX = 4;

/** What a missed media frame costs, in symbols. `pressure` 0..1: how short the budget is; discardable frames give first. */
export function priceOf(target: number, symbols: number, frameClass: FrameClass, pressure: number): number {
  const price = (PRICE_FACTOR / target) * Math.sqrt(symbols) * CLASS_WEIGHT[frameClass];
  const gives = frameClass === 'discardable' ? 2 : frameClass === 'ordinary' ? 0.8 : 0;
  return price * Math.max(0, 1 - gives * pressure);
}

/** Decisions for one path. */
export class Planner {
  readonly #channels: Map<number, Channel> = new Map();
  readonly #flights: Map<string, FlightTable> = new Map();
  readonly #rates: Map<string, number> = new Map();
  #key = -1;
  #channel: Channel = new Channel(0, 1);

  /** What the path is taken to be from now on. Cheap when it has not changed. */
  observe(lossRatio: number, burstMean: number): void {
    if (lossRatio > 0 && this.#isNear(lossRatio, burstMean)) return;
    const key = lossRatio <= 0 ? -1 : level(lossRatio, RATIO_STEP) * 64 + level(burstMean, BURST_STEP);
    if (key === this.#key) return;
    this.#key = key;
    this.#channel = remember(this.#channels, key, CHANNELS_MAX, () =>
      key === -1 ? new Channel(0, 1) : new Channel(snap(lossRatio, RATIO_STEP), snap(burstMean, BURST_STEP)),
    );
  }

  /** An estimate that wavers between two levels stays with the one it has: tables are not free. */
  #isNear(lossRatio: number, burstMean: number): boolean {
    const { lossRatio: ratio, burstMean: burst, isBursty } = this.#channel;
    if (ratio === 0 || isBursty !== burstMean > BURSTY) return false;
    const distance = Math.abs(Math.log(lossRatio / ratio)) / Math.log(RATIO_STEP);
    const stretch = isBursty ? Math.abs(Math.log(burstMean / burst)) / Math.log(BURST_STEP) : 0;
    return distance < NEAR && stretch < NEAR;
  }

  /** The channel planned for. */
  get channel(): Channel {
    return this.#channel;
  }

  /**
   * Repair symbols beside `missing` symbols when `rounds` more flights can follow. For the first flight `missing` is
   * the block. `sharing`: media frames that share the spares of the last flight.
   */
  flightSpares(missing: number, rounds: number, price: number, sharing = 1): number {
    if (this.#channel.lossRatio === 0 || missing < 1) return 0;
    const shares = Math.min(SHARING_MAX, Math.max(1, sharing));
    const key = `${this.#key} ${level(price, PRICE_STEP)} ${shares}`;
    const table = remember(
      this.#flights,
      key,
      TABLES_MAX,
      () => new FlightTable(this.#channel, snap(price, PRICE_STEP), ROUNDS_MAX + 1, shares),
    );
    return table.spares(missing, rounds + 1);
  }

  /** Repair symbols per source symbol where no round fits and repair of `span` later media frames still helps. */
  streamRatio(symbols: number, span: number, price: number): number {
    if (this.#channel.lossRatio === 0 || price <= 0) return 0;
    const key = `${this.#key} ${level(symbols, SIZE_STEP)} ${span} ${level(price, PRICE_STEP)}`;
    return remember(this.#rates, key, TABLES_MAX, () =>
      streamRate({ symbols: snap(symbols, SIZE_STEP), span, price: snap(price, PRICE_STEP) }, this.#channel),
    );
  }

  /** Repair symbols of the last flight. */
  spares(inputs: SpareInputs, price: number): number {
    return sparesFor(inputs, this.#channel, price);
  }
}

function level(value: number, step: number): number {
  return Math.round(Math.log(value) / Math.log(step));
}

function snap(value: number, step: number): number {
  return step ** level(value, step);
}

function remember<Key, Value>(map: Map<Key, Value>, key: Key, max: number, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  if (map.size >= max) map.delete(map.keys().next().value as Key);
  const made = make();
  map.set(key, made);
  return made;
}
