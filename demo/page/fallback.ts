/**
 * Where a browser has no WebCodecs: a clip as MPEG-TS through Media Source Extensions, over both transports. In: the
 * streams of the server. Out: pictures, and how long they stood still; no latency, since the clip has no clock of ours.
 */
import mpegts from 'mpegts.js';

const LOOK_MS = 50;
/** The same picture for longer than this is a freeze. */
const FREEZE_MS = 180;
/** Before a broken player is replaced. */
const AGAIN_MS = 300;

/** How one side's clip does. */
export interface ClipReport {
  readonly framesDecoded: number;
  readonly freezes: number;
  readonly freezeMs: number;
  readonly watchedMs: number;
}

/** One side. */
export class ClipPlayer {
  readonly #video: HTMLVideoElement;
  #startedAtMs: number | undefined;
  #movedAtMs = 0;
  #time = 0;
  #freezes = 0;
  #freezeMs = 0;
  #lookedAtMs = 0;
  #isFrozen = false;
  #isClosed = false;
  #stop: () => void = () => {};

  /** @param address Of the stream. */
  constructor(video: HTMLVideoElement, address: string) {
    this.#video = video;
    mpegts.LoggingControl.enableAll = false;
    this.#open(address);
    setInterval(() => this.#look(performance.now()), LOOK_MS);
  }

  #open(address: string): void {
    const player = mpegts.createPlayer(
      { type: 'mpegts', isLive: true, url: address },
      {
        enableStashBuffer: false,
        lazyLoad: false,
        autoCleanupSourceBuffer: true,
        // What came late is not watched late: the player jumps to the live edge.
        liveBufferLatencyChasing: true,
        liveBufferLatencyMaxLatency: 1.2,
        liveBufferLatencyMinRemain: 0.3,
      },
    );
    let isOver = false;
    // Browsers end the whole player at one damaged picture: a new one begins at the next key frame.
    player.on(mpegts.Events.ERROR, () => {
      if (isOver || this.#isClosed) return;
      isOver = true;
      setTimeout(() => {
        if (this.#isClosed) return;
        player.destroy();
        this.#open(address);
      }, AGAIN_MS);
    });
    this.#stop = () => player.destroy();
    player.attachMediaElement(this.#video);
    player.load();
    void Promise.resolve(player.play()).catch(() => {});
  }

  #look(nowMs: number): void {
    const { currentTime } = this.#video;
    const sinceMs = nowMs - this.#lookedAtMs;
    this.#lookedAtMs = nowMs;
    if (currentTime !== this.#time) {
      this.#time = currentTime;
      this.#movedAtMs = nowMs;
      this.#startedAtMs ??= nowMs;
      this.#isFrozen = false;
      return;
    }
    // A hidden tab is looked at once a second: nobody could see a freeze.
    if (this.#startedAtMs === undefined || sinceMs > 4 * LOOK_MS) return;
    if (this.#isFrozen) {
      this.#freezeMs += sinceMs;
    } else if (nowMs - this.#movedAtMs > FREEZE_MS) {
      this.#isFrozen = true;
      this.#freezes++;
      this.#freezeMs += nowMs - this.#movedAtMs;
    }
  }

  /** The picture stays as it is. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  report(): ClipReport {
    return {
      framesDecoded: this.#video.getVideoPlaybackQuality().totalVideoFrames,
      freezes: this.#freezes,
      freezeMs: this.#freezeMs,
      watchedMs: this.#startedAtMs === undefined ? 0 : performance.now() - this.#startedAtMs,
    };
  }
}
