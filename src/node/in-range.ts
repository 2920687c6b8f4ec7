/** Numbers and names that applications give, checked. */

/** @throws TypeError, RangeError that name the option and its range. */
export function inRange(value: unknown, name: string, min: number, max: number, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (typeof value !== 'number' || Number.isNaN(value))
    throw new TypeError(`${name} is a number, not ${String(value)}`);
  if (value < min || value > max)
    throw new RangeError(`${name} is ${value}; it must be from ${min} to ${max}`);
  return value;
}

/** @throws TypeError that names the option and what it may be. */
export function oneOf<Choice extends string>(
  value: unknown,
  name: string,
  choices: readonly Choice[],
): Choice | undefined {
  if (value === undefined) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const quoted = choices.map((choice) => `'${choice}'`);
  const all = [quoted.slice(0, -1).join(', '), quoted.at(-1)].join(' or ');
  throw new TypeError(`${name} is ${all}, not ${String(value)}`);
}
