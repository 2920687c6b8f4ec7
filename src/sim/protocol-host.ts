/**
 * Runs one sans-IO `Protocol` in a simulation, exactly as a driver with sockets does: feed, drain events, drain
 * transmissions, re-arm one timer. In: datagrams from links. Out: datagrams to links.
 *
 * Use:
 *   const client = new ProtocolHost(sim, clientConnection, { onEvent: (event) => ... });
 *   const server = new ProtocolHost(sim, serverConnection);
 *   connectHosts(client, server, network);          // network.ts; path 0 on both
 *   client.call(() => track.send(bytes));           // an application's call, pumped afterwards
 *   sim.run(10 * SECOND);
 */
import { type Micros, NEVER, type PathId, type Protocol } from '../base/protocol.ts';
import { HostPauses, type HostPausesSpec, type Waiting } from './host-pauses.ts';
import type { Deliver, Outlet } from './link.ts';
import { UDP_IPV4_HEADER_BYTES } from './link-options.ts';
import { SimTimer, type Simulator } from './simulator.ts';
import { type Slab, slabOf } from './slab.ts';

/** Whatever lives at the end of links: a millrace endpoint, a TCP model, a source of cross traffic. */
export interface SimHost {
  readonly name: string;
  /** Begins to work at the present instant. */
  start(): void;
  /** Ends its own activity; packets on their way still arrive. */
  stop(): void;
}

export interface ProtocolHostOptions<Event> {
  /** Shown in errors; default 'host'. */
  readonly name?: string;
  /** Called for every event, in order. May call the protocol again; the host pumps until all is quiet. */
  readonly onEvent?: (event: Event, nowUs: Micros) => void;
  /**
   * The path of the datagram that `pollTransmit` has just written, for protocols that use several. Default: the path
   * that something arrived on last, at first the first path.
   */
  readonly transmitPath?: () => PathId;
  /** Bytes of IP and UDP headers per datagram on the wire; default 28 (IPv4). */
  readonly headerBytes?: number;
  /** A driver's timer is not exact: deadlines are met at the next multiple of this. Default 1 us. */
  readonly timerGranularityUs?: Micros;
  /** A busy machine: now and then the host is not served for a while. Default: never. */
  readonly pauses?: HostPausesSpec;
}

/** What a host has sent and received. Bytes are on the wire, headers included. */
export interface HostStatistics {
  sentDatagrams: number;
  sentBytes: number;
  receivedDatagrams: number;
  receivedBytes: number;
  /** Datagrams for an address that this host does not have. */
  unroutable: number;
  /** Datagrams that found the socket's buffer full, because the host was not served. */
  overflowed: number;
  timeouts: number;
}

interface HostPath {
  readonly outlet: Outlet<Uint8Array>;
  readonly address: number;
}

/** More timeouts than this without the clock moving means that the protocol never settles. */
const TIMEOUTS_PER_INSTANT_MAX = 1_000;
/** More datagrams than this in one pump means that `pollTransmit` never returns 0: 64 MiB in one instant. */
const TRANSMITS_PER_PUMP_MAX = 65_536;

/** One end of a connection and the driver around it. */
export class ProtocolHost<Event> implements SimHost {
  readonly name: string;
  readonly protocol: Protocol<Event>;
  readonly statistics: HostStatistics = {
    sentDatagrams: 0,
    sentBytes: 0,
    receivedDatagrams: 0,
    receivedBytes: 0,
    unroutable: 0,
    overflowed: 0,
    timeouts: 0,
  };
  /** Give this to a link as its `onDeliver`. */
  readonly receive: Deliver<Uint8Array> = (datagram, sizeBytes, address) => {
    this.#receive(datagram, sizeBytes, address);
  };

  readonly #sim: Simulator;
  readonly #options: ProtocolHostOptions<Event>;
  readonly #headerBytes: number;
  readonly #timer: SimTimer;
  readonly #slab: Slab;
  readonly #pauses: HostPauses | undefined;
  readonly #paths: (HostPath | undefined)[] = [];
  readonly #pathOfAddress: Map<number, PathId> = new Map();
  #listening: Outlet<Uint8Array> | undefined;
  #lastPath: PathId = 0;
  #isPumping = false;
  #isStopped = false;
  #timeoutsAtUs: Micros = -1;
  #timeoutsNow = 0;

  constructor(sim: Simulator, protocol: Protocol<Event>, options: ProtocolHostOptions<Event> = {}) {
    this.#sim = sim;
    this.protocol = protocol;
    this.#slab = slabOf(sim);
    this.#options = options;
    this.name = options.name ?? 'host';
    this.#headerBytes = options.headerBytes ?? UDP_IPV4_HEADER_BYTES;
    this.#timer = new SimTimer(sim, () => this.#timeout());
    if (options.pauses !== undefined)
      this.#pauses = new HostPauses(sim, options.pauses, (waiting) => this.#resume(waiting));
  }

  /**
   * Opens a path: what is sent on it goes to `outlet` with `address`, and what arrives for `address` is its own.
   * @returns Its id: 0, 1, 2, ... in the order of opening.
   */
  addPath(outlet: Outlet<Uint8Array>, address = 0): PathId {
    const path = this.#paths.length;
    this.#paths.push({ outlet, address });
    this.#pathOfAddress.set(address, path);
    return path;
  }

