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
/** What costs less, were it always a miss, changes no decision. */
const NEGLIGIBLE_SYMBOLS = 1e-4;

/**
 * What is handed out as soon as it is there is worth more early: the usual media frame shall wait for no resend, neither
 * its own nor that of an earlier one. Somewhat more than half of them, so that the median is that of the path.
 */
const PROMPT_SHARE = 0.56;
/** A media frame that need not wait is worth so many symbols for each of its own. */
const PROMPT_WORTH = 0.12;
/** Long resends hold up many: to spare all of them the wait would cost more than the deadline does. */
const WAITING_MAX = 3;
/** Steps of 1 in which numbers of waiting frames are told apart, and room for all of them in a key. */
const WAITING_LEVELS = 4;
const WAITING_KEYS = 16;

/** Values and choices for one channel and one price. Rows are made when they are asked for. */
export class FlightTable {
  readonly #channel: Channel;
  readonly #sharing: number;
  /** Shape [flights][d]: expected cost in symbols; flight 0 is "too late". */
  readonly #values: number[][];
  /** Shape [flights][d]: spare symbols; -1 not chosen yet. */
  readonly #spares: number[][];
  /** By flights and level of waiting frames: shape [d], -1 not asked for yet. */
  readonly #prompt: Float64Array[] = [];

  /**
   * @param price What a missed media frame costs, in symbols.
   * @param sharing Media frames that share the spares of a last flight.
   */
  constructor(channel: Channel, price: number, flightsMax: number, sharing = 1) {
    this.#channel = channel;
    this.#sharing = sharing;
    const row = (known: number): number[] => [0, ...new Array<number>(FLIGHT_SYMBOLS_MAX).fill(known)];
    this.#values = [row(price)];
    this.#spares = [row(0)];
    for (let flights = 1; flights <= flightsMax; flights++) {
      this.#values.push(row(0));
      this.#spares.push(row(-1));
    }
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
   * Spare symbols of a first flight that shall often be enough by itself: as {@link spares}, and more until
   * {@link PROMPT_SHARE} of the media frames need not wait, while each that they complete more is worth them. Not whole:
   * what is left over is carried to the next media frame. Cost: a look-up once the size has been asked for.
   *
   * @param waiting Media frames that a resend holds up, its own included, at least 1.
   */
  promptSpares(missing: number, flights: number, waiting: number): number {
    if (missing < 1) return 0;
    const d = Math.min(missing, FLIGHT_SYMBOLS_MAX);
    const row = Math.min(flights, this.#values.length - 1);
    const level = Math.round((Math.min(Math.max(waiting, 1), WAITING_MAX) - 1) * WAITING_LEVELS);
    const key = row * WAITING_KEYS + level;
    let known = this.#prompt[key];
    if (known === undefined) {
      known = new Float64Array(FLIGHT_SYMBOLS_MAX + 1).fill(-1);
      this.#prompt[key] = known;
    }
    if ((known[d] as number) < 0) known[d] = this.#promptSpares(row, d, 1 + level / WAITING_LEVELS);
    return ((known[d] as number) * missing) / d;
  }

  #promptSpares(row: number, missing: number, waiting: number): number {
    // All that a media frame would wait for must be complete without a resend.
    const share = PROMPT_SHARE ** (1 / waiting);
    const worth = PROMPT_WORTH * missing * waiting;
    this.#fill(row, missing);
    let spares = (this.#spares[row] as number[])[missing] as number;
    let completes = 1 - this.#channel.moreThan(spares, missing + spares);
    let cost = completes < share ? this.#costOf(row, missing, spares) : 0;
    while (completes < share && spares < SPARE_MAX) {
      const nextCompletes = 1 - this.#channel.moreThan(spares + 1, missing + spares + 1);
      const nextCost = this.#costOf(row, missing, spares + 1);
      const gain = nextCompletes - completes;
      if (nextCost - cost > worth * gain) break;
      if (nextCompletes >= share) return spares + (share - completes) / gain;
      spares++;
      completes = nextCompletes;
      cost = nextCost;
    }
    return spares;
  }

  /** Expected symbols sent from here on, misses at their price included. `missing` 0..64. */
  cost(missing: number, flights: number): number {
    const row = Math.min(flights, this.#values.length - 1);
    const d = Math.min(missing, FLIGHT_SYMBOLS_MAX);
    this.#fill(row, d);
    return (this.#values[row] as number[])[d] as number;
  }

  /** Makes what the choice for `missing` symbols rests on: all smaller ones of the flights after it, and of its own only it. */
  #fill(upTo: number, missing: number): void {
    if (((this.#spares[upTo] as number[])[missing] as number) >= 0) return;
    for (let l = 1; l <= upTo; l++) {
      const spares = this.#spares[l] as number[];
      for (let d = l === upTo ? missing : 1; d <= missing; d++) {
        if ((spares[d] as number) < 0) this.#choose(l, d);
      }
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
    (this.#spares[flight] as number[])[missing] = spares;
    if (flight === 1 && this.#sharing > 1) best = Math.min(best, this.#sharedCost(missing));
    (this.#values[flight] as number[])[missing] = best;
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
    const price = (this.#values[0] as number[])[1] as number;
    let above = this.#channel.moreThan(spares, sent);
    if (flight === 1) return sent + price * above;
    let cost = sent;
    // `lost` of `sent` symbols leave lost - spares gaps.
    for (let lost = spares + 1; lost <= sent && price * above > NEGLIGIBLE_SYMBOLS; lost++) {
      const next = this.#channel.moreThan(lost, sent);
      cost += (above - next) * (after[lost - spares] as number);
      above = next;
    }
    return cost;
  }
}
