/** One live track of a world: an encoder at the sending end, a player at the other, the fate of every media frame. */
import { MILLISECOND, type Micros, NEVER, SECOND } from '../../src/base/protocol.ts';
import type { TrackSender } from '../../src/track/send.ts';
import type { Outcome, ReceivedFrame, TrackKind } from '../../src/track/types.ts';
import { opposite, type Side, type Stage } from './stage.ts';

/** Frame number (4) in front, a byte that names the track behind. */
const NUMBER_BYTES = 4;

export interface TrackSpec {
  /** Default the client. */
  readonly from?: Side;
  readonly kind?: TrackKind;
  readonly latencyMs?: number;
  readonly framesPerSecond?: number;
  readonly frameBytes: number;
  /** Every so many frames is a key frame of `keyBytes`. */
  readonly keyEvery?: number;
  readonly keyBytes?: number;
  /** Stops after so long; default when the world does. */
  readonly durationMs?: number;
  /** Frames shrink to what the connection says that fits. */
  readonly isAdaptive?: boolean;
  readonly sendOrder?: number;
  /** Byte that fills the frames. */
  readonly mark?: number;
}

/** What became of one media frame. */
export interface FrameFate {
  readonly sentUs: Micros;
  readonly bytes: number;
  deliveredUs: Micros;
  isInTime: boolean;
  outcome: Outcome | undefined;
}

export class TrackRun {
  readonly id: number;
  /** Hears no more events. */
  readonly forget: () => void;
  readonly sender: TrackSender;
  readonly frames: FrameFate[] = [];
  /** What the encoder is told, bits per second; undefined until it is. */
  targetBps: number | undefined;
  isEnded = false;
  hasSettled = false;
  /** False: the player takes nothing. */
  isReading = true;
  readonly #world: Stage;
  readonly #spec: Required<TrackSpec>;
  readonly #side: Side;
  #lastDelivered = -1;

  constructor(world: Stage, spec: TrackSpec) {
    this.#world = world;
    this.#side = spec.from ?? 'client';
    this.#spec = {
      from: this.#side,
      kind: 'video',
      latencyMs: 120,
      framesPerSecond: 30,
      keyEvery: 0,
      keyBytes: spec.frameBytes,
      durationMs: NEVER,
      isAdaptive: false,
      sendOrder: 0,
      mark: 0x6d,
      ...spec,
    };
    const { kind, latencyMs, sendOrder, framesPerSecond } = this.#spec;
    const { connection, host } = world.end(this.#side);
    const options = { kind, latencyUs: latencyMs * MILLISECOND, sendOrder };
    const sender = host.call(() => connection.tracks.openLive(options));
    if (sender === undefined) throw new Error('no track could be opened');
    this.sender = sender;
    this.id = sender.id;
    world.opened.trackIds.add(sender.id);
    this.forget = this.#listen();
    this.#tick(world.now, SECOND / framesPerSecond);
  }

