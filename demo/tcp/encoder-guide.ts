/**
 * What both TCP sides, the model and the kernel's, tell their encoder: when to pause, what bitrate fits, and figures.
 * In: what the connection has sent and what waits. Out: messages to the encoder.
 */
import type { Figures, MediaMessage } from '../media-protocol.ts';
import type { MediaSocket } from '../media-socket.ts';
import { TcpEncoderControl } from './encoder-control.ts';

type TrackMessage = MediaMessage & { readonly type: 'track' };

/** The tracks that an encoder has announced. */
export class Announcements implements Iterable<TrackMessage> {
  readonly #tracks: Map<number, TrackMessage> = new Map();

  add(message: TrackMessage): void {
    this.#tracks.set(message.track, message);
  }

  clear(): void {
    this.#tracks.clear();
  }

  [Symbol.iterator](): Iterator<TrackMessage> {
    return this.#tracks.values();
  }

  requestKeyFrames(encoder: MediaSocket | undefined): void {
    for (const { track, kind } of this) if (kind === 'video') encoder?.send({ type: 'keyframe', track });
  }
}

const START_BPS = 1_000_000;
/** A new bitrate is news when it differs by this much. */
const NEWS_RATIO = 0.05;
/** Figures go out with every so many updates. */
const FIGURES_EVERY = 10;
/** The demo's video track; its sound has a bitrate of its own. */
const VIDEO_TRACK = 0;

/** Whoever is told: an encoder's socket. */
type Listener = Pick<MediaSocket, 'send'>;

export class EncoderGuide {
  readonly #mostBps: number;
  #control: TcpEncoderControl;
  #encoder: Listener | undefined;
  #mediaBytes = 0;
  #toldBps = 0;
  /** Undefined: the encoder of now has been told nothing. */
  #toldBehind: boolean | undefined;
  #updates = 0;

  /** @param mostBps The encoder never goes above. */
  constructor(mostBps: number) {
    this.#mostBps = mostBps;
    this.#control = new TcpEncoderControl(START_BPS, mostBps);
  }

  useEncoder(encoder: Listener): void {
    this.#encoder = encoder;
    this.tellAgain();
  }

  /** A new connection knows nothing of the path. */
  reset(): void {
    this.#control = new TcpEncoderControl(START_BPS, this.#mostBps);
  }

  tellAgain(): void {
    this.#toldBps = 0;
    this.#toldBehind = undefined;
  }

  onMedia(bytes: number): void {
    this.#mediaBytes += bytes;
  }

  /**
   * Some twenty times a second.
   *
   * @param sentBytes Of this connection. `behindMs`: age of the oldest unsent byte. `isDown`: there is no connection.
   */
  update(nowMs: number, sentBytes: number, behindMs: number, isDown: boolean, figures: Figures = {}): void {
    this.#control.update(nowMs, sentBytes, behindMs);
    const { bitsPerSecond } = this.#control;
    const isBehind = this.#control.isBehind || isDown;
    if (isBehind !== this.#toldBehind) {
      this.#toldBehind = isBehind;
      this.#encoder?.send({ type: 'behind', isBehind });
    }
    if (Math.abs(bitsPerSecond - this.#toldBps) > NEWS_RATIO * this.#toldBps) {
      this.#toldBps = bitsPerSecond;
      this.#encoder?.send({ type: 'bitrate', track: VIDEO_TRACK, bitsPerSecond, maxFrameBytes: 0 });
    }
    if (++this.#updates % FIGURES_EVERY !== 0) return;
    const all = { ...figures, mediaBytes: this.#mediaBytes, targetBps: bitsPerSecond };
    this.#encoder?.send({ type: 'figures', figures: all });
  }
}
