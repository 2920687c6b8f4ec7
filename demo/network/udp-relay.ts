/**
 * Real datagrams over simulated links: a UDP socket that callers send to, and one towards the listener, as behind a NAT
 * with one flow. In: datagrams of one caller and of the listener. Out: the same, after what the links did to them.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { RealTimeDriver } from '../../bench/kernel/emulator/real-time.ts';
import { type Network, UDP_IPV4_HEADER_BYTES } from '../../src/sim.ts';

const HOST = '127.0.0.1';

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  // What a closed port answers (ECONNREFUSED) is for the ends to notice, not for the network.
  socket.on('error', () => {});
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

export class UdpRelay {
  readonly #driver: RealTimeDriver;
  readonly #network: Network;
  readonly #front: Socket;
  readonly #listenerPort: number;
  #back: Socket;
  #caller: RemoteInfo | undefined;

  private constructor(
    driver: RealTimeDriver,
    network: Network,
    front: Socket,
    back: Socket,
    listenerPort: number,
  ) {
    this.#driver = driver;
    this.#network = network;
    this.#front = front;
    this.#back = back;
    this.#listenerPort = listenerPort;
    front.on('message', (datagram, from) => {
      this.#caller = from;
      this.#carry(network.up, datagram);
    });
    this.#listenTo(back);
    network.up.onDeliver = (datagram) => this.#back.send(datagram, this.#listenerPort, HOST);
    network.down.onDeliver = (datagram) => {
      if (this.#caller !== undefined) this.#front.send(datagram, this.#caller.port, this.#caller.address);
    };
  }

  /** @param listenerPort Where the listener is, on this machine. */
  static async open(driver: RealTimeDriver, network: Network, listenerPort: number): Promise<UdpRelay> {
    return new UdpRelay(driver, network, await bound(), await bound(), listenerPort);
  }

  /** Where callers send to, on this machine. */
  get port(): number {
    return this.#front.address().port;
  }

  #listenTo(back: Socket): void {
    back.on('message', (datagram) => this.#carry(this.#network.down, datagram));
  }

  #carry(link: Network['up'], datagram: Buffer): void {
    this.#driver.do(() => link.send(datagram, datagram.length + UDP_IPV4_HEADER_BYTES));
  }

  /** The listener sees the caller at another port from now on, and what it sends to the old one is lost. */
  async rebind(): Promise<void> {
    const next = await bound();
    // Another rebinding may have come first.
    const old = this.#back;
    this.#listenTo(next);
    this.#back = next;
    old.close();
  }

  close(): void {
    this.#front.close();
    this.#back.close();
  }
}
