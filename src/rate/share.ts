/**
 * Shares out what fits among tracks: those that go first take what they use, the rest goes by weight, and what a track
 * cannot use goes to the others. In: one demand per track. Out: bits per second of media per track.
 * Source: DESIGN D9; weighted max-min fairness (water filling).
 */

/** One track that wants a part of the rate. Bits per second of media. */
export interface Claim {
  /** Audio and data: never starved by video. */
  readonly isFirst: boolean;
  /** 1..255, among those that do not go first. */
  readonly weight: number;
  /** What it has been sending lately; counts for those that go first. */
  readonly usedBps: number;
  /** More than this its encoder never makes; Infinity = unknown. */
  readonly maxBps: number;
  /** Result. */
  shareBps: number;
}

/**
 * Fills in `shareBps` of every claim. Who goes first may use all that others of its kind leave; video gets what those
 * use now leaves.
 *
 * @param availableBps Media bits per second for all together.
 */
export function shareOut(claims: readonly Claim[], availableBps: number): void {
  let left = availableBps;
  for (const claim of claims) if (claim.isFirst) left -= Math.min(claim.usedBps, claim.maxBps);
  left = Math.max(0, left);
  let weights = 0;
  for (const claim of claims) {
    if (claim.isFirst) {
      claim.shareBps = Math.min(claim.maxBps, left + Math.min(claim.usedBps, availableBps));
    } else {
      claim.shareBps = -1;
      weights += claim.weight;
    }
  }
  fill(claims, left, weights);
}

/** Gives the capped their cap until nobody left is capped, then the rest by weight. At most one pass per claim. */
function fill(claims: readonly Claim[], availableBps: number, totalWeight: number): void {
  let left = availableBps;
  let weights = totalWeight;
  for (let isSettled = false; !isSettled; ) {
    isSettled = true;
    const perWeight = weights > 0 ? left / weights : 0;
    for (const claim of claims) {
      if (claim.shareBps >= 0 || claim.maxBps > perWeight * claim.weight) continue;
      claim.shareBps = claim.maxBps;
      left -= claim.maxBps;
      weights -= claim.weight;
      isSettled = false;
    }
  }
  for (const claim of claims) if (claim.shareBps < 0) claim.shareBps = (left * claim.weight) / weights;
}
