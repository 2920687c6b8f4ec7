/**
 * One video in several renditions, of which the one that fits is sent. In: media frames of every rendition, as their
 * encoders make them. Out: one track. The decisions are those of rate/ladder.ts. Source: docs/api.md.
 */
import { copyBytes } from '../base/bytes.ts';
import { Ladder, type LadderPath, type LadderStep } from '../rate/ladder.ts';
import { RenditionSwitch } from '../rate/rendition-switch.ts';
import type { Connection } from './connection.ts';
import { nowUs } from './driver.ts';
import { inRange } from './in-range.ts';
import { BitrateChangeEvent, type FrameOptions, type OutgoingTrack } from './outgoing-track.ts';
import type { TrackOptions } from './tracks.ts';

/** One way in which the video is encoded. Bits per second of media. */
export interface Rendition {
  /** Unique among the renditions. */
  readonly name: string;
  /** What it is meant to have. */
  readonly targetBitrate: number;
  /** The least that its encoder can do. Default: `targetBitrate`, for an encoder with a fixed rate. */
  readonly minBitrate?: number | undefined;
  /** More makes it no better. Default: `targetBitrate`. */
  readonly maxBitrate?: number | undefined;
  /** Share of the rendition's bits up to each temporal layer, ascending, the last 1: `[0.6, 1]`. Default: one layer. */
  readonly layers?: readonly number[] | undefined;
}

/** What is said of one media frame of a rendition. */
export interface RenditionFrameOptions extends FrameOptions {
  /** Presentation time, integer microseconds: the same in every rendition of the same picture. */
  readonly timestamp: number;
  /** Temporal layer, 0 = base. No frame needs one of a higher layer. */
  readonly layer?: number;
}

/** Options of the ladder's track. The encoders' maximum comes from the renditions. */
export interface LadderOptions extends Omit<TrackOptions, 'maxBitrate'> {
  /**
   * Called with each media frame that leaves, for formats that number their packets across renditions (RTP, MPEG-TS);
   * gives the bytes to send. It may change them in place.
   */
  readonly rewrite?: ((data: Uint8Array, rendition: string) => Uint8Array) | undefined;
}

/** A `renditionchange` event, and a `keyframerequest`: which rendition it is about. */
export class RenditionEvent extends Event {
  readonly rendition: string;

  constructor(type: 'renditionchange' | 'keyframerequest', rendition: string) {
    super(type);
    this.rendition = rendition;
  }
}

const RENDITIONS_MAX = 16;
const LAYERS_MAX = 8;
/** The path is asked for this much more than the best rendition takes: without room to spare there is no step up. */
const HEADROOM = 1.4;
/** A rise below this is not worth an encoder's attention; every fall is. */
const RISE_MIN = 1.03;

interface HeldFrame {
  data: Uint8Array;
  readonly options: RenditionFrameOptions;
}

/**
 * Makes a track of `connection` that carries one of several renditions at a time.
 *
 * @param renditions 1 to 16, in any order.
 * @throws TypeError, RangeError for renditions that make no sense; what `createTrack` throws.
 */
export function createLadder(
  connection: Connection,
  renditions: readonly Rendition[],
  options: LadderOptions = {},
): RenditionLadder {
  const steps = checkedSteps(renditions);
  const maxBitrate = HEADROOM * Math.max(...steps.map(({ step }) => step.maxBps));
  const { rewrite, ...trackOptions } = options;
  if (options.latency === Number.POSITIVE_INFINITY) throw new RangeError('a ladder needs a finite latency');
  return new RenditionLadder(connection.createTrack({ ...trackOptions, maxBitrate }), steps, rewrite);
}

interface NamedStep {
  readonly name: string;
  readonly step: LadderStep;
}

/**
 * Events: `renditionchange` and `keyframerequest` ({@link RenditionEvent}), `bitratechange`
 * ({@link BitrateChangeEvent}: what the encoder of the rendition that is sent, or about to be, may make).
 */
export class RenditionLadder extends EventTarget {
  /** The track that carries the media; `track.end()` ends the ladder. */
  readonly track: OutgoingTrack;
  readonly #names: readonly string[];
  readonly #indices: ReadonlyMap<string, number>;
  readonly #ladder: Ladder;
  readonly #switch: RenditionSwitch<HeldFrame>;
  readonly #path: LadderPath = { budgetBps: 0, queueUs: 0, isCompeting: false, latencyUs: 0 };
  #toldBps = 0;
  #toldWanted = -1;
  #told = -1;
  #wasSent = false;
  #isBroken = false;
  readonly #rewrite: LadderOptions['rewrite'];

