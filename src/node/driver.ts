/**
 * The whole IO driver: receive, events, transmit, re-arm one timer. Moves bytes and time between UDP sockets and the
 * sans-IO endpoint; decides nothing. Source: ARCHITECTURE.md.
 */
import { Deadlines } from '../base/deadlines.ts';
import { type Micros, NEVER, type PathId } from '../base/protocol.ts';
import type { Connection } from '../connection/connection.ts';
import type { ConnectionEvent } from '../connection/events.ts';
import { type DialOptions, Endpoint, type SharedOptions } from '../endpoint.ts';
import type { PathKeeper } from '../path/path-set.ts';
import { type Deferred, deferred } from './deferred.ts';
import { SEGMENT_BYTES, SEGMENTS_MAX } from './fast-socket.ts';
import { INTERFACE_POLL_MS, isAddressGone } from './interfaces.ts';
import { debug } from './log.ts';
import type { Address } from './paths.ts';
import { type SocketOptions, UdpSocket } from './socket.ts';
import { Sockets } from './sockets.ts';

/** Room for the largest datagram this implementation sends, and a power of two. */
const SLOT_BYTES = 2048;
/** Datagrams of one connection before the next one has its turn. */
const BATCH = 64;
/** Room for a full batch and one datagram more. */
const BATCH_BYTES = 65_536;
/** A timer is never set beyond this: setTimeout overflows at 2^31 ms. */
const TIMER_MS_MAX = 3_600_000;

/** How often a caller without a network tries to open a socket: what its media wait for once the network is back. */
const REOPEN_MS = 250;

/** Now, in the unit and on the clock of the core. */
export function nowUs(): Micros {
  return Math.round(performance.now() * 1000);
}

/** What the application's side of a connection is told. */
export interface ConnectionHandler {
  onEvent(event: ConnectionEvent, now: Micros): void;
  /** ICMP says that datagrams to the peer did not arrive. @param code As a system call's, `ECONNREFUSED` for a closed port. */
  onIcmp(code: string): void;
}

/** What makes a driver listen. */
export interface Accept {
  /** Called for each caller. */
  onCaller(connection: Connection, address: string): ConnectionHandler;
  /** See `AcceptOptions` of the endpoint. */
  readonly resetKey?: Uint8Array | undefined;
}

