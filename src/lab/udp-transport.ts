/**
 * Plain UDP as a transport under test: each frame in fragments behind RTP-sized headers, sent at once, nothing sent
 * again. A frame is there when all of its fragments are.
 */

import type { Outlet } from '../sim/link.ts';
import { UDP_IPV4_HEADER_BYTES } from '../sim/link-options.ts';
import type { Network } from '../sim/network.ts';
import type { Simulator } from '../sim/simulator.ts';
import type { LabFrame } from './frames.ts';
import type { Transport, TransportEvents, TransportReport } from './transport.ts';
import { type WireBytes, WireMeter } from './wire-meter.ts';

/** As much as fits 1500 bytes of Ethernet, with room for tunnels. */
const FRAGMENT_BYTES = 1_400;
/** RTP without extensions. */
const RTP_HEADER_BYTES = 12;

interface Fragment {
  readonly source: number;
  readonly index: number;
  readonly count: number;
}

export class UdpTransport implements Transport {
  readonly #sim: Simulator;
  readonly #events: TransportEvents;
  readonly #outlet: Outlet<Fragment>;
  readonly #meter: WireMeter = new WireMeter();
  /** Fragments that have arrived, per source and frame. */
  readonly #arrived: number[][] = [];

  constructor(sim: Simulator, network: Network, events: TransportEvents) {
    this.#sim = sim;
    this.#events = events;
    this.#outlet = network.up.open<Fragment>((fragment) => this.#receive(fragment));
  }

  get wire(): WireBytes {
    return this.#meter.bytes;
  }

  start(): void {
    this.#sim.schedule(this.#sim.now, () => this.#events.onReady(this.#sim.now));
  }

  send(source: number, frame: LabFrame): void {
    const count = Math.max(1, Math.ceil(frame.sizeBytes / FRAGMENT_BYTES));
    const fragment: Fragment = { source, index: frame.index, count };
    for (let i = 0; i < count; i++) {
      const bytes = Math.min(FRAGMENT_BYTES, frame.sizeBytes - i * FRAGMENT_BYTES);
      const sizeBytes = bytes + RTP_HEADER_BYTES + UDP_IPV4_HEADER_BYTES;
      this.#meter.onUdp(sizeBytes, RTP_HEADER_BYTES);
      this.#outlet.send(fragment, sizeBytes);
    }
  }

  /** A duplicate counts as the fragment that is missing: links here duplicate rarely, and plain UDP would not notice. */
  #receive(fragment: Fragment): void {
    this.#arrived[fragment.source] ??= [];
    const arrived = this.#arrived[fragment.source] as number[];
    const count = (arrived[fragment.index] ?? 0) + 1;
    arrived[fragment.index] = count;
    if (count === fragment.count) {
      this.#events.onDelivered(fragment.source, fragment.index, undefined, this.#sim.now);
    }
  }

  targetBps(): undefined {
    return undefined;
  }

  maxFrameBytes(): undefined {
    return undefined;
  }

  report(): TransportReport {
    return { faults: [], ended: undefined, figures: {} };
  }
}
