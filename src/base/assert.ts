/** Throws when a broken invariant of ours is met. Never for a caller's mistake or a peer's bytes. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`millrace invariant broken: ${message}`);
}
