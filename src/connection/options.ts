/** What a connection is made with. Everything that is not pure (keys, randomness, TLS) is handed in. */
import type { Micros, PathId } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import type { Handshake } from '../crypto/handshake.ts';
import type { CryptoProvider } from '../crypto/protection.ts';
import type { ErasureCodec } from '../fec/codec.ts';
import type { IdIssuer } from '../path/connection-ids.ts';
import type { PathKeeper } from '../path/path-set.ts';
import type { RateController } from '../rate/controller.ts';
import type { Delivery } from '../track/types.ts';
import { PARAMETER_DEFAULTS, type Parameters } from '../wire/parameters.ts';
import type { InitialKeys } from './initial-keys.ts';

/** Flow control windows announced at the start; they grow as they are used (stream/flow.ts). */
const INITIAL_STREAM_WINDOW_BYTES = 1_048_576;
const INITIAL_CONNECTION_WINDOW_BYTES = 4_194_304;
/** Streams and tracks a peer may open (DESIGN §6). */
const STREAMS_MAX = 1024;

export interface ConnectionOptions {
  readonly isServer: boolean;
  /** Our connection ID, 8 bytes. */
  readonly localId: Uint8Array;
  /** The peer's; a client begins with the original destination connection ID. */
  readonly remoteId: Uint8Array;
  /** The client's first destination connection ID: seed of the Initial keys. */
  readonly originalId: Uint8Array;
  readonly path: PathId;
  /** Owner of the sockets. Without one a connection follows no peer to another host. */
  readonly paths?: PathKeeper | undefined;
  /** Makes further connection IDs. Without one those of the handshake stay. */
  readonly issuer?: IdIssuer | undefined;
  /** Server: the Retry token by which the caller has proven its address; empty or undefined: it has not. */
  readonly callerToken?: Uint8Array | undefined;
  /** Server: what the caller's first packet was opened with. */
  readonly initialKeys?: InitialKeys | undefined;
  /** What we tell the peer. */
  readonly parameters: Readonly<Parameters>;
  readonly crypto: CryptoProvider;
  /** Client: at once. Server: with `attachHandshake` after the `incoming` event. */
  readonly handshake?: Handshake | undefined;
  readonly random: Random;
  /** Made when the first repair symbol is needed. */
  readonly codec: () => ErasureCodec;
  /** @param path On which the connection begins. */
  readonly controller: (path: PathId) => RateController;
  /** How the application wants the peer's live tracks delivered; undefined = as the peer says. */
  readonly deliveryWish?: Delivery | undefined;
  /** Give up when the handshake takes longer. */
  readonly handshakeTimeoutUs: Micros;
  /** Say something after this long without having sent anything (NATs forget a flow after 30 s). */
  readonly keepAliveUs: Micros;
  /** Largest datagram to try. */
  readonly datagramBytesMax: number;
  readonly nowUs: Micros;
}

/** Parameters as this implementation announces them. */
export function localParameters(wishes: Partial<Parameters>): Parameters {
  return {
    ...PARAMETER_DEFAULTS,
    maxData: INITIAL_CONNECTION_WINDOW_BYTES,
    maxStreamData: INITIAL_STREAM_WINDOW_BYTES,
    maxStreamsBidirectional: STREAMS_MAX,
    maxStreamsUnidirectional: STREAMS_MAX,
    maxTrackStreams: STREAMS_MAX,
    maxTracks: STREAMS_MAX,
    maxDatagramFrameBytes: 65_535,
    ...wishes,
  };
}
