/**
 * A live call between two endpoints, driven by hand in virtual time, with the real AEAD; and whatever attacks them:
 * datagrams from anywhere, and callers with the right keys who send damaged frames. Nothing here may throw.
 */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { localParameters } from '../../src/connection/options.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import type { CryptoProvider, PacketProtection } from '../../src/crypto/protection.ts';
import { Endpoint, type SharedOptions } from '../../src/endpoint.ts';
import { codec } from '../../src/fec/kernel.ts';
import { bestCrypto } from '../../src/node/seal.ts';
import { MediaController } from '../../src/rate/media.ts';
import { Mutator } from './mutate.ts';

const CALLER_PATH = 1;
const ATTACKER_PATH = 2;
const HOSTILE_PATH = 3;
const DELAY_US: Micros = 10 * MILLISECOND;
const FRAME_INTERVAL_US: Micros = 33 * MILLISECOND;
const FRAME_BYTES = 5_000;
const LATENCY_US: Micros = 120 * MILLISECOND;
/** A hostile caller gives up on a connection after so long. */
const HOSTILE_LIFE_US: Micros = 300 * MILLISECOND;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly path: number;
  readonly atUs: Micros;
}

/** One endpoint, its connections, and the datagrams on their way to it. */
class Side {
  readonly endpoint: Endpoint;
  readonly connections: Set<Connection> = new Set();
  readonly inbox: Waiting[] = [];
  readonly #out: Uint8Array = new Uint8Array(2048);
  /** Where what it sends goes. */
  onSent: (bytes: Uint8Array, path: number, now: Micros) => void = () => {};
  onEvent: (connection: Connection, type: string, now: Micros) => void = () => {};
  #now: Micros = 0;

  constructor(shared: SharedOptions, accepts: boolean) {
    this.endpoint = new Endpoint(
      shared,
      accepts ? { onAccept: (connection) => void this.connections.add(connection) } : undefined,
    );
  }

