/**
 * Which of several renditions of the same video fits a path: down at once, up with hysteresis, temporal layers before
 * renditions, switches only at key frames. In: what the path carries, media frames of every rendition as their encoders
 * make them. Out: which of them to send, whose key frame is wanted. Pure: time is an argument.
 * Source: docs/rate-control.md §4.8; hysteresis and holds as in libwebrtc's simulcast allocation.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import { queueTargetUs } from './queue-law.ts';

/** One way to encode the video. Bits per second of media. */
export interface LadderStep {
  /** Below this its encoder cannot go. */
  readonly minBps: number;
  /** What it is meant to have. */
  readonly targetBps: number;
  /** More than this does not make it better. */
  readonly maxBps: number;
  /** Its share up to each temporal layer, the base first and 1 last; [1] = one layer. */
  readonly layerShares: readonly number[];
}

/** What is known of the path now. One object may serve all calls. */
export interface LadderPath {
  /** Bits per second of this media that the path has been shown to carry. */
  budgetBps: number;
  queueUs: Micros;
  /** Another flow holds the queue, so that its length says nothing. */
  isCompeting: boolean;
  /** Of the track: a key frame has to leave within it. */
  latencyUs: Micros;
}

/** Of a rendition's minimum: room that a step up, or one more layer, needs. */
const UP_FACTOR = 1.2;
/** How long there has to be too little for a step down, enough for a layer more, enough for a step up. */
const DOWN_US: Micros = 150 * MILLISECOND;
/** And enough to stay, while a step down waits for its key frame: what emptied a queue is over by then. */
const STAY_US: Micros = 150 * MILLISECOND;
const LAYER_UP_US: Micros = 500 * MILLISECOND;
const UP_US: Micros = 2 * SECOND;
/** A budget that falls by this share within a moment is a cut: no step up for a while after it. */
const CUT_SHARE = 0.9;
const CUT_WINDOW_US: Micros = 500 * MILLISECOND;
const CUT_HOLD_US: Micros = 3 * SECOND;
/** After a step down none goes up for the hold, which doubles with each step up that was undone soon. */
const HOLD_MIN_US: Micros = 5 * SECOND;
const HOLD_MAX_US: Micros = 60 * SECOND;
const UNDONE_US: Micros = 10 * SECOND;
/** The key frame of a switch is one more than there would have been: it is spread over the least stay. */
const KEY_FRAME_SECONDS = 5;
const KEY_FRAME_GAIN = 0.3;
/** A key frame that was asked for and has not come is asked for again. */
const ASK_US: Micros = SECOND;

const NEVER_US: Micros = Number.NEGATIVE_INFINITY;

/** See the file header. One per track. */
export class Ladder {
  /** The rendition whose frames are sent. */
  current: number;
  /** Where it goes with that rendition's next key frame; `current` if nowhere. */
  wanted: number;
  /** Temporal layers of the current one that are sent, 1 or more. */
  layers: number;
  readonly #steps: readonly LadderStep[];
  /** Bits of a key frame of each, as seen; 0 before the first. */
  readonly #keyFrameBits: number[];
  #budgetBps: number;
  #tooLittleSinceUs: Micros = NEVER_US;
  #enoughSinceUs: Micros = NEVER_US;
  #enoughToStaySinceUs: Micros = NEVER_US;
  #layerSinceUs: Micros = NEVER_US;
  #cutAtUs: Micros = NEVER_US;
  #peakBps = 0;
  #peakAtUs: Micros = NEVER_US;
  #steppedUpAtUs: Micros = NEVER_US;
  #noUpBeforeUs: Micros = NEVER_US;
  #holdUs: Micros = HOLD_MIN_US;
  #askedAtUs: Micros = NEVER_US;

