/** A redundancy policy that always answers the same, for tests of what a track does with the answer. */
import type { RedundancyPolicy } from '../../src/track/types.ts';

/** `firstSpares` repair symbols behind each first flight, and `streamRatio` spread over `span` later frames. */
export function fixedPolicy(firstSpares: number, streamRatio = 0, span = 0): RedundancyPolicy {
  return {
    plan(_input, plan) {
      plan.rounds = 1;
      plan.span = span;
      plan.streamRatio = streamRatio;
      plan.firstSpares = firstSpares;
      plan.price = 0;
      plan.leadUs = 0;
      plan.packetUs = 0;
      plan.spacingUs = 0;
    },
    flightSpares: () => 0,
    lastSpares: () => 0,
    roundsIn: () => 1,
  };
}