  /** As when a socket is closed: what arrives for the path's address is not taken any more. */
  closePath(path: PathId): void {
    const address = this.#paths[path]?.address;
    if (address !== undefined && this.#pathOfAddress.get(address) === path)
      this.#pathOfAddress.delete(address);
  }

  /** Lets go of the paths that nobody uses: whoever writes from such an address again is new. */
  forgetPaths(isUsed: (path: PathId) => boolean): void {
    for (let path = 0; path < this.#paths.length; path++) {
      if (path === this.#lastPath || isUsed(path)) continue;
      this.closePath(path);
      this.#paths[path] = undefined;
    }
  }

  /** Answers whoever writes first through `outlet`: each new address becomes a new path. */
  listen(outlet: Outlet<Uint8Array>): void {
    this.#listening = outlet;
  }

  /** The address of a path: after a NAT has rebound, the server's newest path has the newest address. */
  addressOf(path: PathId): number | undefined {
    return this.#paths[path]?.address;
  }

  get pathCount(): number {
    return this.#paths.length;
  }

  /** When the protocol is to be called again, as it said last: `NEVER` if not. */
  get deadlineUs(): Micros {
    return this.#timer.deadlineUs;
  }

  /** Makes an application's call and pumps afterwards. */
  call<Result>(action: (nowUs: Micros) => Result): Result {
    const result = action(this.#sim.now);
    this.pump();
    return result;
  }

  /** Lets the protocol send its first datagrams. */
  start(): void {
    this.#isStopped = false;
    this.#pauses?.start();
    this.pump();
  }

  /** As when the process dies: nothing is sent, received or timed any more. */
  stop(): void {
    this.#isStopped = true;
    this.#pauses?.stop();
    this.#timer.disarm();
  }

  /** Drains events and transmissions until both are empty, then re-arms the timer. Harmless when nothing is to do. */
  pump(): void {
    if (this.#isPumping || this.#isStopped || this.#pauses?.isPaused === true) return;
    this.#isPumping = true;
    try {
      let sent = 0;
      do {
        this.#drainEvents();
        sent += this.#drainTransmissions(TRANSMITS_PER_PUMP_MAX - sent);
      } while (this.#drainEvents() > 0);
    } finally {
      this.#isPumping = false;
    }
    this.#arm();
  }

  #drainEvents(): number {
    let count = 0;
    while (true) {
      const event = this.protocol.pollEvent();
      if (event === undefined) return count;
      count++;
      this.#options.onEvent?.(event, this.#sim.now);
    }
  }

  #drainTransmissions(limit: number): number {
    let count = 0;
    while (!this.#isStopped) {
      const size = this.protocol.pollTransmit(this.#slab.room, this.#sim.now);
      if (size === 0) break;
      if (++count > limit) throw new Error(`${this.name}: pollTransmit does not come to an end`);
      const path = this.#paths[this.#options.transmitPath?.() ?? this.#lastPath];
      if (path === undefined) throw new Error(`${this.name}: a datagram for a path that was never added`);
      const sizeBytes = size + this.#headerBytes;
      this.statistics.sentDatagrams++;
      this.statistics.sentBytes += sizeBytes;
      path.outlet.send(this.#slab.copyOf(size), sizeBytes, path.address);
    }
    return count;
  }

  #receive(datagram: Uint8Array, sizeBytes: number, address: number): void {
    if (this.#isStopped) return;
    this.#pauses?.start();
    if (this.#pauses?.isPaused === true) {
      if (!this.#pauses.hold({ datagram, sizeBytes, address })) this.statistics.overflowed++;
      return;
    }
    this.#take(datagram, sizeBytes, address);
    this.pump();
  }

  /** As after a pause of the machine: all that waits in the socket is read, then timers that are due, then answers. */
  #resume(waiting: readonly Waiting[]): void {
    for (const { datagram, sizeBytes, address } of waiting) this.#take(datagram, sizeBytes, address);
    if (this.protocol.pollTimeout() <= this.#sim.now) this.#timeout();
    else this.pump();
  }

  #take(datagram: Uint8Array, sizeBytes: number, address: number): void {
    const path = this.#pathOfAddress.get(address) ?? this.#acceptPath(address);
    if (path === undefined) {
      this.statistics.unroutable++;
      return;
    }
    this.#lastPath = path;
    this.statistics.receivedDatagrams++;
    this.statistics.receivedBytes += sizeBytes;
    this.protocol.handleDatagram(datagram, path, this.#sim.now);
  }

  #acceptPath(address: number): PathId | undefined {
    return this.#listening === undefined ? undefined : this.addPath(this.#listening, address);
  }

  #timeout(): void {
    const now = this.#sim.now;
    if (this.#pauses?.isPaused === true) return;
    // A granular timer may have been armed for a deadline that has moved on since.
    if (this.protocol.pollTimeout() > now) {
      this.#arm();
      return;
    }
    this.#timeoutsNow = this.#timeoutsAtUs === now ? this.#timeoutsNow + 1 : 1;
    this.#timeoutsAtUs = now;
    if (this.#timeoutsNow > TIMEOUTS_PER_INSTANT_MAX) {
      throw new Error(`${this.name}: handleTimeout leaves its deadline in the past`);
    }
    this.statistics.timeouts++;
    this.protocol.handleTimeout(now);
    this.pump();
  }

  #arm(): void {
    if (this.#isStopped) return;
    const deadlineUs = this.protocol.pollTimeout();
    if (deadlineUs === NEVER) {
      this.#timer.disarm();
      return;
    }
    const granularityUs = this.#options.timerGranularityUs ?? 1;
    this.#timer.arm(Math.ceil(deadlineUs / granularityUs) * granularityUs);
  }
}
