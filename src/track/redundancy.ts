/** What an application may ask for as redundancy, and as target. */
import type { FramePlan, RedundancyMode } from './types.ts';

/** More than three times the media is no redundancy any more. */
const OVERHEAD_MAX = 3;

/** @throws RangeError unless the overhead is 0..3 and the target above 0 and at most 1; TypeError for no mode at all. */
export function checkRedundancy(mode: RedundancyMode, target: number): void {
  if (!(target > 0 && target <= 1)) throw new RangeError(`target is above 0 and at most 1, not ${target}`);
  if (mode === 'auto' || mode === 'off') return;
  const overhead: unknown = typeof mode === 'object' && mode !== null ? mode.overhead : undefined;
  if (typeof overhead !== 'number') throw new TypeError("redundancy is 'auto', 'off' or { overhead }");
  if (!(overhead >= 0 && overhead <= OVERHEAD_MAX)) {
    throw new RangeError(`overhead is 0 to ${OVERHEAD_MAX}, not ${overhead}`);
  }
}

/** The plan of a track before its first media frame. */
export function emptyPlan(): FramePlan {
  return {
    rounds: 0,
    span: 0,
    streamRatio: 0,
    firstSpares: 0,
    price: 0,
    leadUs: 0,
    packetUs: 0,
    spacingUs: 0,
  };
}
