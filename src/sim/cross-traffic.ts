/**
 * Traffic of others on a shared link: packets at a constant or random rate, always or on and off. Nobody answers it.
 * In: a link. Out: load. (A competing TCP flow is `TcpFlow` of tcp/, on the same link.)
 */
import type { SeededRandom } from '../base/random.ts';
import { exponential } from './distributions.ts';
import type { Link, Outlet } from './link.ts';
import type { SimHost } from './protocol-host.ts';
import { SimTimer, type Simulator } from './simulator.ts';

/** What kind of load. Rates are bits per second on the wire, times milliseconds. */
export interface CrossTrafficOptions {
  readonly rateBps: number;
  /** Size on the wire, IP header included; default 1500. */
  readonly packetBytes?: number;
  /** `constant` (default): evenly spaced. `poisson`: exponential gaps with the same mean. */
  readonly spacing?: 'constant' | 'poisson';
  /** Sends for `onMs`, is silent for `offMs`, and so on, beginning with on; with `poisson` these are means. */
  readonly onMs?: number;
  readonly offMs?: number;
}

/** One source of load and its count of what arrived. */
export class CrossTraffic implements SimHost {
  readonly name = 'cross traffic';
  sentPackets = 0;
  arrivedPackets = 0;
  readonly #sim: Simulator;
  readonly #options: CrossTrafficOptions;
  readonly #random: SeededRandom;
  readonly #outlet: Outlet<undefined>;
  readonly #timer: SimTimer;
  readonly #packetBytes: number;
  readonly #gapUs: number;
  #nextUs = 0;
  #onUntilUs = 0;

  constructor(sim: Simulator, link: Link, options: CrossTrafficOptions) {
    if (!(options.rateBps > 0)) throw new RangeError('cross traffic needs a rate above 0');
    this.#sim = sim;
    this.#options = options;
    this.#random = sim.random.fork();
    this.#outlet = link.open(() => {
      this.arrivedPackets++;
    });
    this.#timer = new SimTimer(sim, () => this.#send());
    this.#packetBytes = options.packetBytes ?? 1_500;
    this.#gapUs = (this.#packetBytes * 8_000_000) / options.rateBps;
  }

  start(): void {
    this.#nextUs = this.#sim.now;
    this.#onUntilUs = this.#nextUs + this.#period(this.#options.onMs ?? Number.POSITIVE_INFINITY);
    this.#timer.arm(this.#nextUs);
  }

  stop(): void {
    this.#timer.disarm();
  }

  #period(ms: number): number {
    const isRandom = this.#options.spacing === 'poisson' && Number.isFinite(ms);
    return isRandom ? exponential(this.#random, ms * 1_000) : ms * 1_000;
  }

  #send(): void {
    this.sentPackets++;
    this.#outlet.send(undefined, this.#packetBytes);
    this.#nextUs +=
      this.#options.spacing === 'poisson' ? exponential(this.#random, this.#gapUs) : this.#gapUs;
    if (this.#nextUs >= this.#onUntilUs) {
      this.#nextUs = this.#onUntilUs + this.#period(this.#options.offMs ?? 0);
      this.#onUntilUs = this.#nextUs + this.#period(this.#options.onMs ?? Number.POSITIVE_INFINITY);
    }
    this.#timer.arm(this.#nextUs);
  }
}
