/**
 * A simulated world driven by real time: what the simulator does in virtual time happens when a real clock says so.
 * In: a `Simulator` and a monotonic clock. Out: events run as they fall due, and how long nothing will be due.
 *
 * Two ways to use it. A program with a loop of its own (the emulator) asks:
 *   const world = new RealTimeWorld(sim);
 *   const idleUs = world.catchUp();           // runs what is due; then sleeps for so long
 * A program that lives in Node's event loop lets timers do it:
 *   const driver = new RealTimeDriver(world);
 *   driver.do(() => link.send(datagram, sizeBytes));      // now; wakes when the link delivers
 *   driver.stop();
 * Every instant inside the world stays exact: lateness of the driver delays what is seen outside, it never adds up.
 */
import type { Micros } from '../../../src/base/protocol.ts';
import type { Simulator } from '../../../src/sim.ts';

/** The process's monotonic clock, whole microseconds from an arbitrary origin. */
export function monotonicUs(): Micros {
  return Math.floor(performance.now() * 1_000);
}

/** A simulator whose clock follows a real one from the moment it is made. */
export class RealTimeWorld {
  readonly sim: Simulator;
  readonly #clockUs: () => Micros;
  readonly #originUs: Micros;

  /** @param clockUs Monotonic, whole microseconds. Default: this process's. */
  constructor(sim: Simulator, clockUs: () => Micros = monotonicUs) {
    this.sim = sim;
    this.#clockUs = clockUs;
    this.#originUs = clockUs() - sim.now;
  }

  /** The real present in the world's time; `sim.now` is behind it until {@link catchUp}. */
  get presentUs(): Micros {
    return this.#clockUs() - this.#originUs;
  }

  /**
   * Runs every event that is due and sets `sim.now` to the present: call it before anything enters the world.
   * @returns Microseconds until the next event: 0 when one fell due meanwhile, `Infinity` when there is none.
   */
  catchUp(): Micros {
    this.sim.run(this.presentUs);
    return Math.max(0, this.sim.nextEventUs - this.presentUs);
  }
}

/** `setTimeout` takes no more; a longer sleep wakes once in between. */
const SLEEP_MS_MAX = 1_000_000;

/** Runs a world by timers of Node's event loop. Events are late by what those are: 1 ms usually, more when the loop is busy. */
export class RealTimeDriver {
  readonly world: RealTimeWorld;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(world: RealTimeWorld) {
    this.world = world;
    this.#sleep();
  }

  /** Does something to the world at the present instant: a packet enters, an option changes. */
  do(action: () => void): void {
    this.world.catchUp();
    action();
    this.#sleep();
  }

  /** Ends it: nothing in the world happens any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const idleUs = this.world.catchUp();
    if (idleUs === Number.POSITIVE_INFINITY) return;
    // Rounded up: a timer that fires early would find nothing due and sleep again for a millisecond.
    this.#timer = setTimeout(() => this.#sleep(), Math.min(SLEEP_MS_MAX, Math.ceil(idleUs / 1_000)));
  }
}
