/** Maps of the planner that never grow beyond a bound: what was entered longest ago goes first. */

/** Enters a value under a key that is new, as the newest. Returns the oldest one if it had to go. */
export function keep<Value>(
  map: Map<number, Value>,
  key: number,
  value: Value,
  max: number,
): Value | undefined {
  let gone: Value | undefined;
  if (map.size >= max) {
    const oldest = map.keys().next().value as number;
    gone = map.get(oldest);
    map.delete(oldest);
  }
  map.set(key, value);
  return gone;
}
