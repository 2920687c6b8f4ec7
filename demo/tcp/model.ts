/**
 * The TCP side where the kernel's TCP cannot be used: encoded chunks cross the TCP model of `millrace/sim` in real time.
 * In: chunks of an encoder. Out: the same chunks for the player, when the model has delivered their last byte in order.
 */
import type { RealTimeDriver } from '../../bench/kernel/emulator/real-time.ts';
import { type Network, TcpFlow } from '../../src/sim.ts';
import { CHUNK_HEADER_BYTES, type Chunk, type MediaMessage } from '../media-protocol.ts';
import { MediaServer, type MediaSocket } from '../media-socket.ts';
import type { MediaAddresses } from '../network/network.ts';
import { TcpEncoderControl } from './encoder-control.ts';

/** The length that TCP applications put in front of each message. */
const PREFIX_BYTES = 4;
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
  readonly #mostBps: number;
  readonly #servers: MediaServer[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #announced: Map<number, MediaMessage & { type: 'track' }> = new Map();
  #encoder: MediaSocket | undefined;
  #player: MediaSocket | undefined;
  #flow: TcpFlow;
  #control: TcpEncoderControl;
  #underWay: UnderWay[] = [];
  #firstUnsent = 0;
  #mediaBytes = 0;
  /** Of the flows before this one. */
  #resentBefore = 0;
  #isConnecting = false;
  #toldBps = 0;
  #wasBehind = false;
  #ticks = 0;

  private constructor(driver: RealTimeDriver, network: Network, mostBps: number) {
    this.#driver = driver;
    this.#network = network;
    this.#mostBps = mostBps;
    this.#control = new TcpEncoderControl(1_000_000, mostBps);
    this.#flow = this.#openFlow();
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
    model.#servers.push(await MediaServer.open(addresses.sender, (encoder) => model.#useEncoder(encoder)));
    model.#servers.push(await MediaServer.open(addresses.receiver, (player) => model.#usePlayer(player)));
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
    this.#encoder?.close();
    this.#encoder = encoder;
    this.#announced.clear();
    this.#reconnect();
    encoder.onMessage = (message) => {
      if (message.type !== 'track') return;
      this.#announced.set(message.track, message);
      this.#player?.send(message);
      this.#toldBps = 0;
    };
    encoder.onChunk = (chunk) => this.#write(chunk);
    void encoder.closed.then(() => {
      if (this.#encoder === encoder) this.#encoder = undefined;
    });
  }

  #usePlayer(player: MediaSocket): void {
    this.#player?.close();
    this.#player = player;
    for (const message of this.#announced.values()) player.send(message);
    player.onMessage = (message) => {
      if (message.type === 'keyframe') this.#encoder?.send(message);
    };
    this.#requestKeyFrames();
  }

  #requestKeyFrames(): void {
    for (const { track, kind } of this.#announced.values()) {
      if (kind === 'video') this.#encoder?.send({ type: 'keyframe', track });
    }
  }

  #write(chunk: Chunk): void {
    if (this.#isConnecting || this.#underWay.length >= UNDER_WAY_MAX) return;
    const bytes = PREFIX_BYTES + CHUNK_HEADER_BYTES + chunk.data.length;
    const end = this.#flow.sender.writtenBytes + bytes;
    this.#underWay.push({ chunk, end, writtenAtMs: performance.now() });
    this.#mediaBytes += chunk.data.length;
    this.#driver.do(() => this.#flow.write(bytes));
  }

  #deliver(inOrderBytes: number): void {
    let arrived = 0;
    for (const { chunk, end } of this.#underWay) {
      if (end > inOrderBytes) break;
      this.#player?.sendChunk(chunk);
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
    this.#control.update(performance.now(), this.#flow.sender.sentBytes, this.#behindMs());
    const isBehind = this.#control.isBehind || this.#isConnecting;
    if (isBehind !== this.#wasBehind) this.#encoder?.send({ type: 'behind', isBehind });
    this.#wasBehind = isBehind;
    const { bitsPerSecond } = this.#control;
    if (Math.abs(bitsPerSecond - this.#toldBps) > this.#toldBps / 20) {
      this.#toldBps = bitsPerSecond;
      for (const { track } of this.#announced.values()) {
        this.#encoder?.send({ type: 'bitrate', track, bitsPerSecond, maxFrameBytes: 0 });
      }
    }
    if (++this.#ticks % 10 === 0) this.#report();
  }

  #report(): void {
    const figures = {
      mediaBytes: this.#mediaBytes,
      resendBytes: this.#resentBefore + this.#flow.statistics.retransmittedBytes,
      targetBps: this.#control.bitsPerSecond,
    };
    this.#encoder?.send({ type: 'figures', figures });
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
    this.#control = new TcpEncoderControl(1_000_000, this.#mostBps);
    this.#isConnecting = false;
    this.#flow = this.#openFlow();
    this.#requestKeyFrames();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#flow.stop();
    this.#encoder?.close();
    this.#player?.close();
    await Promise.all(this.#servers.map((server) => server.close()));
  }
}
