/**
 * Two core connections for a simulated network: real state machines, stand-in keys and a stand-in handshake (no
 * security, flights of the same size), so that packets follow from the seed and stay readable.
 *
 * Use:
 *   const sim = new Simulator({ seed: 1 });
 *   const network = new Network(sim, preset('wifi-lossy'));
 *   const { client, server } = createPair(sim);
 *   joinPair(client, server, network);
 *   client.host.start();
 *   sim.run(200_000);
 *   const track = client.host.call(() => client.connection.tracks.openLive({ kind: 'video', latencyUs: 120_000 }));
 */
import { type Micros, type PathId, SECOND } from '../base/protocol.ts';
import { SeededRandom } from '../base/random.ts';
import { Connection } from '../connection/connection.ts';
import type { ConnectionEvent } from '../connection/events.ts';
import { type ConnectionOptions, localParameters } from '../connection/options.ts';
import { PlainHandshake } from '../crypto/plain-handshake.ts';
import { plainCrypto } from '../crypto/plain-protection.ts';
import { codec } from '../fec/kernel.ts';
import type { IdIssuer } from '../path/connection-ids.ts';
import type { PathKeeper } from '../path/path-set.ts';
import { MediaController } from '../rate/media.ts';
import type { HostPausesSpec } from '../sim/host-pauses.ts';
import { CLIENT_ADDRESS, connectHosts, type Network } from '../sim/network.ts';
import { ProtocolHost } from '../sim/protocol-host.ts';
import type { Simulator } from '../sim/simulator.ts';
import { CONNECTION_ID_BYTES, DATAGRAM_BYTES_MAX, RESET_TOKEN_BYTES } from '../wire/header.ts';
import type { Parameters } from '../wire/parameters.ts';

/** How the two connections differ from the usual ones. */
export interface PairOptions {
  /** Where the sender's rate begins, bits per second; default 500 kbit/s. */
  readonly startBitrateBps?: number;
  readonly parameters?: Partial<Parameters>;
  /** What stands for a passphrase; equal by default. */
  readonly clientWord?: string;
  readonly serverWord?: string;
  /** Of each end by itself: now and then it is not served. */
  readonly pauses?: HostPausesSpec;
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
  /** Paths given back; at a client: sockets closed. */
  readonly released: PathId[];
  /** Paths that the connection has taken and not given back. */
  readonly claimed: Set<PathId>;
}

const CLIENT_ID = Uint8Array.of(0, 0, 0, 0, 1, 2, 3, 4);
const SERVER_ID = Uint8Array.of(0, 0, 0, 0, 5, 6, 7, 8);
const ORIGINAL_ID = Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9);
const START_BITRATE_BPS = 500_000;
const HANDSHAKE_TIMEOUT_US: Micros = 10 * SECOND;
const KEEP_ALIVE_US: Micros = 15 * SECOND;

/** Makes both ends. Nothing is sent before `client.host.start()`; the server answers the caller at once. */
export function createPair(
  sim: Simulator,
  options: PairOptions = {},
): { readonly client: End; readonly server: End } {
  const { startBitrateBps = START_BITRATE_BPS } = options;
  const common = {
    originalId: ORIGINAL_ID,
    path: 0,
    parameters: localParameters(options.parameters ?? {}),
    crypto: plainCrypto,
    codec,
    controller: () => new MediaController({ startBitrateBps }),
    handshakeTimeoutUs: HANDSHAKE_TIMEOUT_US,
    keepAliveUs: KEEP_ALIVE_US,
    datagramBytesMax: DATAGRAM_BYTES_MAX,
    nowUs: sim.now,
  };
  const client = makeEnd(sim, 'client', options.pauses, {
    ...common,
    ...options.client,
    isServer: false,
    localId: CLIENT_ID,
    remoteId: ORIGINAL_ID,
    random: sim.random.fork(),
    handshake: new PlainHandshake({ isServer: false, word: options.clientWord ?? 'word' }),
  });
  const server = makeEnd(sim, 'server', options.pauses, {
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
  return { client, server };
}

/** Joins both ends by a network; the client gets another socket, on the next port, whenever it wants one. */
export function joinPair(client: End, server: End, network: Network): void {
  const open = connectHosts(client.host, server.host, network);
  let port = CLIENT_ADDRESS;
  listenTo(client, (event, now) => {
    if (event.type !== 'path-wanted') return;
    const path = open(++port);
    client.claimed.add(path);
    client.connection.openedPath(path, now);
  });
}

/** Calls `listener` for every event of an end, after those that were added before. */
export function listenTo(end: End, listener: (event: ConnectionEvent, now: Micros) => void): void {
  const before = end.onEvent;
  end.onEvent = (event, now) => {
    before(event, now);
    listener(event, now);
  };
}

function makeEnd(
  sim: Simulator,
  name: string,
  pauses: HostPausesSpec | undefined,
  options: ConnectionOptions,
): End {
  const released: PathId[] = [];
  const claimed: Set<PathId> = new Set();
  const paths: PathKeeper = {
    claim: (path) => {
      claimed.add(path);
      return path;
    },
    release: (path) => {
      released.push(path);
      claimed.delete(path);
      end.host.closePath(path);
    },
    addressOf: () => new Uint8Array(0),
    isSameHost: (a, b) => hostOf(end.host.addressOf(a)) === hostOf(end.host.addressOf(b)),
  };
  const connection = new Connection({ paths, issuer: makeIssuer(options.isServer), ...options });
  const events: ConnectionEvent[] = [];
  const end: { -readonly [K in keyof End]: End[K] } = {
    connection,
    events,
    released,
    claimed,
    onEvent: () => {},
    host: undefined as unknown as ProtocolHost<ConnectionEvent>,
  };
  end.host = new ProtocolHost<ConnectionEvent>(sim, connection, {
    name,
    ...(pauses === undefined ? {} : { pauses }),
    transmitPath: () => connection.path,
    onEvent: (event, now) => {
      end.onEvent(event, now);
      events.push(event);
    },
  });
  return end;
}

/** Simulated addresses are host * 65536 + port. */
function hostOf(address: number | undefined): number {
  return Math.floor((address ?? 0) / 65_536);
}

/** IDs that need not lead anywhere: every datagram of a pair is the one connection's. */
function makeIssuer(isServer: boolean): IdIssuer {
  const random = new SeededRandom(isServer ? 2 : 1);
  const bytes = (size: number): Uint8Array => {
    const filled = new Uint8Array(size);
    random.fill(filled);
    return filled;
  };
  return {
    firstResetToken: () => bytes(RESET_TOKEN_BYTES),
    issue: () => ({ id: bytes(CONNECTION_ID_BYTES), resetToken: bytes(RESET_TOKEN_BYTES) }),
    retire() {},
    onResetToken() {},
  };
}