  /** @internal Made by `createLadder` only. */
  constructor(track: OutgoingTrack, steps: readonly NamedStep[], rewrite: LadderOptions['rewrite']) {
    super();
    this.track = track;
    this.#rewrite = rewrite;
    this.#names = steps.map(({ name }) => name);
    this.#indices = new Map(this.#names.map((name, index) => [name, index]));
    track.describePath(this.#path);
    this.#ladder = new Ladder(
      steps.map(({ step }) => step),
      this.#path.budgetBps,
    );
    this.#switch = new RenditionSwitch(this.#ladder, (frame, rendition) => this.#emit(frame, rendition));
    track.addEventListener('keyframerequest', () => {
      this.dispatchEvent(new RenditionEvent('keyframerequest', this.#nameOf(this.#ladder.wanted)));
    });
    track.addEventListener('bitratechange', () => this.#look());
  }

  /** Names, lowest first. */
  get renditions(): readonly string[] {
    return this.#names;
  }

  /** The rendition whose frames are sent. */
  get current(): string {
    return this.#nameOf(this.#ladder.current);
  }

  /** Where it goes with that rendition's next key frame; `current` if nowhere. */
  get wanted(): string {
    return this.#nameOf(this.#ladder.wanted);
  }

  /** Temporal layers of the current rendition that are sent. */
  get layers(): number {
    return this.#ladder.layers;
  }

  /** What the encoder of the wanted rendition may make now, bits per second. */
  get targetBitrate(): number {
    return Math.floor(this.#ladder.bitrateBps);
  }

  /**
   * Takes one media frame of one rendition: sent if it is that one's turn, else forgotten. The bytes are copied.
   *
   * @throws RangeError for a name that is no rendition; what `track.send` throws.
   */
  send(rendition: string, data: Uint8Array, options: RenditionFrameOptions): void {
    const index = this.#indices.get(rendition);
    if (index === undefined) throw new RangeError(`there is no rendition '${rendition}' in this ladder`);
    if (!(data instanceof Uint8Array)) throw new TypeError('a media frame is a Uint8Array');
    const now = nowUs();
    const { keyFrame = false, timestamp } = options;
    if (!Number.isSafeInteger(timestamp)) throw new TypeError('timestamp must be an integer (microseconds)');
    this.#ladder.onFrame(index, keyFrame, data.length);
    this.#look();
    const frame: HeldFrame = { data, options };
    this.#wasSent = false;
    this.#switch.push(frame, index, timestamp, keyFrame, now);
    if (!this.#wasSent && this.#switch.isHolding) frame.data = copyBytes(data);
    this.#tell();
  }

  #nameOf(index: number): string {
    return this.#names[index] as string;
  }

  #emit({ data, options }: HeldFrame, rendition: number): void {
    this.#wasSent = true;
    const { layer = 0, discardable, ...rest } = options;
    const { layers } = this.#ladder;
    if (layer >= layers || this.#isGivenUp(options.keyFrame === true)) return;
    const bytes = this.#rewrite?.(data, this.#nameOf(rendition)) ?? data;
    this.track.send(bytes, { ...rest, discardable: discardable ?? layer > 0 });
  }

  /**
   * On the way down, what no longer fits makes room for the key frame that is waited for: once a frame is left out, so
   * is the rest up to a key frame, which could not be decoded without it.
   */
  #isGivenUp(isKeyFrame: boolean): boolean {
    const { wanted, current } = this.#ladder;
    if (wanted >= current) this.#isBroken = false;
    else if (this.track.queuedMs > this.track.latency / 2) this.#isBroken = true;
    else if (isKeyFrame) this.#isBroken = false;
    return this.#isBroken;
  }

  #look(): void {
    const now = nowUs();
    this.track.describePath(this.#path);
    this.#ladder.onPath(this.#path, now);
    this.track.want(this.#ladder.wantedBps(now));
    this.#tell();
  }

  /** Events for what has changed. */
  #tell(): void {
    const { current, wanted } = this.#ladder;
    const request = this.#ladder.takeRequest(nowUs());
    if (request >= 0) this.dispatchEvent(new RenditionEvent('keyframerequest', this.#nameOf(request)));
    if (this.#told !== current) {
      this.#told = current;
      this.dispatchEvent(new RenditionEvent('renditionchange', this.#nameOf(current)));
    }
    const bps = this.targetBitrate;
    const isNews = bps < this.#toldBps || bps >= RISE_MIN * this.#toldBps;
    if (this.#toldWanted === wanted && (bps === this.#toldBps || !isNews)) return;
    this.#toldWanted = wanted;
    this.#toldBps = bps;
    this.dispatchEvent(new BitrateChangeEvent(bps, this.track.maxFrameBytes));
  }
}

/** The renditions as steps, lowest target first. */
function checkedSteps(renditions: readonly Rendition[]): NamedStep[] {
  if (!Array.isArray(renditions) || renditions.length < 1 || renditions.length > RENDITIONS_MAX) {
    throw new RangeError(`a ladder has 1 to ${RENDITIONS_MAX} renditions`);
  }
  const steps = renditions.map((rendition) => ({ name: rendition.name, step: checkedStep(rendition) }));
  for (const { name } of steps) {
    if (typeof name !== 'string' || name === '') throw new TypeError('a rendition has a name');
  }
  if (new Set(steps.map(({ name }) => name)).size < steps.length)
    throw new RangeError('two renditions have the same name');
  return steps.sort((a, b) => a.step.targetBps - b.step.targetBps);
}

function checkedStep(rendition: Rendition): LadderStep {
  const { layers = [1] } = rendition;
  const targetBps = inRange(rendition.targetBitrate, 'targetBitrate', 1000, 10_000_000_000, Number.NaN);
  if (Number.isNaN(targetBps)) throw new TypeError('a rendition has a targetBitrate');
  const minBps = inRange(rendition.minBitrate, 'minBitrate', 1000, targetBps, targetBps);
  const maxBps = inRange(rendition.maxBitrate, 'maxBitrate', targetBps, 10_000_000_000, targetBps);
  const isAscending = layers.every((share, i) => share > (layers[i - 1] ?? 0));
  if (layers.length < 1 || layers.length > LAYERS_MAX || !isAscending || layers.at(-1) !== 1) {
    throw new RangeError('layers are shares that ascend to 1, as in [0.6, 1]');
  }
  return { minBps, targetBps, maxBps, layerShares: [...layers] };
}
