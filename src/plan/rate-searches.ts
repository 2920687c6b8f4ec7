/**
 * Searches for the rate of a repair stream (stream-rate.ts), taken a few steps with each question, so that no media frame
 * waits for one. Their results are shared by all paths of the process; when a path gets to know one depends on its own
 * questions alone, so that what a connection sends never depends on which others lived before it. Source: docs/planner.md §6.
 */
import type { Channel } from './channel.ts';
import { keep } from './keep.ts';
import { blockRate, type StreamInputs, searchRate } from './stream-rate.ts';

/** Steps of one question: a fifth of a millisecond. */
const STEPS = 5;
/** Searches under way, of up to a quarter of a megabyte each; and results kept, of a few numbers. */
const RUNNING_MAX = 64;
const RESULTS_MAX = 4096;
/** Rates that a path remembers having asked for. */
const ASKED_MAX = 256;

/** What one path has asked for, and how often. */
export class Questions {
  readonly #counts: Map<number, number> = new Map();

  /** Questions for the rate `key` by this path, this one included. */
  count(key: number): number {
    const count = (this.#counts.get(key) ?? 0) + 1;
    if (count === 1) keep(this.#counts, key, count, ASKED_MAX);
    else this.#counts.set(key, count);
    return count;
  }
}

/** A search, and the steps it has taken. */
class Search {
  readonly #steps: Generator<undefined, number>;
  #taken = 0;

  constructor(inputs: StreamInputs, channel: Channel) {
    this.#steps = searchRate(inputs, channel);
  }

  /** Goes on until it has taken so many steps. Its result when that is its end. */
  advance(steps: number): Result | undefined {
    while (this.#taken < steps) {
      this.#taken++;
      const { done, value } = this.#steps.next();
      if (done === true) return { rate: value, steps: this.#taken };
    }
    return undefined;
  }
}

interface Result {
  readonly rate: number;
  /** Steps after which the search knew it. */
  readonly steps: number;
}

const running: Map<number, Search> = new Map();
const results: Map<number, Result> = new Map();

/**
 * Repair symbols per source symbol. An estimate, on the safe side, until this path has asked as often as the search takes.
 *
 * @param key Tells channel and inputs apart.
 */
export function rateAsked(key: number, inputs: StreamInputs, channel: Channel, by: Questions): number {
  const steps = by.count(key) * STEPS;
  const known = results.get(key) ?? advance(key, inputs, channel, steps);
  return known !== undefined && known.steps <= steps ? known.rate : blockRate(inputs, channel);
}

/** Gives back the memory of all searches and results. */
export function forgetSearches(): void {
  running.clear();
  results.clear();
}

/** Where a search was dropped, or others are ahead, it comes out the same: the steps are counted from its start. */
function advance(key: number, inputs: StreamInputs, channel: Channel, steps: number): Result | undefined {
  let search = running.get(key);
  if (search === undefined) {
    search = new Search(inputs, channel);
    keep(running, key, search, RUNNING_MAX);
  }
  const found = search.advance(steps);
  if (found === undefined) return undefined;
  running.delete(key);
  keep(results, key, found, RESULTS_MAX);
  return found;
}
