/**
 * The TCP side where the kernel's TCP cannot be used: encoded chunks cross the TCP model of `millrace/sim` in real time.
 * In: chunks of an encoder. Out: the same chunks for the player, when the model has delivered their last byte in order.
 */
import type { RealTimeDriver } from '../../bench/kernel/emulator/real-time.ts';
import { type Network, TcpFlow } from '../../src/sim.ts';
import { CHUNK_HEADER_BYTES, type Chunk } from '../media-protocol.ts';
import { MediaServer, type MediaSocket } from '../media-socket.ts';
import type { MediaAddresses } from '../network/network.ts';
import { Announcements, EncoderGuide } from './encoder-guide.ts';
import { PlayerSide } from './player-side.ts';

/** Length and kind, which framing.ts puts in front of each chunk on a real connection. */
const PREFIX_BYTES = 5;
const UPDATE_MS = 50;
/** Chunks under way; beyond them the encoder has been told to stop long ago. */
const UNDER_WAY_MAX = 4_096;

interface UnderWay {
  readonly chunk: Chunk;
  /** Bytes of the stream up to its end. */
  readonly end: number;
  readonly writtenAtMs: number;
}

/** One sender and one receiver, joined by the model. */
export class TcpModel {
  readonly #driver: RealTimeDriver;
  readonly #network: Network;
  readonly #guide: EncoderGuide;
  readonly #servers: MediaServer[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #announced: Announcements = new Announcements();
  readonly #playerSide: PlayerSide = new PlayerSide();
  #encoder: MediaSocket | undefined;
  #flow: TcpFlow;
  #underWay: UnderWay[] = [];
  #firstUnsent = 0;
  /** Of the flows before this one. */
  #resentBefore = 0;
  #isConnecting = false;

  private constructor(driver: RealTimeDriver, network: Network, mostBps: number) {
    this.#driver = driver;
    this.#network = network;
    this.#guide = new EncoderGuide(mostBps);
    this.#flow = this.#openFlow();
    this.#playerSide.onKeyFrameRequest = (track) => this.#encoder?.send({ type: 'keyframe', track });
    this.#timer = setInterval(() => this.#update(), UPDATE_MS);
  }

  /** @param mostBps The encoder never goes above, bits per second. */
  static async open(
    driver: RealTimeDriver,
    network: Network,
    mostBps: number,
    addresses: MediaAddresses,
  ): Promise<TcpModel> {
    const model = new TcpModel(driver, network, mostBps);
    const { sender, receiver } = addresses;
    model.#servers.push(await MediaServer.open(sender, (encoder) => model.#useEncoder(encoder)));
    model.#servers.push(await MediaServer.open(receiver, (player) => model.#playerSide.usePlayer(player)));
    return model;
  }

  #openFlow(): TcpFlow {
    const flow = new TcpFlow(this.#driver.world.sim, {
      forward: this.#network.up,
      backward: this.#network.down,
      congestion: 'cubic',
    });
    flow.onData = (inOrderBytes) => this.#deliver(inOrderBytes);
    this.#driver.do(() => flow.start());
    return flow;
  }

  /** A new encoder calls on a new connection, as a program that was started again would. */
  #useEncoder(encoder: MediaSocket): void {
    this.#encoder?.replace();
    this.#encoder = encoder;
    this.#announced.clear();
    this.#guide.useEncoder(encoder);
    this.#reconnect();
    encoder.onMessage = (message) => {
      if (message.type !== 'track') return;
      this.#announced.add(message);
      this.#playerSide.announce(message);
      this.#guide.tellAgain();
    };
    encoder.onChunk = (chunk) => this.#write(chunk);
    void encoder.closed.then(() => {
      if (this.#encoder === encoder) this.#encoder = undefined;
    });
  }

  #write(chunk: Chunk): void {
    if (this.#isConnecting || this.#underWay.length >= UNDER_WAY_MAX) return;
    const bytes = PREFIX_BYTES + CHUNK_HEADER_BYTES + chunk.data.length;
    const end = this.#flow.sender.writtenBytes + bytes;
    this.#underWay.push({ chunk, end, writtenAtMs: performance.now() });
    this.#guide.onMedia(chunk.data.length);
    this.#driver.do(() => this.#flow.write(bytes));
  }

  #deliver(inOrderBytes: number): void {
    let arrived = 0;
    for (const { chunk, end } of this.#underWay) {
      if (end > inOrderBytes) break;
      this.#playerSide.play(chunk);
      arrived++;
    }
    this.#underWay.splice(0, arrived);
    this.#firstUnsent = Math.max(0, this.#firstUnsent - arrived);
  }

  /** How long the oldest chunk that TCP has not sent once has been waiting, ms. */
  #behindMs(): number {
    const sent = this.#flow.sender.sentBytes;
    while ((this.#underWay[this.#firstUnsent]?.end ?? Number.POSITIVE_INFINITY) <= sent) this.#firstUnsent++;
    const oldest = this.#underWay[this.#firstUnsent];
    return oldest === undefined ? 0 : performance.now() - oldest.writtenAtMs;
  }

  #update(): void {
    const { sender, statistics } = this.#flow;
    const figures = { resendBytes: this.#resentBefore + statistics.retransmittedBytes };
    this.#guide.update(performance.now(), sender.sentBytes, this.#behindMs(), this.#isConnecting, figures);
  }

  /**
   * What a NAT that gives the flow another port does to TCP: the server knows no connection from that port and resets
   * it, one round trip later; what was under way is gone, and the application connects again.
   */
  rebind(): void {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    const rttMs = 2 * (this.#network.up.options.delayMs ?? 0);
    setTimeout(() => this.#reconnect(), rttMs).unref();
  }

  #reconnect(): void {
    this.#resentBefore += this.#flow.statistics.retransmittedBytes;
    this.#flow.stop();
    // What is still on its way belongs to no connection any more.
    this.#flow.onData = () => {};
    this.#underWay = [];
    this.#firstUnsent = 0;
    this.#guide.reset();
    this.#isConnecting = false;
    this.#flow = this.#openFlow();
    this.#announced.requestKeyFrames(this.#encoder);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#flow.stop();
    this.#encoder?.close();
    this.#playerSide.close();
    await Promise.all(this.#servers.map((server) => server.close()));
  }
}
