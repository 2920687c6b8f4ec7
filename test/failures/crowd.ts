/**
 * Whole endpoints in virtual time: many connections behind one simulated socket, callers from any address. In: a network,
 * a seed. Out: calls, what the listener holds, where its answers go.
 */
import { Deadlines } from '../../src/base/deadlines.ts';
import { type Micros, type PathId, type Protocol, SECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Connection } from '../../src/connection/connection.ts';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import { localParameters } from '../../src/connection/options.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { type DialOptions, Endpoint, type SharedOptions, UNPROVEN_MAX } from '../../src/endpoint.ts';
import { codec } from '../../src/fec/kernel.ts';
import { MediaController } from '../../src/rate/media.ts';
import { connectHosts, Network, type NetworkSpec } from '../../src/sim/network.ts';
import { ProtocolHost } from '../../src/sim/protocol-host.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { isRetry } from '../../src/wire/retry.ts';

/** What one of the connections was told. */
export interface CrowdEvent {
  readonly connection: Connection;
  readonly event: ConnectionEvent;
}

/** The least that a driver does around an endpoint, as one protocol. */
export class EndpointProtocol implements Protocol<CrowdEvent> {
  readonly endpoint: Endpoint;
  readonly live: Set<Connection> = new Set();
  /** Calls that were taken so far. */
  begun = 0;
  /** Where the datagram that was written last goes. */
  path: PathId = 0;
  readonly #dirty: Set<Connection> = new Set();
  readonly #deadlines: Deadlines = new Deadlines();
  readonly #events: CrowdEvent[] = [];

  /** @param unprovenMax Of a listener, from how many handshakes under way on it asks for a token; undefined: it calls. */
  constructor(shared: SharedOptions, unprovenMax: number | undefined) {
    const onAccept = (connection: Connection): void => {
      this.begun++;
      this.live.add(connection);
    };
    this.endpoint = new Endpoint(shared, unprovenMax === undefined ? undefined : { onAccept, unprovenMax });
  }

  dial(options: DialOptions, now: Micros): Connection {
    const connection = this.endpoint.dial(options, now);
    this.live.add(connection);
    this.touch(connection);
    return connection;
  }

  /** The application has called something on it. */
  touch(connection: Connection): void {
    this.#dirty.add(connection);
  }

  handleDatagram(datagram: Uint8Array, path: PathId, now: Micros): void {
    const connection = this.endpoint.handleDatagram(datagram, path, now);
    if (connection !== undefined) this.#dirty.add(connection);
    this.#drainEvents(now);
  }

  handleTimeout(now: Micros): void {
    for (let slot = this.#deadlines.takeDue(now); slot >= 0; slot = this.#deadlines.takeDue(now)) {
      const connection = this.endpoint.connectionAt(slot);
      if (connection === undefined) continue;
      connection.handleTimeout(now);
      this.#dirty.add(connection);
    }
    this.#drainEvents(now);
  }

  #drainEvents(now: Micros): void {
    for (const connection of this.#dirty) {
      for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
        if (event.type === 'incoming')
          connection.attachHandshake(new PlainHandshake({ isServer: true }), now);
        this.#events.push({ connection, event });
      }
    }
  }

  pollTransmit(out: Uint8Array, now: Micros): number {
    const reply = this.endpoint.pollReply(out);
    if (reply > 0) {
      this.path = this.endpoint.replyPath;
      return reply;
    }
    for (const connection of this.#dirty) {
      const size = connection.pollTransmit(out, now);
      if (size > 0) {
        this.path = connection.path;
        return size;
      }
      this.#dirty.delete(connection);
      this.#deadlines.set(
        connection.slot,
        connection.isDrained ? Number.POSITIVE_INFINITY : connection.pollTimeout(),
      );
      if (!connection.isDrained) continue;
      this.live.delete(connection);
      this.endpoint.remove(connection);
    }
    return 0;
  }

  pollTimeout(): Micros {
    return this.#deadlines.next;
  }

  pollEvent(): CrowdEvent | undefined {
    return this.#events.shift();
  }
}

