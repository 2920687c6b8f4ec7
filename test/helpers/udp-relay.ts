/**
 * A NAT on loopback: what a caller sends to it reaches the listener from another port, and back. It can give the flow
 * another outer port, or forget a caller's port for good, as devices on real paths do; lose, delay and copy datagrams; and be
 * a closed port for a while, which the system answers with ICMP.
 */
import { createSocket, type Socket } from 'node:dgram';
import { freePort } from './free-port.ts';

const HOST = '127.0.0.1';

/** Decides about each datagram, both ways: calls `forward` at once, later, more than once or never. */
export type Carry = (forward: () => void) => void;

export class UdpRelay {
  readonly #inside: Socket = createSocket('udp4');
  #target: number;
  readonly #carry: Carry;
  #isClosed = false;
  #isRefusing = false;
  /** Outer socket by inner port. */
  readonly #outer: Map<number, Socket> = new Map();
  readonly #forgotten: Set<number> = new Set();
  /** Inner ports seen. */
  readonly callers: Set<number> = new Set();

  private constructor(target: number, carry: Carry) {
    this.#target = target;
    this.#carry = carry;
    this.#inside.on('message', (message, { port }) => this.#out(message, port));
  }

  static async open(target: number, carry: Carry = (forward) => forward()): Promise<UdpRelay> {
    const relay = new UdpRelay(target, carry);
    // A port that was asked for by its number survives `disconnect` (man 7 ip); the system chooses which.
    const port = await freePort();
    await new Promise<void>((resolve, reject) => {
      relay.#inside.once('error', reject);
      relay.#inside.bind(port, HOST, resolve);
    });
    relay.#inside.removeAllListeners('error');
    return relay;
  }

  get port(): number {
    return this.#inside.address().port;
  }

  /** What callers send goes to another listener from here on; what that answers comes back. */
  redirect(port: number): void {
    this.#target = port;
  }

  #out(message: Buffer, port: number): void {
    this.callers.add(port);
    if (this.#forgotten.has(port)) return;
    let socket = this.#outer.get(port);
    if (socket === undefined) {
      socket = createSocket('udp4');
      socket.bind(0, HOST);
      socket.on('message', (answer) => {
        this.#carry(() => {
          const isGone = this.#isClosed || this.#isRefusing || this.#outer.get(port) !== socket;
          if (!isGone) this.#inside.send(answer, port, HOST);
        });
      });
      this.#outer.set(port, socket);
    }
    const outer = socket;
    this.#carry(() => {
      if (this.#outer.get(port) === outer) outer.send(message, this.#target, HOST);
    });
  }

  /**
   * The callers' port is closed to them, and nobody else can take it: a socket that is connected, here to itself, is not
   * there for others.
   */
  async refuse(): Promise<void> {
    this.#isRefusing = true;
    await new Promise<void>((resolve) => this.#inside.connect(this.port, HOST, resolve));
  }

  /** The port is open again. */
  admit(): void {
    this.#inside.disconnect();
    this.#isRefusing = false;
  }

  /** Every flow gets another outer port with its next datagram. */
  rebind(): void {
    for (const socket of this.#outer.values()) socket.close();
    this.#outer.clear();
  }

  /** Nothing passes for the ports of this moment any more, either way. */
  forget(): void {
    for (const port of this.callers) this.#forgotten.add(port);
    this.rebind();
  }

  close(): void {
    this.#isClosed = true;
    this.rebind();
    this.#inside.close();
  }
}
