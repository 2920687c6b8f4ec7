/**
 * A network address translator at the client's end of a path, with the faults that end calls: it gives the flow
 * another port (or address), lets an idle flow expire, or silently forgets a flow whose packets then vanish both ways
 * until the client opens another port.
 * Addresses are integers, host * 65536 + port. In: packets of the client's address. Out: those of the outer address.
 */
import type { Micros } from '../base/protocol.ts';
import type { Deliver, Outlet } from './link.ts';
import type { Simulator } from './simulator.ts';

/** What the NAT does by itself. Times are milliseconds of virtual time. */
export interface NatSpec {
  /** Rebinds every flow at these times. */
  readonly rebindAtMs?: readonly number[];
  /** Rebinds every flow again and again, first at `firstRebindMs` (default: one period). */
  readonly rebindEveryMs?: number;
  readonly firstRebindMs?: number;
  /** What a rebinding changes; default the port only. */
  readonly changes?: 'port' | 'address';
  /** Forgets every flow of the moment at these times. */
  readonly forgetAtMs?: readonly number[];
  /** A flow idle for so long in both directions gets a new port with its next packet; default never. */
  readonly idleTimeoutMs?: number;
}

export interface NatStatistics {
  rebindings: number;
  /** Packets that came for an outer address that leads nowhere any more. */
  droppedInbound: number;
  /** Packets of a forgotten flow, from the client. */
  droppedOutbound: number;
}

interface Binding {
  readonly inner: number;
  readonly outer: number;
  usedUs: Micros;
}

const PORTS = 65_536;
const FIRST_HOST = 1;
const FIRST_PORT = 40_000;

/** The address with this port on this host; both 0..65535. */
export function addressOf(host: number, port: number): number {
  return host * PORTS + port;
}

/** Translates between inner and outer addresses. */
export class Nat {
  readonly statistics: NatStatistics = { rebindings: 0, droppedInbound: 0, droppedOutbound: 0 };
  readonly #sim: Simulator;
  readonly #spec: NatSpec;
  readonly #byInner: Map<number, Binding> = new Map();
  readonly #byOuter: Map<number, Binding> = new Map();
  readonly #forgotten: Set<number> = new Set();
  #host = FIRST_HOST;
  #port = FIRST_PORT;

  constructor(sim: Simulator, spec: NatSpec = {}) {
    this.#sim = sim;
    this.#spec = spec;
    const changes = spec.changes ?? 'port';
    for (const atMs of spec.rebindAtMs ?? []) sim.schedule(atMs * 1_000, () => this.rebind(changes));
    for (const atMs of spec.forgetAtMs ?? []) sim.schedule(atMs * 1_000, () => this.forget());
    const everyMs = spec.rebindEveryMs;
    if (everyMs === undefined) return;
    if (!(everyMs > 0)) throw new RangeError('rebindEveryMs must be above 0');
    const again = (): void => {
      this.rebind(changes);
      sim.schedule(sim.now + everyMs * 1_000, again);
    };
    sim.schedule((spec.firstRebindMs ?? everyMs) * 1_000, again);
  }

  /** What the client sends goes through here. */
  outbound(outside: Outlet<Uint8Array>): Outlet<Uint8Array> {
    return {
      send: (datagram, sizeBytes, address = 0) => {
        const outer = this.#translateOut(address);
        if (outer !== undefined) outside.send(datagram, sizeBytes, outer);
      },
    };
  }

  /** What comes for the client goes through here. */
  inbound(inside: Deliver<Uint8Array>): Deliver<Uint8Array> {
    return (datagram, sizeBytes, address) => {
      const binding = this.#byOuter.get(address);
      if (binding === undefined) {
        this.statistics.droppedInbound++;
        return;
      }
      binding.usedUs = this.#sim.now;
      inside(datagram, sizeBytes, binding.inner);
    };
  }

  /** The outer address of a client's address at this moment, as an observer outside would see it. */
  outerOf(inner: number): number | undefined {
    return this.#byInner.get(inner)?.outer;
  }

  /** Drops every binding: the next packet of a flow gets another port, and the old one leads nowhere. */
  rebind(changes: 'port' | 'address' = 'port'): void {
    this.statistics.rebindings++;
    this.#byInner.clear();
    this.#byOuter.clear();
    if (changes === 'address') this.#host++;
  }

  /** Silently forgets every flow of this moment: its packets vanish both ways; only another inner port helps. */
  forget(): void {
    for (const inner of this.#byInner.keys()) this.#forgotten.add(inner);
    this.#byInner.clear();
    this.#byOuter.clear();
  }

  #translateOut(inner: number): number | undefined {
    if (this.#forgotten.has(inner)) {
      this.statistics.droppedOutbound++;
      return undefined;
    }
    const now = this.#sim.now;
    const known = this.#byInner.get(inner);
    const idleUs = (this.#spec.idleTimeoutMs ?? Number.POSITIVE_INFINITY) * 1_000;
    if (known !== undefined && now - known.usedUs < idleUs) {
      known.usedUs = now;
      return known.outer;
    }
    if (known !== undefined) this.#byOuter.delete(known.outer);
    const binding: Binding = { inner, outer: addressOf(this.#host, this.#nextPort()), usedUs: now };
    this.#byInner.set(inner, binding);
    this.#byOuter.set(binding.outer, binding);
    return binding.outer;
  }

  #nextPort(): number {
    const port = this.#port++;
    if (this.#port === PORTS) this.#port = FIRST_PORT;
    return port;
  }
}
