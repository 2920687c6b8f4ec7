/** A listening and a dialing endpoint in memory, without a network between them: what routes and accepts, under test. */
import { MILLISECOND, type Micros } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Connection } from '../../src/connection/connection.ts';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import { localParameters } from '../../src/connection/options.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { type AcceptOptions, Endpoint, type SharedOptions } from '../../src/endpoint.ts';
import { codec } from '../../src/fec/kernel.ts';
import { MediaController } from '../../src/rate/media.ts';

/** What both endpoints are made with. */
export function shared(seed: number): SharedOptions {
  return {
    parameters: localParameters({}),
    crypto: plainCrypto,
    random: new SeededRandom(seed),
    codec,
    controller: () => new MediaController({ startBitrateBps: 500_000 }),
    handshakeTimeoutUs: 10_000 * MILLISECOND,
    keepAliveUs: 15_000 * MILLISECOND,
    datagramBytesMax: 1452,
  };
}

/** A listening and a dialing endpoint, each with one socket, without delay between them. */
export class Bench {
  readonly server: Endpoint;
  readonly caller: Endpoint = new Endpoint(shared(1));
  readonly accepted: Connection[] = [];
  readonly events: Map<Connection, ConnectionEvent[]> = new Map();
  readonly #out: Uint8Array = new Uint8Array(2048);
  now: Micros = 1_000_000;

  constructor(accept: Partial<AcceptOptions> = {}) {
    this.server = new Endpoint(shared(2), {
      onAccept: (connection) => this.accepted.push(connection),
      ...accept,
    });
  }

  dial(): Connection {
    return this.caller.dial({ handshake: new PlainHandshake({ isServer: false }), path: 0 }, this.now);
  }

  /** One datagram of `connection`, or undefined. */
  poll(connection: Connection): Uint8Array | undefined {
    this.#drain(connection);
    const size = connection.pollTransmit(this.#out, this.now);
    this.#drain(connection);
    return size === 0 ? undefined : this.#out.slice(0, size);
  }

  #drain(connection: Connection): void {
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
      const events = this.events.get(connection) ?? [];
      this.events.set(connection, events);
      events.push(event);
      if (event.type === 'incoming')
        connection.attachHandshake(new PlainHandshake({ isServer: true }), this.now);
    }
  }

  /** Carries datagrams both ways until nobody has any, and time on, for `ms`. */
  run(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.now += MILLISECOND;
      for (const connection of this.all())
        if (connection.pollTimeout() <= this.now) connection.handleTimeout(this.now);
      for (let isBusy = true; isBusy; ) {
        isBusy = false;
        for (const connection of this.all()) {
          for (let bytes = this.poll(connection); bytes !== undefined; bytes = this.poll(connection)) {
            isBusy = true;
            const target = this.accepted.includes(connection) ? this.caller : this.server;
            target.handleDatagram(bytes, 0, this.now);
          }
        }
      }
      for (const connection of this.all()) {
        if (connection.isDrained)
          (this.accepted.includes(connection) ? this.server : this.caller).remove(connection);
      }
    }
  }

  all(): Connection[] {
    const all: Connection[] = [];
    for (const endpoint of [this.caller, this.server]) {
      for (let slot = 0; slot < 64; slot++) {
        const connection = endpoint.connectionAt(slot);
        if (connection !== undefined) all.push(connection);
      }
    }
    return all;
  }

  types(connection: Connection): string[] {
    return (this.events.get(connection) ?? []).map((event) => event.type);
  }
}
