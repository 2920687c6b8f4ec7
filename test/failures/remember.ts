/** Two figures of one run are two cases: what a run gave is kept for the other one. */

/** Results kept of each kind, all small: a soak runs a thousand seeds of one case before it may be the turn of the next. */
const KEPT_MAX = 1_024;

/** `run`, whose last few results are not computed again. It must depend on its seed alone. */
export function remembered<T>(run: (seed: number) => T): (seed: number) => T {
  const known = new Map<number, T>();
  return (seed) => {
    let result = known.get(seed);
    if (result === undefined) {
      result = run(seed);
      const [oldest] = known.keys();
      if (known.size >= KEPT_MAX && oldest !== undefined) known.delete(oldest);
      known.set(seed, result);
    }
    return result;
  };
}
