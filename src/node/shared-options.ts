/** Options that `listen` and `connect` share, checked, in the core's units. Defaults: docs/options.md. */
import { randomFillSync, randomInt } from 'node:crypto';
import { MILLISECOND, type PathId } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import { localParameters } from '../connection/options.ts';
import type { SharedOptions } from '../endpoint.ts';
import { codec } from '../fec/kernel.ts';
import { MediaController } from '../rate/media.ts';
import type { Delivery } from '../track/types.ts';
import { DATAGRAM_BYTES_MAX } from '../wire/header.ts';
import type { Parameters } from '../wire/parameters.ts';
import { DEFAULT_LATENCY_MS } from './connection.ts';
import type { FaultOptions } from './faults.ts';
import { inRange, oneOf } from './in-range.ts';
import { startRateOf } from './known-rates.ts';
import { TracedController } from './qlog.ts';
import { bestCrypto, nodeCrypto } from './seal.ts';

/** Milliseconds, bits per second. */
export interface TransportOptions {
  /** Recovery budget on top of the one-way delay; the larger wish of both ends wins. Default 120. */
  readonly latency?: number | undefined;
  /** How live tracks of the peer's are delivered, whatever it says. Default: as it says. */
  readonly delivery?: Delivery | undefined;
  /** Where the rate begins, bits per second; default: half of what the path to that peer carried lately, else 500 kbit/s. */
  readonly startBitrate?: number | undefined;
  /**
   * `'aggressive'` (default): loss that is proven to be random lowers the rate by nothing. `'rfc8083'`: the congestion
   * circuit breaker of RFC 8083 is obeyed, whatever the reason of the loss.
   */
  readonly lossTolerance?: 'aggressive' | 'rfc8083' | undefined;
  /** A connection ends when its peer is silent for so long; the smaller wish holds. Default 30000. */
  readonly idleTimeout?: number | undefined;
  /** Something is sent after so long a silence. Default 15000. */
  readonly keepAlive?: number | undefined;
  /** Faults put under the socket, for tests and demos. */
  readonly faults?: FaultOptions | undefined;
  /** 'auto': sodium-native where it loads. 'node': always node:crypto. */
  readonly aead?: 'auto' | 'node' | undefined;
}

/** Randomness for IDs and skipped packet numbers. */
export const secureRandom: Random = {
  u32: () => randomInt(4_294_967_296),
  unit: () => randomInt(4_294_967_296) / 4_294_967_296,
  fill: (bytes) => {
    randomFillSync(bytes);
  },
};

/** The core's options for an endpoint with these. @param routeOf What the rate of a path is remembered under. */
export function sharedOptions(
  options: TransportOptions,
  timeoutMs: number,
  said: Partial<Parameters>,
  routeOf: (path: PathId) => string,
): SharedOptions {
  const latencyMs =
    options.latency === undefined ? 0 : inRange(options.latency, 'latency', 1, 60_000, DEFAULT_LATENCY_MS);
  const idleMs = inRange(options.idleTimeout, 'idleTimeout', 1000, 86_400_000, 30_000);
  const keepAliveMs = inRange(options.keepAlive, 'keepAlive', 100, 86_400_000, 15_000);
  // 0 = not said.
  const startBps = inRange(options.startBitrate, 'startBitrate', 10_000, 10_000_000_000, 0);
  const lossTolerance =
    oneOf(options.lossTolerance, 'lossTolerance', ['aggressive', 'rfc8083']) ?? 'aggressive';
  return {
    parameters: localParameters({
      maxIdleTimeoutMs: Math.round(idleMs),
      latencyMs: Math.round(latencyMs),
      ...said,
    }),
    crypto: options.aead === 'node' ? nodeCrypto : bestCrypto(),
    random: secureRandom,
    codec,
    deliveryWish: oneOf(options.delivery, 'delivery', ['asap', 'timed']),
    controller: (path) => {
      const startBitrateBps = startBps > 0 ? startBps : startRateOf(routeOf(path));
      const controller = new MediaController({ startBitrateBps, lossTolerance });
      return (process.env.QLOGDIR ?? '') === '' ? controller : new TracedController(controller);
    },
    handshakeTimeoutUs: timeoutMs * MILLISECOND,
    keepAliveUs: Math.min(keepAliveMs, idleMs / 2) * MILLISECOND,
    datagramBytesMax: DATAGRAM_BYTES_MAX,
  };
}
