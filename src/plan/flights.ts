/**
 * The dynamic program over flights: a media frame needs d more symbols, l flights can still follow this one, each lost
 * symbol of a flight is known before the next; how many spare repair symbols does this flight carry? Any symbol of the
 * code closes one gap, so d is the whole state. V_0(d) = price for d > 0;
 * V_l(d) = min over f of (d + f) + sum over j of P(j of d + f arrive) V_(l-1)(d - j). Pure; one table per path and price.
 * Source: docs/planner.md (incremental redundancy; Hairpin, NSDI 2024, is its special case).
 */
import type { Channel } from './channel.ts';

/** Symbols of the largest row of a table; larger blocks are scaled. */
export const FLIGHT_SYMBOLS_MAX = 64;
/** Spare symbols of one flight at the most. */
const SPARE_MAX = 32;
/** The minimum is flat: so many worse candidates in a row end the search. */
const WORSE_MAX = 4;

/** Values and choices for one channel and one price. Rows are made when they are asked for. */
export class FlightTable {
  readonly #channel: Channel;
  readonly #sharing: number;
  /** Shape [flights][d]: expected cost in symbols; flight 0 is "too late". */
  readonly #values: number[][];
  /** Shape [flights][d]: spare symbols. */
  readonly #spares: number[][];

  /**
   * @param price What a missed media frame costs, in symbols.
   * @param sharing Media frames that share the spares of a last flight.
   */
  constructor(channel: Channel, price: number, flightsMax: number, sharing = 1) {
    this.#channel = channel;
    this.#sharing = sharing;
    this.#values = Array.from({ length: flightsMax + 1 }, () => [0]);
    this.#spares = Array.from({ length: flightsMax + 1 }, () => [0]);
    for (let d = 1; d <= FLIGHT_SYMBOLS_MAX; d++) (this.#values[0] as number[]).push(price);
  }

  /** Spare symbols beside `missing` symbols, if `flights` (1..) are left, this one included. */
  spares(missing: number, flights: number): number {
    if (missing < 1) return 0;
    const d = Math.min(missing, FLIGHT_SYMBOLS_MAX);
    const row = Math.min(flights, this.#values.length - 1);
    this.#fill(row, d);
    const spares = (this.#spares[row] as number[])[d] as number;
    return Math.round((spares * missing) / d);
  }

  /**
   * Spare symbols of a first flight that shall often be enough by itself: as {@link spares}, and more until it completes
   * `share` (0..1) of its media frames, while each one that it completes more costs at most `worth` symbols. Not whole:
   * what is left over is carried to the next media frame. Cost: O(symbols) per step.
   */
  promptSpares(missing: number, flights: number, share: number, worth: number): number {
    if (missing < 1) return 0;
    const d = Math.min(missing, FLIGHT_SYMBOLS_MAX);
    const row = Math.min(flights, this.#values.length - 1);
    this.#fill(row, d);
    let spares = (this.#spares[row] as number[])[d] as number;
    let completes = 1 - this.#channel.moreThan(spares, d + spares);
    let cost = completes < share ? this.#costOf(row, d, spares) : 0;
    while (completes < share && spares < SPARE_MAX) {
      const nextCompletes = 1 - this.#channel.moreThan(spares + 1, d + spares + 1);
      const nextCost = this.#costOf(row, d, spares + 1);
      const gain = nextCompletes - completes;
      if (nextCost - cost > worth * gain) break;
      if (nextCompletes >= share) {
        spares += (share - completes) / gain;
        break;
      }
      spares++;
      completes = nextCompletes;
      cost = nextCost;
    }
    return (spares * missing) / d;
  }

  /** Expected symbols sent from here on, misses at their price included. `missing` 0..64. */
  cost(missing: number, flights: number): number {
    const row = Math.min(flights, this.#values.length - 1);
    const d = Math.min(missing, FLIGHT_SYMBOLS_MAX);
    this.#fill(row, d);
    return (this.#values[row] as number[])[d] as number;
  }

  #fill(upTo: number, missing: number): void {
    for (let l = 1; l <= upTo; l++) {
      const values = this.#values[l] as number[];
      for (let d = values.length; d <= missing; d++) this.#choose(l, d);
    }
  }

  #choose(flight: number, missing: number): void {
    let best = Number.POSITIVE_INFINITY;
    let spares = 0;
    for (let f = 0, worse = 0; f <= SPARE_MAX && worse < WORSE_MAX; f++) {
      const cost = this.#costOf(flight, missing, f);
      if (cost < best) {
        best = cost;
        spares = f;
        worse = 0;
      } else {
        worse++;
      }
    }
    (this.#spares[flight] as number[]).push(spares);
    if (flight === 1 && this.#sharing > 1) best = Math.min(best, this.#sharedCost(missing));
    (this.#values[flight] as number[]).push(best);
  }

  /** Cost per frame when as many frames as share their spares miss as much, and fail together. */
  #sharedCost(missing: number): number {
    const all = missing * this.#sharing;
    let best = Number.POSITIVE_INFINITY;
    for (let f = 0; f <= SPARE_MAX; f++) {
      const risk = (this.#values[0] as number[])[1] as number;
      const cost = all + f + risk * this.#sharing * this.#channel.moreThan(f, all + f);
      if (cost > best) break;
      best = cost;
    }
    return best / this.#sharing;
  }

  #costOf(flight: number, missing: number, spares: number): number {
    const after = this.#values[flight - 1] as number[];
    const sent = missing + spares;
    let cost = sent;
    // `lost` of `sent` symbols leave lost - spares gaps.
    for (let lost = spares + 1; lost <= sent; lost++) {
      cost += this.#channel.exactly(lost, sent) * (after[lost - spares] as number);
    }
    return cost;
  }
}
