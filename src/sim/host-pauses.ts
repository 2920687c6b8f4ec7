/**
 * A machine with more work than processors: now and then a host is not served for some milliseconds, while datagrams wait
 * in its socket's buffer and timers come late. In: how often and how long, what arrives meanwhile. Out: all of it at once,
 * when the pause ends.
 */
import { MILLISECOND } from '../base/protocol.ts';
import type { SeededRandom } from '../base/random.ts';
import { exponential } from './distributions.ts';
import { SimTimer, type Simulator } from './simulator.ts';

/** Pauses as data: each begins so long after the last one, exponentially distributed, and lasts between two times. */
export interface HostPausesSpec {
  readonly meanGapMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** What the socket's buffer holds; what is more is lost. Default 212,992 bytes, as Linux gives. */
  readonly bufferBytes?: number;
}

/** A datagram that waits to be read. */
export interface Waiting {
  readonly datagram: Uint8Array;
  readonly sizeBytes: number;
  readonly address: number;
}

const BUFFER_BYTES_MAX = 212_992;

/** Pauses of one host. */
export class HostPauses {
  isPaused = false;
  readonly #spec: HostPausesSpec;
  readonly #random: SeededRandom;
  readonly #sim: Simulator;
  readonly #timer: SimTimer;
  readonly #onResume: (waiting: readonly Waiting[]) => void;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isStarted = false;

  /** @param onResume Called when a pause has ended, with what arrived meanwhile, in order. */
  constructor(sim: Simulator, spec: HostPausesSpec, onResume: (waiting: readonly Waiting[]) => void) {
    if (!(spec.meanGapMs > 0 && spec.minMs >= 0 && spec.maxMs >= spec.minMs))
      throw new RangeError('pauses need a gap above 0, and a shortest that is no longer than the longest');
    this.#sim = sim;
    this.#spec = spec;
    this.#onResume = onResume;
    this.#random = sim.random.fork();
    this.#timer = new SimTimer(sim, () => this.#turn());
  }

  /** The first pause comes after the first gap. Harmless when started already. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#armGap();
  }

  /** Ends it all; what waits is gone. */
  stop(): void {
    this.#isStarted = false;
    this.isPaused = false;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#timer.disarm();
  }

  /** Keeps a datagram until the pause ends. False when the socket's buffer is full. */
  hold(waiting: Waiting): boolean {
    if (this.#waitingBytes + waiting.sizeBytes > (this.#spec.bufferBytes ?? BUFFER_BYTES_MAX)) return false;
    this.#waiting.push(waiting);
    this.#waitingBytes += waiting.sizeBytes;
    return true;
  }

  #turn(): void {
    if (!this.isPaused) {
      this.isPaused = true;
      const { minMs, maxMs } = this.#spec;
      const lengthMs = minMs + this.#random.unit() * (maxMs - minMs);
      this.#timer.arm(this.#sim.now + lengthMs * MILLISECOND);
      return;
    }
    this.isPaused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#armGap();
    this.#onResume(waiting);
  }

  #armGap(): void {
    this.#timer.arm(this.#sim.now + exponential(this.#random, this.#spec.meanGapMs * MILLISECOND));
  }
}
