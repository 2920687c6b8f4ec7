/**
 * Faults put between a socket and the network, for demos and end-to-end tests on a network that has none.
 * In: datagrams that are about to leave. Out: the same, some lost, repeated or late. Seeded.
 */
import { copyBytes } from '../base/bytes.ts';
import { SeededRandom } from '../base/random.ts';

/** Applied to datagrams as they leave a socket: give it to both ends for both directions. Ratios 0..1. */
export interface FaultOptions {
  readonly lossRatio?: number;
  /** Held back for 5 to 15 ms, so that later ones overtake. */
  readonly reorderRatio?: number;
  readonly duplicateRatio?: number;
  readonly seed?: number;
}

/** Datagrams held back at once. */
const HELD_MAX = 1024;

export class FaultInjector {
  readonly #options: Required<FaultOptions>;
  readonly #random: SeededRandom;
  #held = 0;
  /** Datagrams swallowed so far. */
  lost = 0;

  constructor(options: FaultOptions) {
    this.#options = { lossRatio: 0, reorderRatio: 0, duplicateRatio: 0, seed: 1, ...options };
    for (const name of ['lossRatio', 'reorderRatio', 'duplicateRatio'] as const) {
      const ratio = this.#options[name];
      if (!(ratio >= 0 && ratio <= 1))
        throw new RangeError(`faults.${name} is ${ratio}; give a ratio from 0 to 1`);
    }
    this.#random = new SeededRandom(this.#options.seed);
  }

  /**
   * Decides one datagram's fate. Returns how many times to send it now (0, 1 or 2); `later` is called with a copy
   * when it is held back.
   */
  pass(datagram: Uint8Array, later: (copy: Uint8Array) => void): number {
    const { lossRatio, reorderRatio, duplicateRatio } = this.#options;
    if (this.#random.unit() < lossRatio) {
      this.lost++;
      return 0;
    }
    if (this.#random.unit() < reorderRatio && this.#held < HELD_MAX) {
      this.#held++;
      const copy = copyBytes(datagram);
      setTimeout(
        () => {
          this.#held--;
          later(copy);
        },
        5 + this.#random.unit() * 10,
      ).unref();
      return 0;
    }
    return this.#random.unit() < duplicateRatio ? 2 : 1;
  }
}