export class Driver {
  readonly #endpoint: Endpoint;
  #sockets!: Sockets;
  readonly #handlers: Map<Connection, ConnectionHandler> = new Map();
  readonly #deadlines: Deadlines = new Deadlines();
  readonly #dirty: Set<Connection> = new Set();
  readonly #slots: Buffer[] = [];
  #slotAt = 0;
  readonly #batches: Buffer[] = [];
  #batchAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAtUs: Micros = NEVER;
  #isFlushScheduled = false;
  #isClosed = false;
  /** Caller: looks whether the address that it sends from still exists. */
  #interfaceTimer: NodeJS.Timeout | undefined;
  #closesWhenIdle = false;
  readonly #closed: Deferred<void> = deferred();
  /** The sockets are not there yet when the endpoint is made. */
  readonly #keeper: PathKeeper = {
    claim: (path) => this.#sockets.claim(path),
    release: (path) => this.#sockets.release(path),
    isSameHost: (a, b) => this.#sockets.isSameHost(a, b),
    addressOf: (path) => this.#sockets.addressOf(path),
  };
  readonly #acceptance: Accept | undefined;

  private constructor(shared: SharedOptions, accept: Accept | undefined) {
    this.#acceptance = accept;
    this.#endpoint = new Endpoint(
      { ...shared, paths: this.#keeper },
      accept === undefined
        ? undefined
        : { onAccept: (connection) => this.#accept(connection), resetKey: accept.resetKey },
    );
    const slab = Buffer.allocUnsafeSlow(UdpSocket.slots * SLOT_BYTES);
    for (let i = 0; i < UdpSocket.slots; i++)
      this.#slots.push(slab.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES));
  }

  /** Opens the socket. @param accept Without it the endpoint only dials. */
  static async open(socket: SocketOptions, shared: SharedOptions, accept?: Accept): Promise<Driver> {
    const driver = new Driver(shared, accept);
    driver.#sockets = await Sockets.open(socket, {
      onDatagram: (datagram, path) => driver.#receive(datagram, path),
      onUnanswerable: () => {
        driver.#endpoint.counters.unroutable++;
      },
      onIcmp: ({ code = '' }) => {
        debug(`ICMP error: ${code}`);
        for (const handler of driver.#handlers.values()) handler.onIcmp(code);
      },
      onError: (error) => debug(`socket error: ${error.message}`),
    });
    if (socket.remote !== undefined) driver.#watchInterfaces();
    if (driver.#sockets.main.canBatch) {
      for (let i = 0; i < UdpSocket.batches; i++) driver.#batches.push(Buffer.allocUnsafeSlow(BATCH_BYTES));
    }
    return driver;
  }

  get socket(): UdpSocket {
    return this.#sockets.main;
  }

  /** The peer's address, where datagrams of `connection` go now. */
  addressOf(connection: Connection): Address {
    const path = connection.activePath;
    return this.#sockets.of(path).paths.describe(path);
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** Calls. @param startedUs When the attempt began: its timeout counts from there. */
  dial(
    options: DialOptions,
    startedUs: Micros,
    handler: (connection: Connection) => ConnectionHandler,
  ): Connection {
    const connection = this.#endpoint.dial(options, startedUs);
    this.#handlers.set(connection, handler(connection));
    this.wake(connection);
    return connection;
  }

  #accept(connection: Connection): void {
    const address = this.socket.paths.describe(connection.path).host;
    const handler = this.#acceptance?.onCaller(connection, address);
    if (handler !== undefined) this.#handlers.set(connection, handler);
  }

  /** The application, or TLS, did something on `connection`: it is driven once the current turn is over. */
  wake(connection: Connection): void {
    this.#dirty.add(connection);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #watchInterfaces(): void {
    this.#interfaceTimer = setInterval(() => {
      for (const connection of this.#handlers.keys()) {
        if (!isAddressGone(this.#sockets.of(connection.activePath).address.host)) continue;
        connection.migrate(nowUs());
        this.wake(connection);
      }
    }, INTERFACE_POLL_MS);
    this.#interfaceTimer.unref();
  }

  /**
   * A connection's path is silent: a fresh port for it, while it goes on with the one it has. While this machine has no
   * network at all, its return is looked for: a try costs two system calls, and sends nothing.
   */
  async #openPath(connection: Connection): Promise<void> {
    let path: PathId;
    try {
      path = await this.#sockets.openFresh();
    } catch (error) {
      debug(`no second socket: ${(error as Error).message}`);
      setTimeout(() => {
        if (this.#isClosed || this.#endpoint.connectionAt(connection.slot) !== connection) return;
        if (connection.pathFailed()) void this.#openPath(connection);
      }, REOPEN_MS).unref();
      return;
    }
    if (this.#endpoint.connectionAt(connection.slot) !== connection) {
      this.#sockets.release(path);
      return;
    }
    connection.openedPath(path, nowUs());
    this.wake(connection);
  }

  #receive(datagram: Uint8Array, path: PathId): void {
    const connection = this.#endpoint.handleDatagram(datagram, path, nowUs());
    if (connection !== undefined) this.#dirty.add(connection);
    // After every datagram of this poll of the event loop has been taken in: answers are made once, not per datagram.
    this.#scheduleFlush();
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    if (this.#isClosed) return;
    const now = nowUs();
    this.#sendReplies();
    // A copy: whoever has more to send is put back for the next turn.
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    for (const connection of dirty) this.#drive(connection, now);
    this.#arm(now);
  }

  #drive(connection: Connection, now: Micros): void {
    // An application, or TLS, may wake what has been forgotten: its slot and its path may be another's by now.
    if (this.#endpoint.connectionAt(connection.slot) !== connection) return;
    this.#deliverEvents(connection, now);
    const isBatched =
      this.#batches.length > 0 &&
      this.#sockets.of(connection.path).canBatch &&
      connection.datagramBytes === SEGMENT_BYTES;
    const isPaused = !(isBatched ? this.#transmitBatched(connection, now) : this.#transmit(connection, now));
    this.#deadlines.set(connection.slot, isPaused ? now + 1000 : connection.pollTimeout());
    // Writing tells things too: what was given up for being late, what has left.
    this.#deliverEvents(connection, now);
    if (connection.isDrained) this.#forget(connection);
  }

  #deliverEvents(connection: Connection, now: Micros): void {
    const handler = this.#handlers.get(connection);
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
      if (event.type === 'path-wanted') void this.#openPath(connection);
      else handler?.onEvent(event, now);
    }
  }

  /**
   * As `#transmit`, many datagrams per system call: full ones gather until one is not full, or the batch is. Only for
   * connections whose full datagrams have the size that the kernel cuts at.
   */
  #transmitBatched(connection: Connection, now: Micros): boolean {
    let sent = 0;
    while (sent < BATCH) {
      const { path } = connection;
      const socket = this.#sockets.of(path);
      if (this.#sockets.isBatchFull) return false;
      const slab = this.#batches[this.#batchAt] as Buffer;
      let filled = 0;
      let size = SEGMENT_BYTES;
      let isElsewhere = false;
      while (size === SEGMENT_BYTES && filled < SEGMENTS_MAX * SEGMENT_BYTES) {
        size = connection.pollTransmit(filled === 0 ? slab : slab.subarray(filled), now);
        isElsewhere = connection.path !== path;
        if (isElsewhere) break;
        filled += size;
        sent++;
      }
      if (filled === 0 && size === 0) return true;
      this.#batchAt = (this.#batchAt + 1) % this.#batches.length;
      if (filled > SEGMENT_BYTES) socket.sendBatch(slab, filled, path);
      else if (filled > 0) socket.send(slab, filled, path);
      // What goes another way travels alone, from where it lies behind the batch.
      if (isElsewhere) this.#sockets.of(connection.path).send(slab.subarray(filled), size, connection.path);
      else if (size === 0) return true;
    }
    this.#dirty.add(connection);
    this.#scheduleFlush();
    return true;
  }

  /** Sends what the connection has. False when the kernel's buffer is full: the rest waits a millisecond. */
  #transmit(connection: Connection, now: Micros): boolean {
    for (let sent = 0; sent < BATCH; sent++) {
      // Before each one: a paced sender never has a whole turn's datagrams, and many of those fill the queue as well.
      if (this.#sockets.isFull) return false;
      const slot = this.#slots[this.#slotAt] as Buffer;
      const size = connection.pollTransmit(slot, now);
      if (size === 0) return true;
      this.#slotAt = (this.#slotAt + 1) % this.#slots.length;
      this.#sockets.of(connection.path).send(slot, size, connection.path);
    }
    // More to send: after the event loop has had its turn, or a fast sender would never read.
    this.#dirty.add(connection);
    this.#scheduleFlush();
    return true;
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Replies are lost where there is no room: a path number may be another address's by the time there is. */
  #sendReplies(): void {
    for (;;) {
      const slot = this.#slots[this.#slotAt] as Buffer;
      const size = this.#endpoint.pollReply(slot);
      if (size === 0) return;
      if (this.#sockets.isFull) continue;
      this.#slotAt = (this.#slotAt + 1) % this.#slots.length;
      this.#sockets.main.send(slot, size, this.#endpoint.replyPath);
    }
  }

  #arm(now: Micros): void {
    const next = this.#deadlines.next;
    if (next === this.#timerAtUs && this.#timer !== undefined) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtUs = next;
    if (next === NEVER) return;
    const waitMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil((next - now) / 1000)));
    this.#timer = setTimeout(() => this.#onTimer(), waitMs);
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#timerAtUs = NEVER;
    const now = nowUs();
    for (let slot = this.#deadlines.takeDue(now); slot >= 0; slot = this.#deadlines.takeDue(now)) {
      const connection = this.#endpoint.connectionAt(slot);
      if (connection === undefined) continue;
      connection.handleTimeout(now);
      this.#dirty.add(connection);
    }
    this.#flush();
  }

  #forget(connection: Connection): void {
    this.#deadlines.set(connection.slot, NEVER);
    this.#handlers.delete(connection);
    this.#endpoint.remove(connection);
    this.#closeIfIdle();
  }

  /** Forgets callers without keys: nobody waits for them. What they are to be told has left by the next turn. */
  forgetCallers(): void {
    this.#flush();
    for (const connection of [...this.#handlers.keys()]) {
      if (connection.state.keys === undefined) this.#forget(connection);
    }
  }

  /** Closes the socket as soon as no connection is left. */
  closeWhenIdle(): void {
    this.#closesWhenIdle = true;
    this.#closeIfIdle();
  }

  /** Fulfilled when the socket is closed: the port is free. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  #closeIfIdle(): void {
    if (this.#closesWhenIdle && this.#handlers.size === 0) this.closeNow();
  }

  /** Closes the socket at once. */
  closeNow(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    clearInterval(this.#interfaceTimer);
    this.#sockets.close();
    this.#closed.resolve();
  }
}
