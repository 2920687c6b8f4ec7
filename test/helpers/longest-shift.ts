/** How long the longest array was that lost its first item: what an array of tens of thousands pays for with its square. */

/** Runs `action`. Gives the length of the longest array that `Array.prototype.shift` was called on meanwhile. */
export async function longestShift(action: () => void | Promise<void>): Promise<number> {
  const { shift } = Array.prototype;
  let longest = 0;
  Array.prototype.shift = function (this: unknown[]): unknown {
    longest = Math.max(longest, this.length);
    return shift.call(this);
  };
  try {
    await action();
  } finally {
    Array.prototype.shift = shift;
  }
  return longest;
}
