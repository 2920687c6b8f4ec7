/** Two core connections back to back in memory, on a clock of their own: no sockets, no AEAD, no simulator. */
import { MILLISECOND, type Micros } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Connection } from '../../src/connection/connection.ts';
import { localParameters } from '../../src/connection/options.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import type { CryptoProvider } from '../../src/crypto/protection.ts';
import { codec } from '../../src/fec/kernel.ts';
import type { AckedPacket, RateController, RttView } from '../../src/rate/controller.ts';
import { MediaController } from '../../src/rate/media.ts';

const DATAGRAM_BYTES = 1200;
/** No limit but the one under test. */
const RATE_BPS = 1e10;

/** Costs nothing, so that what is measured is ours. */
const noCrypto: CryptoProvider = { ...plainCrypto, protection: () => ({ seal() {}, open: () => true }) };

/** The real controller does its work; its window and rate are replaced by what the workload asks for. */
class WideController implements RateController {
  readonly #real: MediaController = new MediaController({ startBitrateBps: 100e6 });
  readonly #window: { readonly bytes: number };
  readonly pacingRateBps = RATE_BPS;
  readonly targetRateBps = RATE_BPS;
  readonly capacityBps = RATE_BPS;
  readonly randomLossRatio = 0;
  readonly lossRatio = 0;
  readonly queueDelayUs = 0;
  readonly isCongested = false;
  readonly probeBytesWanted = 0;
  readonly probePacketBytes = 0;
  readonly state = 'wide';

  constructor(window: { readonly bytes: number }) {
    this.#window = window;
  }

  get congestionWindowBytes(): number {
    return this.#window.bytes;
  }

  onPacketSent(now: Micros, sizeBytes: number): void {
    this.#real.onPacketSent(now, sizeBytes);
  }

  onPacketAcked(packet: AckedPacket): void {
    this.#real.onPacketAcked(packet);
  }

  onPacketLost(packetNumber: number, sizeBytes: number, sentAtUs: Micros): void {
    this.#real.onPacketLost(packetNumber, sizeBytes, sentAtUs);
  }

  onSpuriousLoss(): void {
    this.#real.onSpuriousLoss();
  }

  onAckEnd(now: Micros, rtt: RttView): void {
    this.#real.onAckEnd(now, rtt);
  }

  onProbeTimeout(now: Micros, count: number): void {
    this.#real.onProbeTimeout(now, count);
  }

  onMediaDemand(bps: number, now: Micros, isBacklog?: boolean): void {
    this.#real.onMediaDemand(bps, now, isBacklog);
  }

  setMaxRate(): void {}
  setWantedRate(): void {}

  onPathChange(now: Micros): void {
    this.#real.onPathChange(now);
  }
}

/** Both ends, after the handshake. The application is the caller's. */
export class Ends {
  readonly window: { bytes: number } = { bytes: 100 * DATAGRAM_BYTES };
  readonly client: Connection;
  readonly server: Connection;
  readonly #out: Uint8Array = new Uint8Array(2048);
  now: Micros = 0;
  /** Datagrams of the client that were written. */
  sent = 0;

  constructor(trackCount: number) {
    const random = new SeededRandom(1);
    const common = {
      originalId: Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9),
      path: 0,
      parameters: localParameters({
        maxTracks: Math.max(16, trackCount),
        maxData: 2 ** 40,
        maxStreamData: 2 ** 40,
      }),
      crypto: noCrypto,
      codec,
      handshakeTimeoutUs: 10_000 * MILLISECOND,
      keepAliveUs: 15_000 * MILLISECOND,
      datagramBytesMax: DATAGRAM_BYTES,
      nowUs: 0,
    };
    const localId = Uint8Array.of(0, 0, 0, 0, 1, 2, 3, 4);
    const remoteId = Uint8Array.of(0, 0, 0, 0, 5, 6, 7, 8);
    this.client = new Connection({
      ...common,
      isServer: false,
      localId,
      remoteId: common.originalId,
      random: random.fork(),
      controller: () => new WideController(this.window),
      handshake: new PlainHandshake({ isServer: false }),
    });
    this.server = new Connection({
      ...common,
      isServer: true,
      localId: remoteId,
      remoteId: localId,
      random: random.fork(),
      controller: () => new MediaController({ startBitrateBps: 100e6 }),
    });
    for (let i = 0; i < 10; i++) {
      this.tick(MILLISECOND);
      while (this.transfer(this.client, this.server) + this.transfer(this.server, this.client) > 0);
    }
    if (this.client.isHandshaking) throw new Error('the handshake did not end');
  }

  /** Time passes at both ends. */
  tick(us: Micros): void {
    this.now += us;
    this.client.handleTimeout(this.now);
    this.server.handleTimeout(this.now);
  }

  /** Hands over everything that `from` may send now; returns how many datagrams. */
  transfer(from: Connection, to: Connection): number {
    let count = 0;
    for (
      let size = from.pollTransmit(this.#out, this.now);
      size > 0;
      size = from.pollTransmit(this.#out, this.now)
    ) {
      // The receiver keeps views of what it gets.
      to.handleDatagram(this.#out.slice(0, size), 0, this.now);
      this.events(to);
      count++;
    }
    this.events(from);
    if (from === this.client) this.sent += count;
    return count;
  }

  /** Takes events, gives a server TLS, reads tracks and streams empty. */
  events(connection: Connection): void {
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
      if (event.type === 'incoming') {
        connection.attachHandshake(new PlainHandshake({ isServer: true }), this.now);
      } else if (event.type === 'track-readable') {
        const receiver = connection.tracks.receiver(event.trackId);
        while (receiver?.poll() !== undefined);
      } else if (event.type === 'stream-readable') {
        const receive = connection.streams.get(event.streamId)?.receive;
        while (receive?.read() !== undefined);
      }
    }
  }
}