  feed(bytes: Uint8Array, path: number, now: Micros): void {
    const connection = this.endpoint.handleDatagram(bytes, path, now);
    if (connection !== undefined) this.drive(connection, now);
    while (this.endpoint.pollReply(this.#out) > 0);
  }

  drive(connection: Connection, now: Micros): void {
    this.#now = now;
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
      if (event.type === 'incoming') {
        connection.attachHandshake(new PlainHandshake({ isServer: true }), now);
      }
      this.onEvent(connection, event.type, now);
    }
    for (
      let size = connection.pollTransmit(this.#out, now);
      size > 0;
      size = connection.pollTransmit(this.#out, now)
    ) {
      this.onSent(this.#out.slice(0, size), connection.path, now);
    }
    if (!connection.isDrained) return;
    this.connections.delete(connection);
    this.endpoint.remove(connection);
  }

  /** Takes in what has arrived and runs timers. */
  step(now: Micros): void {
    while (this.inbox.length > 0 && (this.inbox[0] as Waiting).atUs <= now) {
      const { bytes, path } = this.inbox.shift() as Waiting;
      this.feed(bytes, path, now);
    }
    for (const connection of this.connections) {
      // Forged connections only ever wait for a timer.
      if (connection.pollTimeout() > now) continue;
      connection.handleTimeout(now);
      this.drive(connection, now);
    }
  }

  get now(): Micros {
    return this.#now;
  }
}

/** What became of the call. */
export interface CallReport {
  readonly framesSent: number;
  readonly framesOnTime: number;
  readonly isOpen: boolean;
  /** Connections of hostile callers that were made and got keys. */
  readonly hostileCalls: number;
  /** The most connections the server held at once. */
  readonly connectionsMax: number;
}

export class FuzzedCall {
  readonly #random: SeededRandom;
  readonly #mutator: Mutator;
  readonly #server: Side;
  readonly #client: Side;
  readonly #hostile: Side;
  readonly #caller: Connection;
  #callee: Connection | undefined;
  #track: ReturnType<Connection['tracks']['openLive']>;
  #now: Micros = 0;
  #nextFrameUs: Micros = NEVER;
  #framesSent = 0;
  #framesOnTime = 0;
  #hostileCaller: Connection | undefined;
  #hostileUntilUs: Micros = 0;
  #hostileCalls = 0;
  #connectionsMax = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    const crypto = bestCrypto();
    this.#mutator = new Mutator(this.#random, crypto);
    this.#server = new Side(this.#shared(crypto), true);
    this.#client = new Side(this.#shared(crypto), false);
    this.#hostile = new Side(this.#shared(this.#damaging(crypto)), false);
    this.#server.onSent = (bytes, path, now) => {
      const side = path === CALLER_PATH ? this.#client : path === HOSTILE_PATH ? this.#hostile : undefined;
      if (path === CALLER_PATH) this.#mutator.capture(bytes);
      side?.inbox.push({ bytes, path, atUs: now + DELAY_US });
    };
    this.#client.onSent = (bytes, path, now) => {
      this.#mutator.capture(bytes);
      this.#server.inbox.push({ bytes, path, atUs: now + DELAY_US });
    };
    this.#hostile.onSent = (bytes, path, now) => {
      this.#mutator.capture(bytes);
      this.#server.inbox.push({ bytes, path, atUs: now + DELAY_US });
    };
    this.#server.onEvent = (connection, type) => this.#onServerEvent(connection, type);
    this.#caller = this.#client.endpoint.dial(
      { handshake: new PlainHandshake({ isServer: false }), path: CALLER_PATH },
      0,
    );
    this.#client.connections.add(this.#caller);
    this.#client.drive(this.#caller, 0);
    // The call stands before the attack begins.
    this.#run(200);
    this.#track = this.#caller.tracks.openLive({ kind: 'video', latencyUs: LATENCY_US });
    this.#nextFrameUs = this.#now;
    this.#run(100);
  }

  #shared(crypto: CryptoProvider): SharedOptions {
    return {
      parameters: localParameters({}),
      crypto,
      random: this.#random.fork(),
      codec,
      controller: () => new MediaController({ startBitrateBps: 4_000_000 }),
      handshakeTimeoutUs: 2 * SECOND,
      keepAliveUs: 15 * SECOND,
      datagramBytesMax: 1452,
    };
  }

  /** The same keys, but every second packet's frames are damaged before they are sealed. */
  #damaging(crypto: CryptoProvider): CryptoProvider {
    const protection = (secret: Uint8Array): PacketProtection => {
      const real = crypto.protection(secret);
      return {
        seal: (packet, headerStart, payloadStart, payloadEnd, packetNumber) => {
          if (this.#random.unit() < 0.5 && this.#hostileCaller?.isHandshaking === false) {
            this.#mutator.damage(packet, payloadStart, payloadEnd);
          }
          real.seal(packet, headerStart, payloadStart, payloadEnd, packetNumber);
        },
        open: (packet, headerStart, payloadStart, end, packetNumber) =>
          real.open(packet, headerStart, payloadStart, end, packetNumber),
      };
    };
    return { ...crypto, protection };
  }

  #onServerEvent(connection: Connection, type: string): void {
    if (type === 'connected' && this.#callee === undefined) this.#callee = connection;
    if (type !== 'track-readable' || connection !== this.#callee) return;
    for (const id of [0, 2, 4]) {
      const receiver = connection.tracks.receiver(id);
      for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
        if (frame.how !== 'late' && frame.data.length === FRAME_BYTES) this.#framesOnTime++;
      }
    }
  }

  #hostileStep(): void {
    const caller = this.#hostileCaller;
    if (caller === undefined || this.#now >= this.#hostileUntilUs) {
      if (caller?.isOpen === true) caller.close(true, 0, '', this.#now);
      if (caller !== undefined) this.#hostile.drive(caller, this.#now);
      const handshake = new PlainHandshake({ isServer: false });
      const next = this.#hostile.endpoint.dial({ handshake, path: HOSTILE_PATH }, this.#now);
      this.#hostileCaller = next;
      this.#hostileUntilUs = this.#now + HOSTILE_LIFE_US;
      this.#hostile.connections.add(next);
      this.#hostile.drive(next, this.#now);
      this.#hostileCalls++;
      return;
    }
    if (caller.isHandshaking || !caller.isOpen) return;
    const { streams, tracks } = caller;
    if (this.#random.unit() < 0.2) streams.open('bidirectional')?.write(this.#mutator.bytes(500));
    if (this.#random.unit() < 0.2) {
      tracks
        .openLive({ kind: 'audio', latencyUs: LATENCY_US })
        ?.send(this.#mutator.bytes(3000), { timestampUs: 0, keyFrame: false, discardable: false }, this.#now);
    }
    this.#hostile.drive(caller, this.#now);
  }

  /** Advances by milliseconds. */
  #run(ms: number): void {
    for (let i = 0; i < ms; i++) this.step([]);
  }

  /** One millisecond, with `attack` hostile datagrams in it. */
  step(attack: readonly Uint8Array[]): void {
    this.#now += MILLISECOND;
    const now = this.#now;
    if (now >= this.#nextFrameUs && this.#track !== undefined) {
      this.#nextFrameUs += FRAME_INTERVAL_US;
      const isKey = this.#framesSent++ % 60 === 0;
      this.#track.send(
        this.#mutator.bytes(FRAME_BYTES),
        { timestampUs: now, keyFrame: isKey, discardable: false },
        now,
      );
      this.#caller.onMediaQueued(this.#track, now);
      this.#client.drive(this.#caller, now);
    }
    for (const datagram of attack) {
      const path = this.#random.unit() < 0.5 ? CALLER_PATH : ATTACKER_PATH;
      (this.#random.unit() < 0.75 ? this.#server : this.#client).feed(datagram, path, now);
    }
    if (attack.length > 0) this.#hostileStep();
    for (const side of [this.#server, this.#client, this.#hostile]) side.step(now);
    this.#connectionsMax = Math.max(this.#connectionsMax, this.#server.endpoint.count);
  }

  /** Feeds `count` hostile datagrams, `perMs` in each millisecond. */
  attack(count: number, perMs: number, onProgress: (done: number) => void = () => {}): void {
    for (let done = 0; done < count; ) {
      const datagrams: Uint8Array[] = [];
      for (; datagrams.length < perMs && done < count; done++) datagrams.push(this.#mutator.next());
      this.step(datagrams);
      onProgress(done);
    }
  }

  /** Lets what is on its way arrive. */
  finish(): CallReport {
    this.#nextFrameUs = NEVER;
    this.#run(500);
    return {
      framesSent: this.#framesSent,
      framesOnTime: this.#framesOnTime,
      isOpen: this.#caller.isOpen && this.#callee?.isOpen === true,
      hostileCalls: this.#hostileCalls,
      connectionsMax: this.#connectionsMax,
    };
  }
}
