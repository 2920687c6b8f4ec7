/**
 * How a caller gets off a path that has fallen silent, or that it is asked to leave: when to open a second socket on a
 * fresh port, when to give it up and try another. In: silence, sockets opened, what is proven. Out: the wish for a socket.
 * Source: DESIGN D10: a device that silently dropped the flow is the cause that reconnecting cures.
 */
import { type Micros, NEVER, SECOND } from '../base/protocol.ts';

/** A fresh port has this long to prove itself, then the next is tried: 1, 2, 4, 4 ... s. */
const FIRST_TRY_US: Micros = SECOND;
const LAST_TRY_US: Micros = 4 * SECOND;

export class Healing {
  /** A fresh port is being looked for. */
  isRunning = false;
  /** Asked for by the application: the present path is left even if it works. */
  isWished = false;
  /** How many ports were tried. */
  tries = 0;
  #retryAtUs: Micros = NEVER;

  /** Begins, or goes on. Returns true if a socket is to be opened now. */
  start(isWished: boolean, now: Micros): boolean {
    if (isWished) this.isWished = true;
    if (this.isRunning) return false;
    this.isRunning = true;
    this.tries = 0;
    this.#next(now);
    return true;
  }

  #next(now: Micros): void {
    this.#retryAtUs = now + Math.min(LAST_TRY_US, FIRST_TRY_US * 2 ** this.tries);
    this.tries++;
  }

  get nextDeadline(): Micros {
    return this.#retryAtUs;
  }

  /** True when the port in question has had its time: another one is to be opened. */
  takeRetry(now: Micros): boolean {
    if (!this.isRunning || now < this.#retryAtUs) return false;
    this.#next(now);
    return true;
  }

  /** A path works. */
  end(): void {
    this.isRunning = false;
    this.isWished = false;
    this.#retryAtUs = NEVER;
  }
}