  /** @param steps Lowest first. @param budgetBps What the path carries: the best that fits begins. */
  constructor(steps: readonly LadderStep[], budgetBps: number) {
    this.#steps = steps;
    this.#keyFrameBits = steps.map(() => 0);
    this.#budgetBps = budgetBps;
    this.current = 0;
    for (let i = 1; i < steps.length; i++)
      if ((steps[i] as LadderStep).targetBps <= budgetBps) this.current = i;
    this.wanted = this.current;
    this.layers = this.#step(this.current).layerShares.length;
  }

  /** What the encoder of the rendition that is sent, or about to be, may make now, bits per second. */
  get bitrateBps(): number {
    const { minBps, maxBps } = this.#step(this.wanted);
    return Math.max(minBps, Math.min(maxBps, this.#budgetBps));
  }

  /** What a step up needs: worth finding out whether the path carries it. 0 = there is none, or not now. */
  wantedBps(now: Micros): number {
    const next = this.#steps[this.current + 1];
    if (next === undefined || this.wanted !== this.current) return 0;
    const isHeld = now < this.#noUpBeforeUs || now - this.#cutAtUs < CUT_HOLD_US;
    return isHeld ? 0 : this.#upBps(this.current + 1);
  }

  /** Looks at the path. Call often: with every media frame. */
  onPath(path: LadderPath, now: Micros): void {
    this.#budgetBps = path.budgetBps;
    this.#noteCut(path.budgetBps, now);
    if (path.budgetBps < this.#needBps(this.wanted, 1)) this.#considerDown(path, now);
    else this.#tooLittleSinceUs = NEVER_US;
    this.#considerStay(path, now);
    this.#considerLayers(path.budgetBps, now);
    this.#considerUp(path, now);
  }

  /** A media frame of any rendition: learns what its key frames cost. */
  onFrame(rendition: number, isKeyFrame: boolean, bytes: number): void {
    if (!isKeyFrame) return;
    const known = this.#keyFrameBits[rendition] as number;
    const bits = bytes * 8;
    this.#keyFrameBits[rendition] = known === 0 ? bits : known + (bits - known) * KEY_FRAME_GAIN;
  }

  /** The wanted rendition's key frame is being sent: from now on it is the current one. */
  switched(now: Micros): void {
    if (this.wanted > this.current) this.#steppedUpAtUs = now;
    this.current = this.wanted;
    this.layers = this.#step(this.current).layerShares.length;
    this.#enoughSinceUs = NEVER_US;
    this.#layerSinceUs = NEVER_US;
    this.#askedAtUs = NEVER_US;
  }

  /** The rendition whose encoder should be asked for a key frame now, or -1. */
  takeRequest(now: Micros): number {
    if (this.wanted === this.current || now - this.#askedAtUs < ASK_US) return -1;
    this.#askedAtUs = now;
    return this.wanted;
  }

  #step(index: number): LadderStep {
    return this.#steps[index] as LadderStep;
  }

  /** What the rendition takes at the least with so many temporal layers. */
  #needBps(index: number, layers: number): number {
    const { minBps, layerShares } = this.#step(index);
    return minBps * (layerShares[Math.min(layers, layerShares.length) - 1] as number);
  }

  #noteCut(budgetBps: number, now: Micros): void {
    if (budgetBps >= this.#peakBps || now - this.#peakAtUs > CUT_WINDOW_US) {
      this.#peakBps = budgetBps;
      this.#peakAtUs = now;
    } else if (budgetBps < CUT_SHARE * this.#peakBps) {
      this.#cutAtUs = now;
      this.#peakBps = budgetBps;
      this.#peakAtUs = now;
    }
  }

  /** Not even the base layer fits. At once after a cut, else if it stays so. */
  #considerDown(path: LadderPath, now: Micros): void {
    if (this.wanted === 0) return;
    if (this.#tooLittleSinceUs === NEVER_US) this.#tooLittleSinceUs = now;
    if (this.#cutAtUs !== now && now - this.#tooLittleSinceUs < DOWN_US) return;
    let fits = this.wanted - 1;
    while (fits > 0 && !this.#fits(fits, path)) fits--;
    if (this.wanted > this.current && fits >= this.current) {
      // A step up that has not happened yet is not taken: that undoes nothing.
      this.wanted = Math.max(this.current, fits);
    } else {
      this.wanted = fits;
      const isUndone = now - this.#steppedUpAtUs < UNDONE_US;
      this.#holdUs = isUndone ? Math.min(HOLD_MAX_US, 2 * this.#holdUs) : HOLD_MIN_US;
    }
    this.#noUpBeforeUs = now + this.#holdUs;
    this.#tooLittleSinceUs = NEVER_US;
    this.#enoughSinceUs = NEVER_US;
    this.#askedAtUs = NEVER_US;
  }

  /** A step down that waits for its key frame is not taken, or not so far, when there is enough again: it costs a key frame. */
  #considerStay(path: LadderPath, now: Micros): void {
    let fits = this.current;
    while (fits > this.wanted && !this.#fitsWell(fits, path)) fits--;
    if (fits <= this.wanted) {
      this.#enoughToStaySinceUs = NEVER_US;
      return;
    }
    if (this.#enoughToStaySinceUs === NEVER_US) this.#enoughToStaySinceUs = now;
    if (now - this.#enoughToStaySinceUs < STAY_US) return;
    this.wanted = fits;
    this.#enoughToStaySinceUs = NEVER_US;
    this.#askedAtUs = NEVER_US;
  }

  #fitsWell(index: number, path: LadderPath): boolean {
    const isQueueShort = path.isCompeting || path.queueUs < queueTargetUs(path.budgetBps);
    return isQueueShort && path.budgetBps >= UP_FACTOR * this.#needBps(index, 1) && this.#fits(index, path);
  }

  /** It has enough for the least that the rendition takes, and its key frame can leave within the latency. */
  #fits(index: number, { budgetBps, latencyUs }: LadderPath): boolean {
    const keyFrameBits = this.#keyFrameBits[index] as number;
    return this.#needBps(index, 1) <= budgetBps && keyFrameBits * 1e6 <= budgetBps * latencyUs;
  }

  #considerLayers(budgetBps: number, now: Micros): void {
    const { current, layers } = this;
    const all = this.#step(current).layerShares.length;
    if (layers > 1 && budgetBps < this.#needBps(current, layers)) {
      this.layers = layers - 1;
      this.#layerSinceUs = NEVER_US;
    } else if (layers < all && budgetBps >= UP_FACTOR * this.#needBps(current, layers + 1)) {
      if (this.#layerSinceUs === NEVER_US) this.#layerSinceUs = now;
      if (now - this.#layerSinceUs < LAYER_UP_US) return;
      this.layers = layers + 1;
      this.#layerSinceUs = NEVER_US;
    } else this.#layerSinceUs = NEVER_US;
  }

  #considerUp(path: LadderPath, now: Micros): void {
    if (!this.#mayStepUp(path, now)) {
      this.#enoughSinceUs = NEVER_US;
      return;
    }
    if (this.#enoughSinceUs === NEVER_US) this.#enoughSinceUs = now;
    if (now - this.#enoughSinceUs < UP_US || now < this.#noUpBeforeUs) return;
    this.wanted++;
    this.#enoughSinceUs = NEVER_US;
    this.#askedAtUs = NEVER_US;
  }

  #mayStepUp(path: LadderPath, now: Micros): boolean {
    const { current, wanted } = this;
    if (wanted !== current) return false;
    const next = this.#steps[current + 1];
    if (next === undefined || now - this.#cutAtUs < CUT_HOLD_US) return false;
    return path.budgetBps >= this.#upBps(current + 1) && this.#fitsWell(current + 1, path);
  }

  /** What there has to be for a step up to a rendition, its key frame included. */
  #upBps(index: number): number {
    const { minBps, targetBps } = this.#step(index);
    const keyFrameBps = (this.#keyFrameBits[index] as number) / KEY_FRAME_SECONDS;
    return Math.max(UP_FACTOR * minBps + keyFrameBps, targetBps);
  }
}
