/**
 * The sockets of one driver: a listener's one, or a caller's one and, while its path is silent, a second one on a fresh
 * port. In: paths asked for and given back. Out: the socket of a path, datagrams with their path. Source: DESIGN D10.
 */
import type { PathId } from '../base/protocol.ts';
import type { PathKeeper } from '../path/path-set.ts';
import { CONNECTED_PATH } from './paths.ts';
import { BATCHES_MAX, SEND_QUEUE_MAX, type SocketEvents, type SocketOptions, UdpSocket } from './socket.ts';

export class Sockets implements PathKeeper {
  readonly #options: SocketOptions;
  readonly #events: SocketEvents;
  #main!: UdpSocket;
  /** A caller's sockets by path; empty for a listener, whose paths are its peers' addresses. */
  readonly #byPath: Map<PathId, UdpSocket> = new Map();
  /** All of them, for what is asked per datagram. */
  #open: readonly UdpSocket[] = [];
  #nextPath: PathId = CONNECTED_PATH;
  #isClosed = false;

  private constructor(options: SocketOptions, events: SocketEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Opens the first socket. Rejects as `UdpSocket.open`. */
  static async open(options: SocketOptions, events: SocketEvents): Promise<Sockets> {
    const sockets = new Sockets(options, events);
    if (options.remote === undefined) sockets.#main = await UdpSocket.open(options, events);
    else await sockets.openFresh();
    sockets.#list();
    return sockets;
  }

  /** Caller: one more socket to the same peer, on a port that the system chooses. Returns its path; rejects as the first. */
  async openFresh(): Promise<PathId> {
    const path = this.#nextPath++;
    const socket = await UdpSocket.open({ ...this.#options, path }, this.#events);
    if (this.#isClosed) socket.close();
    else this.#byPath.set(path, socket);
    if (this.#byPath.size === 1) this.#main = socket;
    this.#list();
    return path;
  }

  #list(): void {
    this.#open = this.#byPath.size === 0 ? [this.#main] : [...this.#byPath.values()];
  }

  /** The listener's socket, or the caller's newest that is in use. */
  get main(): UdpSocket {
    return this.#main;
  }

  /** The socket that datagrams on `path` leave by. */
  of(path: PathId): UdpSocket {
    return this.#byPath.size < 2 ? this.#main : (this.#byPath.get(path) ?? this.#main);
  }

  claim(path: PathId): PathId {
    return this.#options.remote === undefined ? this.#main.paths.claim(path) : path;
  }

  release(path: PathId): void {
    if (this.#options.remote === undefined) {
      this.#main.paths.release(path);
      return;
    }
    // The last one is closed with the driver: a close may have to be confirmed once more.
    if (this.#byPath.size < 2) return;
    this.#byPath.get(path)?.close();
    this.#byPath.delete(path);
    for (const socket of this.#byPath.values()) this.#main = socket;
    this.#list();
  }

  isSameHost(a: PathId, b: PathId): boolean {
    if (this.#options.remote === undefined) {
      const { paths } = this.#main;
      return paths.addressOf(a)?.host === paths.addressOf(b)?.host;
    }
    return this.#byPath.get(a)?.address.host === this.#byPath.get(b)?.address.host;
  }

  addressOf(path: PathId): Uint8Array {
    const address = this.#main.paths.addressOf(path);
    return Buffer.from(address === undefined ? '' : `${address.host} ${address.port}`);
  }

  /** True while the kernel cannot take more: the driver pauses, or it would write over datagrams that still wait. */
  get isFull(): boolean {
    return this.#queued >= SEND_QUEUE_MAX;
  }

  /** True while too many batches wait: their buffers are still in use. */
  get isBatchFull(): boolean {
    return this.#queued >= BATCHES_MAX - 2;
  }

  /** Datagrams that wait, whichever socket they leave by: the driver's buffers are for all. */
  get #queued(): number {
    let queued = 0;
    for (let i = 0; i < this.#open.length; i++) queued += (this.#open[i] as UdpSocket).queued;
    return queued;
  }

  close(): void {
    this.#isClosed = true;
    this.#main.close();
    for (const socket of this.#byPath.values()) socket.close();
  }
}
