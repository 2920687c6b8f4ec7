/** The one timer table of a connection: a slot per purpose, the next one is the minimum. Source: quinn's TimerTable. */
import { type Micros, NEVER } from '../base/protocol.ts';

/** Purposes a connection arms by itself. Parts with own deadlines (recovery, tracks, streams) are asked instead. */
export const Timer = {
  /** The handshake has not completed in time. */
  HANDSHAKE: 0,
  /** Nothing heard from the peer. */
  IDLE: 1,
  /** Time to say that we are alive. */
  KEEP_ALIVE: 2,
  /** Repeat CONNECTION_CLOSE, or forget the connection. */
  CLOSE: 3,
  /** The pacer lets the next packet go. */
  PACING: 4,
} as const;
/** One of {@link Timer}. */
export type Timer = (typeof Timer)[keyof typeof Timer];

export class TimerTable {
  readonly #deadlines: Float64Array = new Float64Array(5).fill(NEVER);

  set(timer: Timer, atUs: Micros): void {
    this.#deadlines[timer] = atUs;
  }

  clear(timer: Timer): void {
    this.#deadlines[timer] = NEVER;
  }

  clearAll(): void {
    this.#deadlines.fill(NEVER);
  }

  /** True, and disarmed, when the timer was due. */
  take(timer: Timer, now: Micros): boolean {
    if ((this.#deadlines[timer] as number) > now) return false;
    this.#deadlines[timer] = NEVER;
    return true;
  }

  /** When this timer is due; NEVER if it is not armed. */
  deadline(timer: Timer): Micros {
    return this.#deadlines[timer] as Micros;
  }

  /** The earliest deadline of all. */
  get next(): Micros {
    let next = NEVER;
    for (let i = 0; i < this.#deadlines.length; i++) {
      const deadline = this.#deadlines[i] as number;
      if (deadline < next) next = deadline;
    }
    return next;
  }
}
