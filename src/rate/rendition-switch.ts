/**
 * Moves a track from one rendition to another without a gap or a step back in time, where the encoders allow it. In:
 * media frames of every rendition, as each encoder delivers them. Out: the frames to send, in order. Encoders lag behind
 * one another: frames from the key frame on are held until the other rendition has come to the same instant.
 */
import type { Micros } from '../base/protocol.ts';
import type { Ladder } from './ladder.ts';

/** Frames are held back for so long at the most: longer, and the picture would stand. */
const HOLD_US_MAX: Micros = 200_000;
/** Key frames of encoders in step that came too late to be used, before one is used all the same. */
const SKIPPED_MAX = 2;

/** What is held: frames of the wanted rendition that wait for the current one to come up, or the reverse. */
const NOTHING = 0;
const WANTED = 1;
const CURRENT = 2;

interface Held<Frame> {
  readonly timestampUs: number;
  readonly frame: Frame;
}

/** One per track. `Frame` is whatever the caller sends. */
export class RenditionSwitch<Frame> {
  readonly #ladder: Ladder;
  readonly #send: (frame: Frame, rendition: number) => void;
  readonly #lastKeyUs: number[] = [];
  #lastSentUs: number = Number.NEGATIVE_INFINITY;
  #holding: number = NOTHING;
  #goal = -1;
  #held: Held<Frame>[] = [];
  #heldSinceUs: Micros = 0;
  #skipped = 0;

  /** @param send Called for each frame that is to leave. */
  constructor(ladder: Ladder, send: (frame: Frame, rendition: number) => void) {
    this.#ladder = ladder;
    this.#send = send;
  }

  /** Frames wait for the other rendition to come up. */
  get isHolding(): boolean {
    return this.#holding !== NOTHING;
  }

  /** Takes one media frame; sends none, it, or what was held before it. @param timestampUs Media time. */
  push(frame: Frame, rendition: number, timestampUs: number, isKeyFrame: boolean, now: Micros): void {
    const { current, wanted } = this.#ladder;
    if (this.#holding !== NOTHING && this.#goal !== wanted) this.#giveUp();
    const wasAligned = this.#lastKeyUs[current] === this.#lastKeyUs[wanted];
    if (rendition === current) this.#pushCurrent(frame, timestampUs, isKeyFrame && wasAligned, now);
    else if (rendition === wanted) this.#pushWanted(frame, timestampUs, isKeyFrame, now);
    if (isKeyFrame) this.#lastKeyUs[rendition] = timestampUs;
  }

  #pushCurrent(frame: Frame, timestampUs: number, isInStep: boolean, now: Micros): void {
    const { current, wanted } = this.#ladder;
    if (this.#holding === WANTED) {
      if (timestampUs < (this.#held[0] as Held<Frame>).timestampUs && !this.#isOverdue(now))
        this.#emit(frame, current, timestampUs);
      else this.#switch(now);
      return;
    }
    if (this.#holding === CURRENT) {
      this.#held.push({ timestampUs, frame });
      if (this.#isOverdue(now)) this.#giveUp();
    } else if (wanted !== current && isInStep) {
      // The other encoder makes a key frame of this very picture: it may be a moment behind.
      this.#hold(CURRENT, frame, timestampUs, now);
    } else this.#emit(frame, current, timestampUs);
  }

  #pushWanted(frame: Frame, timestampUs: number, isKeyFrame: boolean, now: Micros): void {
    const { current } = this.#ladder;
    if (this.#holding === WANTED) {
      this.#held.push({ timestampUs, frame });
      if (this.#isOverdue(now)) this.#switch(now);
      return;
    }
    if (!isKeyFrame) return;
    if (this.#holding === CURRENT) {
      const held = this.#held;
      this.#clear();
      for (const item of held) {
        if (item.timestampUs < timestampUs) this.#emit(item.frame, current, item.timestampUs);
      }
    } else if (timestampUs > this.#lastSentUs) {
      this.#hold(WANTED, frame, timestampUs, now);
      return;
    } else if (timestampUs === this.#lastKeyUs[current] && this.#skipped < SKIPPED_MAX) {
      // The current rendition is ahead of this picture; at the next key frame it waits for it.
      this.#skipped++;
      return;
    }
    this.#hold(WANTED, frame, timestampUs, now);
    this.#switch(now);
  }

  #hold(what: number, frame: Frame, timestampUs: number, now: Micros): void {
    this.#holding = what;
    this.#goal = this.#ladder.wanted;
    this.#held = [{ timestampUs, frame }];
    this.#heldSinceUs = now;
  }

  #isOverdue(now: Micros): boolean {
    return now - this.#heldSinceUs > HOLD_US_MAX;
  }

  /** From here on the wanted rendition. */
  #switch(now: Micros): void {
    const held = this.#held;
    this.#clear();
    this.#skipped = 0;
    this.#ladder.switched(now);
    for (const { frame, timestampUs } of held) this.#emit(frame, this.#ladder.current, timestampUs);
  }

  /** The switch does not happen now: what the current rendition made goes out, late. */
  #giveUp(): void {
    const held = this.#holding === CURRENT ? this.#held : [];
    this.#clear();
    for (const { frame, timestampUs } of held) this.#emit(frame, this.#ladder.current, timestampUs);
  }

  #clear(): void {
    this.#holding = NOTHING;
    this.#held = [];
  }

  #emit(frame: Frame, rendition: number, timestampUs: number): void {
    this.#lastSentUs = timestampUs;
    this.#send(frame, rendition);
  }
}
