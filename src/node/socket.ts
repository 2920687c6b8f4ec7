/**
 * One UDP socket: addresses become path numbers on the way in, and addresses again on the way out.
 * In: datagrams from the kernel, datagrams of the driver. Out: the same the other way, errors, buffer sizes.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { TransportError } from '../base/errors.ts';
import type { PathId } from '../base/protocol.ts';
import { keepPort, openFastSocket } from './fast-socket.ts';
import { FaultInjector, type FaultOptions } from './faults.ts';
import { debug, logOnce } from './log.ts';
import { type Address, CONNECTED_PATH, PathTable } from './paths.ts';

/** What is asked of the kernel per direction: 100 ms at 300 Mbit/s. Linux gives 208 KiB by default. */
const SOCKET_BUFFER_BYTES = 4_194_304;
/** Datagrams that wait in libuv because the kernel's buffer is full; beyond it the driver pauses. */
export const SEND_QUEUE_MAX = 192;
/** Batches under way: 1 MiB. */
export const BATCHES_MAX = 16;

/**
 * An interface, or a kernel, that cannot cut a batch (udp_send_skb of Linux). Other errors are about this one peer or
 * moment (ENOBUFS, ENETUNREACH, EPERM): that is loss, and no reason to send singly to everybody for good.
 */
const CANNOT_SEGMENT: ReadonlySet<string> = new Set(['EIO', 'EINVAL', 'EMSGSIZE']);

export interface SocketOptions {
  /** Address to bind; undefined: any. */
  readonly host?: string | undefined;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly family: 4 | 6;
  /** Connect to this peer only: closed ports then surface as ECONNREFUSED. */
  readonly remote?: Address | undefined;
  /** What datagrams of a connected socket are said to have come on. */
  readonly path?: PathId | undefined;
  readonly faults?: FaultOptions | undefined;
}

type OnSent = (error: NodeJS.ErrnoException | null) => void;

/** What the owner of a socket hears. */
export interface SocketEvents {
  onDatagram(datagram: Uint8Array, path: PathId): void;
  /** A datagram from port 0 was dropped: it is valid (RFC 768), but nothing can be sent back to it, and nobody means it well. */
  onUnanswerable(): void;
  /**
   * ICMP said that a datagram did not arrive: `ECONNREFUSED` that nobody listens there, others such as `EHOSTUNREACH` that a
   * firewall or router turned it away. Connected sockets only: an unconnected one is not told which peer it is about, and
   * Linux tells it nothing at all.
   */
  onIcmp(error: NodeJS.ErrnoException): void;
  onError(error: Error): void;
}

export class UdpSocket {
  readonly #socket: Socket;
  /** Which path numbers stand for which remote addresses. */
  readonly paths: PathTable = new PathTable();
  readonly #faults: FaultInjector | undefined;
  readonly #isConnected: boolean;
  readonly #path: PathId;
  /** Our own address, once bound and connected; it stays known when the socket is closed. */
  address: Address = { host: '', port: 0 };
  #isClosed = false;
  /** The kernel cuts a large send into datagrams of `SEGMENT_BYTES`. */
  canBatch = false;

