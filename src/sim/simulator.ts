/**
 * Virtual time: a clock that jumps from event to event, a seed from which all randomness comes, and a hash of all that
 * happened. Links, hosts and scripts schedule functions here; nothing waits for real time.
 *
 * Use:
 *   const sim = new Simulator({ seed: 7 });
 *   sim.schedule(1_000, () => ...);        // at 1 ms
 *   sim.run(60_000_000);                   // one minute
 *   sim.traceHash                          // equal for equal seeds
 * Instants and durations named `...Us` are integer microseconds; the clock starts at 0.
 */
import type { Micros } from '../base/protocol.ts';
import { SeededRandom } from '../base/random.ts';
import { EventQueue } from './event-queue.ts';
import { TraceHash } from './trace-hash.ts';

/** Throws from `check` when its invariant does not hold. */
export interface Checker {
  readonly name: string;
  check(nowUs: Micros): void;
}

/** What a simulation is made of. */
export interface SimulatorOptions {
  /** Integer in 0..2^53-1. Equal seeds replay equally. */
  readonly seed: number;
  /** Mixes every byte carried into the hash too. Only for contents that follow from the seed: not with real TLS. */
  readonly hashPayload?: boolean;
  /** The one-line command that runs this simulation again; `{seed}` is replaced. Shown when a run fails. */
  readonly replayCommand?: string;
}

/** The event loop of a simulated world. */
export class Simulator {
  readonly seed: number;
  /** The world's own randomness. Parts that draw often take a `fork()` when they are made. */
  readonly random: SeededRandom;
  readonly hashPayload: boolean;
  /** What happened so far; links feed it. */
  readonly trace: TraceHash = new TraceHash();
  /** Events run so far. */
  eventCount = 0;

  readonly #queue = new EventQueue();
  readonly #checkers: Checker[] = [];
  readonly #replayCommand: string | undefined;
  #now: Micros = 0;
  #identities = 0;

  constructor(options: SimulatorOptions) {
    if (!Number.isSafeInteger(options.seed) || options.seed < 0)
      throw new RangeError('seed must be in 0..2^53-1');
    this.seed = options.seed;
    this.random = new SeededRandom(options.seed);
    this.hashPayload = options.hashPayload ?? false;
    this.#replayCommand = options.replayCommand;
  }

  /** The present instant, microseconds since the start. */
  get now(): Micros {
    return this.#now;
  }

  /** The hash of everything carried so far: 16 hexadecimal digits. */
  get traceHash(): string {
    return this.trace.digest();
  }

  /** Events not yet run. */
  get pendingEvents(): number {
    return this.#queue.size;
  }

  /** The instant of the earliest event not yet run, or `Infinity`: when a driver in real time must wake. */
  get nextEventUs(): Micros {
    return this.#queue.nextAtUs;
  }

  /** A small integer that names a part of this world in the trace: 1, 2, 3, ... in the order of making. */
  nextIdentity(): number {
    return ++this.#identities;
  }

  /** Calls `run` at `atUs` (rounded up to a whole microsecond), or as the next thing when that has passed. */
  schedule(atUs: Micros, run: () => void): void {
    if (Number.isNaN(atUs)) throw new RangeError('an event needs an instant');
    if (atUs === Number.POSITIVE_INFINITY) return;
    this.#queue.push(Math.max(Math.ceil(atUs), this.#now), run);
  }

  /** Runs the checker after every event from now on. */
  addChecker(checker: Checker): void {
    this.#checkers.push(checker);
  }

  /**
   * Runs every event due at or before `untilUs`, then sets the clock there.
   * @throws Error that names the seed, the instant and the replay command, with what went wrong as its `cause`.
   */
  run(untilUs: Micros): void {
    this.runWhile(() => true, untilUs);
    if (untilUs !== Number.POSITIVE_INFINITY) this.#now = Math.max(this.#now, Math.ceil(untilUs));
  }

  /** Runs events while `goOn()` holds, asked before each, up to `limitUs`. True when it ended because `goOn` said no. */
  runWhile(goOn: () => boolean, limitUs: Micros): boolean {
    while (this.#queue.nextAtUs <= limitUs) {
      if (!goOn()) return true;
      const event = this.#queue.pop();
      if (event === undefined) break;
      this.#now = event.atUs;
      this.eventCount++;
      try {
        event.run();
        for (let i = 0; i < this.#checkers.length; i++) (this.#checkers[i] as Checker).check(this.#now);
      } catch (cause) {
        throw this.#failure(cause);
      }
    }
    return !goOn();
  }

  #failure(cause: unknown): Error {
    const what = cause instanceof Error ? cause.message : String(cause);
    const replay = this.#replayCommand?.replace('{seed}', String(this.seed));
    const where = `seed ${this.seed}, t = ${this.#now} us`;
    return new Error(`${what} [${where}${replay === undefined ? '' : `; replay: ${replay}`}]`, { cause });
  }
}

/**
 * One re-armable deadline. Arming later than an event that is already queued costs nothing: the early call notices and
 * queues itself again, so a deadline that moves with every packet does not fill the heap.
 */
export class SimTimer {
  readonly #sim: Simulator;
  readonly #fire: () => void;
  #deadlineUs: Micros = Number.POSITIVE_INFINITY;
  #queuedUs: Micros = Number.POSITIVE_INFINITY;

  constructor(sim: Simulator, fire: () => void) {
    this.#sim = sim;
    this.#fire = fire;
  }

  /** When it will fire, or `Infinity`. */
  get deadlineUs(): Micros {
    return this.#deadlineUs;
  }

  /** Sets the deadline; `Infinity` disarms. A deadline in the past fires as the next event. */
  arm(atUs: Micros): void {
    this.#deadlineUs = atUs;
    const dueUs = Math.max(Math.ceil(atUs), this.#sim.now);
    if (dueUs < this.#queuedUs) {
      this.#queuedUs = dueUs;
      this.#sim.schedule(dueUs, () => this.#wake(dueUs));
    }
  }

  disarm(): void {
    this.#deadlineUs = Number.POSITIVE_INFINITY;
  }

  #wake(queuedUs: Micros): void {
    if (queuedUs !== this.#queuedUs) return;
    this.#queuedUs = Number.POSITIVE_INFINITY;
    if (this.#deadlineUs > this.#sim.now) {
      if (this.#deadlineUs !== Number.POSITIVE_INFINITY) this.arm(this.#deadlineUs);
      return;
    }
    this.#deadlineUs = Number.POSITIVE_INFINITY;
    this.#fire();
  }
}
