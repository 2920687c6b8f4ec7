/** Numbers that applications give, checked. */

/** @throws TypeError, RangeError that name the option and its range. */
export function inRange(value: unknown, name: string, min: number, max: number, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (typeof value !== 'number' || Number.isNaN(value))
    throw new TypeError(`${name} is a number, not ${String(value)}`);
  if (value < min || value > max)
    throw new RangeError(`${name} is ${value}; it must be from ${min} to ${max}`);
  return value;
}
