/**
 * What the receivers of one connection hold, on whatever track: media frames on their way in, symbols in parts, symbols kept
 * for repair, and media frames that wait for the application. Each holder may hold as much as is left free: one alone takes
 * half of it, and there is always room for another. In: charges. Out: whether a holder has to let go of something. O(1).
 * Source: dynamic thresholds of shared buffers, Choudhury and Hahne 1998, with alpha = 1.
 */
import { SlackBudget } from '../base/slack.ts';
import { HELD_BYTES_MAX } from './limits.ts';

/** Of one connection. */
export class HeldBudget {
  readonly slack: SlackBudget = new SlackBudget();
  bytes = 0;
}

/** The part of one holder. */
export class HeldShare {
  #budget: HeldBudget;
  #bytes = 0;

  constructor(budget: HeldBudget) {
    this.#budget = budget;
  }

  /** What is held, with what it costs beside its bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True while the holder must let go of something; never if it holds nothing. */
  get isExceeded(): boolean {
    return this.#bytes > Math.max(0, HELD_BYTES_MAX - this.#budget.bytes);
  }

  charge(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }

  /** @returns `view`, or a copy if it would pin too much. Let go of by {@link release} with its slack. */
  keep(view: Uint8Array): Uint8Array {
    return this.#budget.slack.keep(view);
  }

  /** Slack of what {@link keep} returned. */
  release(slackBytes: number): void {
    this.#budget.slack.release(slackBytes);
  }

  /** What is held, no views among it, is no longer the connection's, but belongs to whoever reads it. */
  detach(): void {
    const budget = new HeldBudget();
    this.#budget.bytes -= this.#bytes;
    this.#budget = budget;
  }
}