/** One end with its simulated socket. */
export interface CrowdEnd {
  readonly protocol: EndpointProtocol;
  readonly host: ProtocolHost<CrowdEvent>;
  onEvent: (event: CrowdEvent) => void;
}

/** A listener and callers. */
export class Crowd {
  readonly sim: Simulator;
  readonly network: Network;
  readonly server: CrowdEnd;
  readonly client: CrowdEnd;

  /** @param unprovenMax Handshakes under way from which on the listener asks callers for a token. */
  constructor(seed: number, network: NetworkSpec, unprovenMax: number = UNPROVEN_MAX) {
    this.sim = new Simulator({ seed });
    this.network = new Network(this.sim, network);
    this.client = this.#end('callers', undefined);
    this.server = this.#end('listener', unprovenMax);
    connectHosts(this.client.host, this.server.host, this.network);
    this.client.host.start();
  }

  #end(name: string, unprovenMax: number | undefined): CrowdEnd {
    const host = (): ProtocolHost<CrowdEvent> => end.host;
    const shared = sharedOptions(this.sim.random.fork(), (path) => host().addressOf(path) ?? 0);
    const protocol = new EndpointProtocol(shared, unprovenMax);
    const end: { -readonly [K in keyof CrowdEnd]: CrowdEnd[K] } = {
      protocol,
      host: undefined as unknown as ProtocolHost<CrowdEvent>,
      onEvent: () => {},
    };
    end.host = new ProtocolHost<CrowdEvent>(this.sim, protocol, {
      name,
      transmitPath: () => protocol.path,
      onEvent: (event) => end.onEvent(event),
    });
    return end;
  }

  /** One more caller. */
  call(): Connection {
    const { protocol, host } = this.client;
    return host.call((now) =>
      protocol.dial({ handshake: new PlainHandshake({ isServer: false }), path: 0 }, now),
    );
  }

  run(ms: number): void {
    this.sim.run(this.sim.now + ms * 1_000);
  }
}

/** Makes first packets that are in order, and answers a Retry if it is to; whatever follows, it is silent. */
export class Forger {
  readonly #endpoint: Endpoint;
  readonly #calls: Map<number, Connection> = new Map();
  readonly #out: Uint8Array = new Uint8Array(2_048);

  constructor(seed: number) {
    this.#endpoint = new Endpoint(sharedOptions(new SeededRandom(seed), () => 0));
  }

  /** The first packet of one more caller. */
  first(address: number, now: Micros): Uint8Array {
    const call = this.#endpoint.dial({ handshake: new PlainHandshake({ isServer: false }), path: 0 }, now);
    this.#calls.set(address, call);
    return this.#say(call, now);
  }

  /** What that caller says to a Retry: the first packet again, with the token. It is never heard of after that. */
  answer(datagram: Uint8Array, address: number, now: Micros): Uint8Array | undefined {
    const call = this.#calls.get(address);
    if (call === undefined) return undefined;
    this.#endpoint.handleDatagram(datagram.slice(), 0, now);
    const said = isRetry(datagram) ? this.#say(call, now) : undefined;
    this.forget(address);
    return said;
  }

  /** That caller will hear nothing. */
  forget(address: number): void {
    const call = this.#calls.get(address);
    if (call !== undefined) this.#endpoint.remove(call);
    this.#calls.delete(address);
  }

  #say(call: Connection, now: Micros): Uint8Array {
    return this.#out.slice(0, call.pollTransmit(this.#out, now));
  }
}

function sharedOptions(random: SeededRandom, addressOf: (path: PathId) => number): SharedOptions {
  return {
    parameters: localParameters({}),
    crypto: plainCrypto,
    random,
    codec,
    controller: () => new MediaController({ startBitrateBps: 4_000_000 }),
    handshakeTimeoutUs: 10 * SECOND,
    keepAliveUs: 15 * SECOND,
    datagramBytesMax: 1452,
    paths: {
      claim: (path) => path,
      release() {},
      isSameHost: (a, b) => addressOf(a) >>> 16 === addressOf(b) >>> 16,
      addressOf: (path) => Uint8Array.from(String(addressOf(path)), (digit) => digit.charCodeAt(0)),
    },
  };
}
