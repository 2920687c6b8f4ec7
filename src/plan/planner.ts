/**
 * The redundancy planner: what each media frame is given, and what its last flight carries, so that misses stay under
 * the target at the least cost. In: the loss model's channel, times of the path, the frame's class. Out: numbers.
 * Tables are made once per channel and kept for the process (tables.ts); a decision is a look-up. Source: DESIGN D7; docs/planner.md.
 */
import type { Channel } from './channel.ts';
import { Questions } from './rate-searches.ts';
import { type SpareInputs, sparesFor } from './spare.ts';
import { BURST_STEP, type ChannelTables, isBursty, ratioStep, tablesFor } from './tables.ts';

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

/** In steps: half of one is where two levels meet. */
const NEAR = 0.8;

/** What a missed media frame costs, in symbols. `pressure` 0..1: how short the budget is; discardable frames give first. */
export function priceOf(target: number, symbols: number, frameClass: FrameClass, pressure: number): number {
  const price = (PRICE_FACTOR / target) * Math.sqrt(symbols) * CLASS_WEIGHT[frameClass];
  const gives = frameClass === 'discardable' ? 2 : frameClass === 'ordinary' ? 0.8 : 0;
  return price * Math.max(0, 1 - gives * pressure);
}

/** Decisions for one path. */
export class Planner {
  #tables: ChannelTables = tablesFor(0, 1);
  readonly #questions: Questions = new Questions();

  /** What the path is taken to be from now on. Cheap when it has not changed. */
  observe(lossRatio: number, burstMean: number): void {
    if (lossRatio > 0 && this.#isNear(lossRatio, burstMean)) return;
    this.#tables = tablesFor(lossRatio, burstMean);
  }

  /** An estimate that wavers between two levels stays with the one it has: tables are not free. */
  #isNear(lossRatio: number, burstMean: number): boolean {
    const { lossRatio: ratio, burstMean: burst, isBursty: wasBursty } = this.#tables.channel;
    if (ratio === 0 || wasBursty !== isBursty(burstMean)) return false;
    const distance = Math.abs(Math.log(lossRatio / ratio)) / Math.log(ratioStep(burstMean));
    const stretch = wasBursty ? Math.abs(Math.log(burstMean / burst)) / Math.log(BURST_STEP) : 0;
    return distance < NEAR && stretch < NEAR;
  }

  /** The channel planned for. */
  get channel(): Channel {
    return this.#tables.channel;
  }

  /**
   * Repair symbols behind a first flight of `symbols` when `rounds` more flights can follow. Not whole.
   *
   * @param sharing Media frames that share the spares of the last flight.
   * @param waiting Media frames that a resend holds up, its own included, at least 1; 0: being early is worth nothing.
   */
  firstSpares(symbols: number, rounds: number, price: number, sharing: number, waiting: number): number {
    if (this.#tables.channel.lossRatio === 0 || symbols < 1) return 0;
    const table = this.#tables.flights(price, sharing);
    if (waiting === 0) return table.spares(symbols, rounds + 1);
    return table.promptSpares(symbols, rounds + 1, waiting);
  }

  /** Repair symbols beside `missing` symbols that are resent, when `rounds` more flights can follow. */
  flightSpares(missing: number, rounds: number, price: number): number {
    if (this.#tables.channel.lossRatio === 0 || missing < 1) return 0;
    return this.#tables.flights(price, 1).spares(missing, rounds + 1);
  }

  /** Repair symbols per source symbol where no round fits and repair of `span` later media frames still helps. */
  streamRatio(symbols: number, span: number, price: number): number {
    if (this.#tables.channel.lossRatio === 0 || price <= 0) return 0;
    return this.#tables.streamRate(symbols, span, price, this.#questions);
  }

  /** Repair symbols of the last flight. */
  spares(inputs: SpareInputs, price: number): number {
    return sparesFor(inputs, this.#tables.channel, price);
  }
}
