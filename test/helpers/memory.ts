/** What this process holds. In: its heap. Out: bytes, garbage aside. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Less than this between two collections is nothing found. */
const NOISE_BYTES = 65_536;

/**
 * The bytes in use, buffers outside the heap included, once nothing more can be freed. What one collection finds dead is
 * let go of only during the next, and how much of it by then depends on how busy the machine is: a single one has left
 * 18 MB that nobody held.
 */
export function bytesInUse(): number {
  let least = Number.POSITIVE_INFINITY;
  for (let isSettled = false; !isSettled; ) {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    isSettled = heapUsed + external >= least - NOISE_BYTES;
    least = Math.min(least, heapUsed + external);
  }
  return least;
}