  #listen(): () => void {
    const endFirst = this.#world.onEvent(this.#side, (event) => {
      if (!('trackId' in event) || event.trackId !== this.id) return;
      if (event.type === 'bitrate') this.targetBps = event.bps;
      if (event.type === 'track-settled') this.hasSettled = true;
      if (event.type !== 'frame-settled') return;
      const frame = this.frames[event.frameId];
      if (frame === undefined) throw new Error(`media frame ${event.frameId} settled before it was sent`);
      if (frame.outcome !== undefined) throw new Error(`media frame ${event.frameId} settled twice`);
      frame.outcome = event.outcome;
    });
    const endSecond = this.#world.onEvent(opposite(this.#side), (event) => {
      if (event.type === 'track-readable' && event.trackId === this.id) this.read();
    });
    return () => {
      endFirst();
      endSecond();
    };
  }

  #tick(startUs: Micros, intervalUs: Micros): void {
    const { sim } = this.#world.pair;
    const endUs = startUs + this.#spec.durationMs * MILLISECOND;
    const next = (): void => {
      if (this.isEnded) return;
      if (sim.now >= endUs) this.end();
      else this.#send();
      sim.schedule(startUs + this.frames.length * intervalUs, next);
    };
    next();
  }

  #size(index: number): number {
    const { frameBytes, keyBytes, keyEvery, isAdaptive, framesPerSecond } = this.#spec;
    const wanted = keyEvery > 0 && index % keyEvery === 0 ? keyBytes : frameBytes;
    if (!isAdaptive || this.targetBps === undefined) return wanted;
    const mean = keyEvery > 0 ? (keyBytes + frameBytes * (keyEvery - 1)) / keyEvery : frameBytes;
    const fitting = this.targetBps / 8 / framesPerSecond;
    return Math.max(200, Math.floor(wanted * Math.min(1, fitting / mean)));
  }

  #send(): void {
    const { connection, host } = this.#world.end(this.#side);
    if (!connection.isOpen) {
      this.isEnded = true;
      return;
    }
    const index = this.frames.length;
    const bytes = this.#size(index);
    const data = new Uint8Array(bytes).fill(this.#spec.mark);
    new DataView(data.buffer).setUint32(0, index);
    const { keyEvery } = this.#spec;
    this.frames.push({
      sentUs: this.#world.now,
      bytes,
      deliveredUs: NEVER,
      isInTime: false,
      outcome: undefined,
    });
    host.call((now) => {
      const keyFrame = keyEvery > 0 && index % keyEvery === 0;
      this.sender.send(data, { timestampUs: now, keyFrame, discardable: false }, now);
      connection.onMediaQueued(this.sender, now);
    });
  }

  /** No more media frames. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { connection, host } = this.#world.end(this.#side);
    host.call(() => connection.tracks.end(this.id));
  }

  /** Takes the media frames that wait. */
  read(): void {
    if (!this.isReading) return;
    const receiver = this.#world.end(opposite(this.#side)).connection.tracks.receiver(this.id);
    for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) this.#take(frame);
  }

  #take(frame: ReceivedFrame): void {
    const { frameId, data, how } = frame;
    const fate = this.frames[frameId];
    if (fate === undefined) throw new Error(`media frame ${frameId} was never sent`);
    if (fate.deliveredUs !== NEVER) throw new Error(`media frame ${frameId} was delivered twice`);
    if (frameId <= this.#lastDelivered)
      throw new Error(`media frame ${frameId} after ${this.#lastDelivered}`);
    this.#lastDelivered = frameId;
    const number = new DataView(data.buffer, data.byteOffset).getUint32(0);
    const isWhole = data.length === fate.bytes && number === frameId;
    const middle = data[(NUMBER_BYTES + data.length) >> 1];
    if (!isWhole || middle !== this.#spec.mark || data.at(-1) !== this.#spec.mark) {
      throw new Error(`media frame ${frameId} is not what was sent`);
    }
    fate.deliveredUs = this.#world.now;
    fate.isInTime = how !== 'late';
  }

  /** The sender has settled everything, and the other end's application has taken it: neither end holds anything. */
  get isOver(): boolean {
    if (!this.hasSettled) return false;
    this.isReading = true;
    this.read();
    return this.#world.end(opposite(this.#side)).connection.tracks.receiver(this.id) === undefined;
  }

  /** Media bytes offered. */
  get mediaBytes(): number {
    return this.frames.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Share of the frames sent in [fromUs, toUs) that were delivered in time. */
  inTimeRatio(fromUs: Micros = 0, toUs: Micros = NEVER): number {
    const chosen = this.frames.filter(({ sentUs }) => sentUs >= fromUs && sentUs < toUs);
    return chosen.filter(({ isInTime }) => isInTime).length / chosen.length;
  }

  /** Latency from `send` to the player that this share of the delivered frames keeps, ms. */
  latencyMs(share: number, fromUs: Micros = 0): number {
    const all = this.frames.filter(({ sentUs, deliveredUs }) => sentUs >= fromUs && deliveredUs !== NEVER);
    const sorted = all.map(({ sentUs, deliveredUs }) => deliveredUs - sentUs).sort((a, b) => a - b);
    return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NEVER) / MILLISECOND;
  }

  /** When a frame sent at or after `fromUs` was first delivered. */
  firstDeliveryUs(fromUs: Micros): Micros {
    let first = NEVER;
    for (const { sentUs, deliveredUs } of this.frames) {
      if (sentUs >= fromUs) first = Math.min(first, deliveredUs);
    }
    return first;
  }

  /** The longest time between two deliveries, from the first one on, ms. */
  get longestGapMs(): number {
    const times = this.frames.map(({ deliveredUs }) => deliveredUs).filter((atUs) => atUs !== NEVER);
    times.sort((a, b) => a - b);
    let longest = 0;
    for (let i = 1; i < times.length; i++) {
      longest = Math.max(longest, (times[i] as number) - (times[i - 1] as number));
    }
    return longest / MILLISECOND;
  }
}
