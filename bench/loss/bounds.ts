/**
 * What redundancy has to cost: the least (resend + repair) / media for one media frame in 1000 missing its deadline,
 * independent losses, frames of 10 symbols. Sources: dynamic program over missing symbols (incremental redundancy) where
 * resend rounds fit; simulation of an ideal sliding-window code over the last T frames, jointly decoded, where none
 * does; the capacity of the erasure channel below both.
 */

/** Loss ratios that the tables have. */
export const BOUND_LOSSES: readonly number[] = [0.01, 0.02, 0.05, 0.1, 0.2];

export interface Bound {
  readonly name: string;
  /** Overhead at {@link BOUND_LOSSES}; null where it was not computed. */
  readonly overhead: readonly (number | null)[];
}

/** p / (1 - p). */
export const CAPACITY: Bound = {
  name: 'capacity of the channel',
  overhead: BOUND_LOSSES.map((ratio) => ratio / (1 - ratio)),
};

/** By how often a lost symbol can be sent again before the deadline. */
export const HYBRID_BOUNDS: readonly Bound[] = [
  { name: 'ideal, 2 rounds', overhead: [0.01, 0.02, 0.055, 0.12, 0.304] },
  { name: 'ideal, 1 round', overhead: [0.01, 0.038, 0.099, 0.202, 0.419] },
  { name: 'ideal, no round, over 3 frames', overhead: [0.09, 0.12, 0.2, null, null] },
  { name: 'no round, frame by frame', overhead: [0.2, 0.3, 0.4, 0.6, 1] },
];