  private constructor(options: SocketOptions) {
    this.#faults = options.faults === undefined ? undefined : new FaultInjector(options.faults);
    this.#isConnected = options.remote !== undefined;
    this.#path = options.path ?? CONNECTED_PATH;
    this.#socket = createSocket({
      type: options.family === 4 ? 'udp4' : 'udp6',
      // Addresses are always numeric here. A synchronous answer keeps send() from deferring by a tick, after which
      // a reused buffer would hold other bytes.
      lookup: (host, _options, callback) => callback(null, host, options.family),
    });
  }

  /**
   * Binds (and connects) a socket. Rejects with ERR_MILLRACE_ADDRESS if it cannot be bound, with ERR_MILLRACE_UNREACHABLE if
   * this machine has no way to the peer now.
   */
  static async open(options: SocketOptions, events: SocketEvents): Promise<UdpSocket> {
    const udp = new UdpSocket(options);
    const socket = udp.#socket;
    // Faults befall single datagrams, so they are sent singly.
    const fd =
      options.faults === undefined ? openFastSocket(options.family, options.host, options.port) : undefined;
    udp.canBatch = fd !== undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        const bound = (): void => {
          if (options.remote === undefined) resolve();
          else connectTo(socket, options.remote, resolve, reject);
        };
        const { port, host } = options;
        if (fd !== undefined) socket.bind({ fd }, bound);
        else socket.bind({ port, ...(host === undefined ? {} : { address: host }) }, bound);
      });
    } catch (error) {
      socket.close();
      throw error instanceof TransportError ? error : bindError(options, error);
    }
    socket.removeAllListeners('error');
    if (fd !== undefined) keepPort(fd);
    if (options.remote !== undefined) udp.paths.connect(options.remote);
    const { address: host, port } = socket.address();
    udp.address = { host, port };
    socket.on('message', (message, remote) => {
      if (remote.port === 0) events.onUnanswerable();
      else events.onDatagram(message, udp.#pathOf(remote));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Reading fails of nothing else: the kernel keeps what ICMP said for whichever system call comes next.
      if (udp.#isConnected && error.syscall === 'recvmsg') events.onIcmp(error);
      else events.onError(error);
    });
    udp.#askForBuffers();
    return udp;
  }

  /** Datagrams, and batches, that wait in libuv because the kernel's buffer is full. */
  get queued(): number {
    return this.#socket.getSendQueueCount();
  }

  /** Datagrams a caller may keep unsent buffers for: as many as may wait, and some more. */
  static readonly slots: number = SEND_QUEUE_MAX + 64;

  /** Sends `slot[0, size)`. The buffer must stay untouched until `UdpSocket.slots` more datagrams have been sent. */
  send(slot: Buffer, size: number, path: PathId): void {
    if (this.#isClosed) return;
    if (this.#faults !== undefined) {
      const datagram = slot.subarray(0, size);
      const times = this.#faults.pass(datagram, (copy) => this.#send(Buffer.from(copy), copy.length, path));
      for (let i = 0; i < times; i++) this.#send(Buffer.from(datagram), size, path);
      return;
    }
    this.#send(slot, size, path);
  }

  #send(slot: Buffer, size: number, path: PathId): void {
    if (this.#isClosed) return;
    this.#hand(slot, size, path, undefined);
  }

  /** Gives it to the kernel. What dgram refuses by throwing is lost like any other datagram: a stranger may have chosen where to. */
  #hand(bytes: Buffer, size: number, path: PathId, onSent: OnSent | undefined): void {
    try {
      if (this.#isConnected) {
        this.#socket.send(bytes, 0, size, onSent);
        return;
      }
      const address = this.paths.addressOf(path);
      if (address !== undefined) this.#socket.send(bytes, 0, size, address.port, address.host, onSent);
    } catch (error) {
      debug(`not sent: ${(error as Error).message}`);
    }
  }

  readonly #onBatchSent: OnSent = (error) => {
    // What was in the batch is lost like any other datagram; where it could not be cut, it was the last.
    if (error !== null && CANNOT_SEGMENT.has(error.code ?? '')) this.canBatch = false;
  };

  /** How many buffers for batches a caller takes in turn. */
  static readonly batches: number = BATCHES_MAX;

  /** Sends `slab[0, size)` as datagrams of `SEGMENT_BYTES`, the last one what is left. */
  sendBatch(slab: Buffer, size: number, path: PathId): void {
    if (this.#isClosed) return;
    this.#hand(slab, size, path, this.#onBatchSent);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  #pathOf(remote: RemoteInfo): PathId {
    return this.#isConnected ? this.#path : this.paths.pathOf(remote.address, remote.port);
  }

  #askForBuffers(): void {
    try {
      this.#socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
      this.#socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
      // Linux reports twice what it grants, for its own bookkeeping.
      const granted = Math.min(this.#socket.getRecvBufferSize(), this.#socket.getSendBufferSize());
      if (granted >= SOCKET_BUFFER_BYTES) return;
      logOnce(
        'buffers',
        `socket buffers of ${granted} bytes instead of ${SOCKET_BUFFER_BYTES}: bursts may be lost in this host; ` +
          `raise them with: sysctl -w net.core.rmem_max=${SOCKET_BUFFER_BYTES} net.core.wmem_max=${SOCKET_BUFFER_BYTES}`,
      );
    } catch {
      // Some systems refuse the call; the default buffers then stay.
    }
  }
}

/** Gives a bound socket its one peer, or says why there is no way to it. */
function connectTo(
  socket: Socket,
  { host, port }: Address,
  resolve: () => void,
  reject: (error: Error) => void,
): void {
  // dgram hands the error to the very callback that also tells of success.
  socket.connect(port, host, (error?: NodeJS.ErrnoException) => {
    if (error === undefined) resolve();
    else reject(unreachableError(host, error));
  });
}

function unreachableError(host: string, cause: NodeJS.ErrnoException): TransportError {
  const why =
    cause.code === 'EACCES' || cause.code === 'EPERM'
      ? `this machine may not send to ${host}`
      : `this machine has no way to ${host} now (${cause.code})`;
  return new TransportError('ERR_MILLRACE_UNREACHABLE', `${why}: check its network, routes and VPN`, {
    cause,
  });
}

function bindError(options: SocketOptions, cause: unknown): TransportError {
  const { code } = cause as NodeJS.ErrnoException;
  const where = `${options.host ?? (options.family === 4 ? '0.0.0.0' : '[::]')}:${options.port}`;
  const what =
    code === 'EADDRINUSE'
      ? `${where} is in use; choose another port or stop the program that has it`
      : code === 'EADDRNOTAVAIL'
        ? `${where} is no address of this machine; leave the host empty to listen on all of them`
        : code === 'EACCES'
          ? `no permission to bind ${where}; choose a port above 1023`
          : `cannot use ${where}: ${(cause as Error).message}`;
  return new TransportError('ERR_MILLRACE_ADDRESS', what, { cause });
}
