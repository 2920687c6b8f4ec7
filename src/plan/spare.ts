/**
 * How many repair symbols to add when some symbols are missing or under way and this is the last chance for them.
 * In: counts of what is missing, under way and at hand; the price of a miss. Out: a count. Pure.
 * Source: last step of the dynamic program (flights.ts), over all media frames that one repair symbol can serve.
 */
import type { Channel } from './channel.ts';

/** What one last flight depends on. Counts of symbols. */
export interface SpareInputs {
  /** Known to be missing, with nothing on its way. */
  readonly missing: number;
  /** Sent, fate unknown: source symbols. */
  readonly unknown: number;
  /** Repair symbols over them that arrived. */
  readonly rowsArrived: number;
  /** Repair symbols over them whose fate is unknown. */
  readonly rowsUnknown: number;
}

/** Repair symbols of one call at the most, beyond what is missing. */
const SPARE_MAX = 24;

/** P(what is missing cannot be rebuilt) if `extra` more repair symbols leave now. */
export function missRatio(inputs: SpareInputs, extra: number, channel: Channel): number {
  const rows = inputs.rowsUnknown + extra;
  // Any repair symbol makes up for any lost symbol: only the sum of what is lost counts.
  const bearable = inputs.rowsArrived + rows - inputs.missing;
  return channel.moreThan(bearable, inputs.unknown + rows);
}

/**
 * The number of repair symbols that costs least, if a miss costs as much as `price` symbols. An integer, 0..254.
 * Cost: O(1) per candidate once the channel's tables are there.
 */
export function sparesFor(inputs: SpareInputs, channel: Channel, price: number): number {
  if (inputs.missing + inputs.unknown === 0) return 0;
  let best = 0;
  let bestCost = price * missRatio(inputs, 0, channel);
  const max = Math.min(254, inputs.missing + SPARE_MAX);
  for (let extra = 1; extra <= max && extra < bestCost; extra++) {
    const cost = extra + price * missRatio(inputs, extra, channel);
    if (cost < bestCost) {
      best = extra;
      bestCost = cost;
    }
  }
  return best;
}
