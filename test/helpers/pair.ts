/**
 * Two core connections in virtual time, joined by a simulated network: the harness of test/sim. Real state machines,
 * stand-in keys and TLS (no security, same flights), so a minute of media costs about a second.
 */
import { MILLISECOND, type Micros } from '../../src/base/protocol.ts';
import { Connection } from '../../src/connection/connection.ts';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import { type ConnectionOptions, localParameters } from '../../src/connection/options.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { codec } from '../../src/fec/kernel.ts';
import { MediaController } from '../../src/rate/media.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { connectHosts, Network } from '../../src/sim/network.ts';
import { ProtocolHost } from '../../src/sim/protocol-host.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import type { ReceivedFrame } from '../../src/track/types.ts';
import type { Parameters } from '../../src/wire/parameters.ts';

export interface PairOptions {
  readonly seed: number;
  readonly up: LinkOptions;
  readonly down: LinkOptions;
  readonly startBitrateBps?: number;
  readonly parameters?: Partial<Parameters>;
  readonly clientWord?: string;
  readonly serverWord?: string;
  readonly client?: Partial<ConnectionOptions>;
  readonly server?: Partial<ConnectionOptions>;
}

/** One end: its connection, the driver around it, what it was told. */
export interface End {
  readonly connection: Connection;
  readonly host: ProtocolHost<ConnectionEvent>;
  readonly events: ConnectionEvent[];
  /** Called for every event, before it is kept. */
  onEvent: (event: ConnectionEvent, now: Micros) => void;
}

export interface Pair {
  readonly sim: Simulator;
  readonly network: Network;
  readonly client: End;
  readonly server: End;
  /** Runs for so many milliseconds. */
  run(ms: number): void;
}

const CLIENT_ID = Uint8Array.of(0, 0, 0, 0, 1, 2, 3, 4);
const SERVER_ID = Uint8Array.of(0, 0, 0, 0, 5, 6, 7, 8);
const ORIGINAL_ID = Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9);

/** Makes both ends and starts them. The server answers the caller at once. */
export function makePair(options: PairOptions): Pair {
  const sim = new Simulator({ seed: options.seed });
  const common = {
    originalId: ORIGINAL_ID,
    path: 0,
    parameters: localParameters(options.parameters ?? {}),
    crypto: plainCrypto,
    codec,
    controller: () => new MediaController({ startBitrateBps: options.startBitrateBps ?? 500_000 }),
    handshakeTimeoutUs: 10_000 * MILLISECOND,
    keepAliveUs: 15_000 * MILLISECOND,
    datagramBytesMax: 1452,
    nowUs: sim.now,
  };
  const client = makeEnd(sim, 'client', {
    ...common,
    ...options.client,
    isServer: false,
    localId: CLIENT_ID,
    remoteId: ORIGINAL_ID,
    random: sim.random.fork(),
    handshake: new PlainHandshake({ isServer: false, word: options.clientWord ?? 'word' }),
  });
  const server = makeEnd(sim, 'server', {
    ...common,
    ...options.server,
    isServer: true,
    localId: SERVER_ID,
    remoteId: CLIENT_ID,
    random: sim.random.fork(),
  });
  server.onEvent = (event, now) => {
    if (event.type !== 'incoming') return;
    server.connection.attachHandshake(
      new PlainHandshake({ isServer: true, word: options.serverWord ?? 'word' }),
      now,
    );
  };
  const network = new Network(sim, { up: options.up, down: options.down });
  connectHosts(client.host, server.host, network);
  client.host.start();
  return { sim, network, client, server, run: (ms) => sim.run(sim.now + ms * MILLISECOND) };
}

function makeEnd(sim: Simulator, name: string, options: ConnectionOptions): End {
  const connection = new Connection(options);
  const events: ConnectionEvent[] = [];
  const end: { -readonly [K in keyof End]: End[K] } = {
    connection,
    events,
    onEvent: () => {},
    host: undefined as unknown as ProtocolHost<ConnectionEvent>,
  };
  end.host = new ProtocolHost<ConnectionEvent>(sim, connection, {
    name,
    onEvent: (event, now) => {
      end.onEvent(event, now);
      events.push(event);
    },
  });
  return end;
}

/** Keeps every media frame that `end` receives, with the instant at which it could be read. */
export function collectFrames(
  pair: Pair,
  end: End,
): { readonly frame: ReceivedFrame; readonly atUs: Micros }[] {
  const frames: { frame: ReceivedFrame; atUs: Micros }[] = [];
  const before = end.onEvent;
  end.onEvent = (event, now) => {
    before(event, now);
    if (event.type !== 'track-readable') return;
    const receiver = end.connection.tracks.receiver(event.trackId);
    for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
      frames.push({ frame, atUs: pair.sim.now });
    }
  };
  return frames;
}
