/**
 * In which order, and when, the media frames of one track are handed out. In: frames as they become known, complete or
 * abandoned. Out: each at most once, through `take`. In send order a complete frame waits for a missing earlier one
 * at most until that one's deadline; without order it leaves when complete; timed, when it is due.
 * Source: DESIGN D3; docs/options.md (`order`, `delivery`).
 */
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import type { ArrivalClock } from './arrival-clock.ts';
import { DueFrames } from './due-frames.ts';
import { FrameWindow } from './frame-window.ts';
import type { HeldShare } from './held.ts';
import { HELD_FRAMES_MAX, INCOMPLETE_FRAMES_MAX, LATE_HOLD_US, LATENCY_US_MAX } from './limits.ts';
import { PlayoutClock } from './playout.ts';
import type { ReceivedMedia } from './received-media.ts';
import type { Arrival, Delivery, FrameCounts, Order } from './types.ts';
import { UsualInterval } from './usual-interval.ts';

/** Gets the media frames in order, to be released. `skipped`: media frames missing since the one before. */
export type TakeFrame = (frame: ReceivedMedia, how: Arrival, skipped: number, now: Micros) => void;

/**
 * The latency is on top of the time that the media frame itself takes to arrive: while its symbols come this close together,
 * it is not given up between two of them, for so long at the most.
 */
const ARRIVING_GAP_US: Micros = 2 * MILLISECOND;
const ARRIVING_MAX_US: Micros = 10 * MILLISECOND;

/** See the file header. */
export class DeliveryOrder {
  readonly #clock: ArrivalClock;
  readonly #counts: FrameCounts;
  readonly #take: TakeFrame;
  readonly #held: HeldShare;
  readonly #frames: FrameWindow;
  readonly #playout: PlayoutClock = new PlayoutClock();
  /** The window may have been passed over them. */
  readonly #timed: DueFrames;
  /** Frames before this index of the window have been passed. */
  #next = 0;
  #incomplete = 0;
  /** Complete frames that wait for an earlier one. */
  #waiting = 0;
  #nextFrameId = 0;
  #skipped = 0;
  #lastSentAtUs: Micros = 0;
  /** Distance of media frames as they were sent. */
  readonly #interval: UsualInterval = new UsualInterval();
  /** Before the announcement: what is older cannot be of use, whatever is announced. */
  #latencyUs: Micros = LATENCY_US_MAX;
  /** When the newest repair symbol came that may make up for what is waited for. */
  #repairAtUs: Micros = -NEVER;
  /** Nothing is handed out before. */
  #isAnnounced = false;
  #isTimed = false;
  #isUnordered = false;
  #finalSymbol = -1;
  #finalFrameId = 0;
  #finalDueUs: Micros = NEVER;
  /** Symbol ids below this are passed or handed out. */
  cursor = 0;
  evictedFrames = 0;

  constructor(clock: ArrivalClock, counts: FrameCounts, held: HeldShare, take: TakeFrame) {
    this.#clock = clock;
    this.#counts = counts;
    this.#held = held;
    this.#frames = new FrameWindow(held);
    this.#timed = new DueFrames(held);
    this.#take = take;
  }

  /** Every media frame was handed out or passed, up to the final one. */
  get isFinished(): boolean {
    if (!this.#isAnnounced || this.#finalSymbol < 0) return false;
    return this.cursor >= this.#finalSymbol && this.#timed.length === 0;
  }

  get frameCount(): number {
    return this.#frames.length;
  }

  /** Frame `index`, ascending. For reports. */
  frameAt(index: number): ReceivedMedia | undefined {
    return this.#frames.at(index);
  }

  find(first: number): ReceivedMedia | undefined {
    return this.#frames.find(first);
  }

  /** The lowest symbol id that may still become part of a complete frame that is known. */
  get lowestOpen(): number {
    const oldest = this.#frames.at(0);
    return oldest === undefined ? this.cursor : Math.min(this.cursor, oldest.first);
  }

  announce(latencyUs: Micros, delivery: Delivery, order: Order, now: Micros): void {
    this.#isAnnounced = true;
    this.#latencyUs = latencyUs;
    this.#isTimed = delivery === 'timed';
    this.#isUnordered = order === 'none';
    if (this.#finalSymbol >= 0) this.#finalDueUs = now + latencyUs;
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = this.#frames.at(i) as ReceivedMedia;
      if (frame.hasHead) this.#learn(frame, now);
      if (frame.isComplete && this.#isUnordered) this.#release(frame, now);
    }
    this.advance(now);
  }

  /** The sender's clock is known now: what was met before, by a TRACK_SKIP, was given times of our own. */
  moveSendTimes(byUs: Micros): void {
    for (let i = 0; i < this.#frames.length; i++) (this.#frames.at(i) as ReceivedMedia).sentAtUs += byUs;
  }

  /** @returns False if it contradicts what is held. */
  insert(frame: ReceivedMedia): boolean {
    if (frame.first < this.cursor && frame.end > this.cursor) return false;
    const index = this.#frames.insert(frame);
    if (index < 0) return false;
    this.#incomplete++;
    if (frame.first < this.cursor || index < this.#next) {
      frame.isPassed = true;
      this.#next++;
    }
    return true;
  }

  /** Index 0 of the frame is at hand: its timestamp is known. */
  onHead(frame: ReceivedMedia, now: Micros): void {
    if (this.#isAnnounced) this.#learn(frame, now);
  }

  #learn(frame: ReceivedMedia, now: Micros): void {
    if (!this.#isTimed) return;
    this.#playout.onFrame(frame.timestampUs, frame.sentAtUs + this.#clock.offsetUs, now);
    // Fixed here: what waits is not moved by what the clock learns later, a jump of the timeline least of all.
    frame.dueUs = this.#playout.dueUs(frame.timestampUs, this.#latencyUs);
  }

  /** `frame.complete` was called. Follow with `advance`. */
  onComplete(frame: ReceivedMedia, now: Micros): void {
    this.#incomplete--;
    if (frame.isPassed) {
      this.#completeLate(frame, now);
      return;
    }
    this.#waiting++;
    if (this.#isUnordered && this.#isAnnounced) this.#release(frame, now);
  }

  /** The track ends: symbols below `finalSymbol` and media frames below `finalFrameId` are all there will be. */
  end(finalSymbol: number, finalFrameId: number, now: Micros): void {
    this.#finalSymbol = finalSymbol;
    this.#finalFrameId = finalFrameId;
    this.#finalDueUs = now + this.#latencyUs;
    this.advance(now);
  }

  /** Hands out and passes what is due. O(1) per frame. */
  advance(now: Micros): void {
    if (!this.#isAnnounced) {
      this.#expire(now);
      return;
    }
    for (let due = this.#timed.first; due !== undefined && due.dueUs <= now; due = this.#timed.first) {
      this.#handTimed(now);
    }
    for (let head = this.#frames.at(this.#next); head !== undefined; head = this.#frames.at(this.#next)) {
      if (!head.isAbandoned || head.first > this.cursor) {
        if (now < this.#leaveAtUs(head)) break;
      }
      this.#leave(head, now);
    }
    this.#forgetPassed(now);
    const isTail = this.#finalSymbol >= 0 && this.#frames.at(this.#next) === undefined;
    if (isTail && (this.cursor >= this.#finalSymbol || now >= this.#finalDueUs)) {
      this.cursor = Math.max(this.cursor, this.#finalSymbol);
      this.#countGap(this.#finalFrameId);
    }
  }

  /** Lets the oldest go while more is held than allowed: first what can be handed out, if before it is due. */
  enforceLimits(now: Micros): void {
    while (this.#timed.length > HELD_FRAMES_MAX || (this.#timed.length > 0 && this.#held.isExceeded)) {
      this.evictedFrames++;
      this.#handTimed(now);
    }
    while (
      this.#incomplete > INCOMPLETE_FRAMES_MAX ||
      this.#frames.length > HELD_FRAMES_MAX ||
      this.#held.isExceeded
    ) {
      this.#evictOldest(now);
    }
  }

  /** Passes everything below `symbolId`. */
  passBelow(symbolId: number, now: Micros): void {
    for (let oldest = this.#frames.at(0); oldest !== undefined; oldest = this.#frames.at(0)) {
      if (oldest.first >= symbolId) break;
      this.#evictOldest(now);
    }
    this.cursor = Math.max(this.cursor, symbolId);
  }

  nextDeadline(): Micros {
    const oldest = this.#frames.at(0);
    if (!this.#isAnnounced) return oldest === undefined ? NEVER : this.#deadlineUs(oldest);
    let deadline = NEVER;
    if (this.#next > 0) deadline = this.#deadlineUs(oldest as ReceivedMedia) + LATE_HOLD_US;
    const head = this.#frames.at(this.#next);
    if (head !== undefined) deadline = Math.min(deadline, this.#leaveAtUs(head));
    else if (this.cursor < this.#finalSymbol) deadline = Math.min(deadline, this.#finalDueUs);
    return Math.min(deadline, this.#timed.first?.dueUs ?? NEVER);
  }

  clear(): void {
    this.#frames.clear();
    this.#timed.clear();
    this.#next = 0;
    this.#incomplete = 0;
    this.#waiting = 0;
  }

  /** When the receiver gives a media frame up, on its clock. */
  #deadlineUs(frame: ReceivedMedia): Micros {
    if (this.#isTimed && frame.hasHead) return frame.dueUs;
    return frame.sentAtUs + this.#clock.offsetUs + this.#latencyUs;
  }

  /** When the first frame that is not passed leaves: handed out, or passed together with the gap before it. */
  #leaveAtUs(head: ReceivedMedia): Micros {
    if (head.first === this.cursor && head.isComplete) {
      return this.#isTimed && !head.isDelivered ? head.dueUs : 0;
    }
    // Waiting costs nothing while nothing complete is held up; a late frame is better than none.
    const deadlineUs = this.#deadlineUs(head);
    if (this.#waiting === 0) return deadlineUs - this.#aheadUs(head) + LATE_HOLD_US;
    const dueUs = deadlineUs - this.#aheadUs(head);
    if (this.#isTimed) return dueUs;
    // Of a media frame before it that is missing altogether only repair symbols can have come.
    const lastAtUs =
      head.first === this.cursor ? Math.max(head.lastAtUs, this.#repairAtUs) : this.#repairAtUs;
    const arrivingUs = lastAtUs + ARRIVING_GAP_US;
    return arrivingUs > dueUs ? Math.min(arrivingUs, dueUs + ARRIVING_MAX_US) : dueUs;
  }

  /** A repair symbol over a block from symbol `first` on has come: it may make up for what is waited for. */
  onRepair(first: number, now: Micros): void {
    const head = this.#frames.at(this.#next);
    if (head !== undefined && first < (head.isComplete ? head.first : head.end)) this.#repairAtUs = now;
  }

  /** How long before `head` the frame before it was sent, if that is missing altogether: at least its usual distance. */
  #aheadUs(head: ReceivedMedia): Micros {
    if (head.first === this.cursor || this.#isTimed || this.#interval.us === 0) return 0;
    const missing = head.hasHead ? Math.max(1, head.frameId - this.#nextFrameId) : 1;
    const distance = (head.sentAtUs - this.#lastSentAtUs) / (missing + 1);
    return Math.max(0, Math.min(distance, this.#interval.us));
  }

  /** Learns how far apart media frames are sent. */
  #noteInterval(frame: ReceivedMedia): void {
    if (this.#lastSentAtUs > 0 && frame.frameId === this.#nextFrameId) {
      this.#interval.note(frame.sentAtUs - this.#lastSentAtUs, this.#latencyUs);
    }
    this.#lastSentAtUs = frame.sentAtUs;
  }

  /** Moves the cursor over `head` and the gap before it. */
  #leave(head: ReceivedMedia, now: Micros): void {
    this.cursor = head.end;
    if (!head.isComplete) {
      head.isPassed = true;
      this.#next++;
      if (head.hasHead) this.#countGap(head.frameId + 1);
      return;
    }
    this.#frames.removeAt(this.#next);
    this.#noteInterval(head);
    this.#countGap(head.frameId);
    this.#nextFrameId = Math.max(this.#nextFrameId, head.frameId + 1);
    if (head.isDelivered) return;
    this.#waiting--;
    this.#hand(head, now);
  }

  /** Media frames from the next one up to `frameId` (exclusive) are lost, as far as anybody knows. */
  #countGap(frameId: number): void {
    const gap = frameId - this.#nextFrameId;
    if (gap <= 0) return;
    this.#counts.sent += gap;
    this.#counts.lost += gap;
    this.#skipped += gap;
    this.#nextFrameId = frameId;
  }

  /** A complete frame without order leaves now, or when it is due; its place is kept until the cursor is there. */
  #release(frame: ReceivedMedia, now: Micros): void {
    frame.isDelivered = true;
    this.#waiting--;
    if (!this.#isTimed || frame.dueUs <= now) {
      this.#hand(frame, now);
      return;
    }
    this.#timed.push(frame);
  }

  /** The first of the timed ones, of which there is one. */
  #handTimed(now: Micros): void {
    this.#hand(this.#timed.shift() as ReceivedMedia, now);
  }

  #hand(frame: ReceivedMedia, now: Micros): void {
    const isLate = frame.completedAtUs > this.#deadlineUs(frame);
    const how = isLate ? 'late' : arrivalOf(frame);
    const counts = this.#counts;
    counts.sent++;
    if (how === 'late') counts.late++;
    else if (how === 'fec') counts.fec++;
    else if (how === 'resent') counts.resent++;
    else counts.onTime++;
    if (this.#isTimed) this.#playout.onPlayed(isLate);
    if (isLate && this.#isTimed) this.#skipped++;
    else this.#give(frame, how, now);
    frame.release();
  }

  #give(frame: ReceivedMedia, how: Arrival, now: Micros): void {
    const skipped = this.#skipped;
    this.#skipped = 0;
    this.#take(frame, how, skipped, now);
  }

  /** A frame that order has passed is complete after all: late, and of use only where there is no order. */
  #completeLate(frame: ReceivedMedia, now: Micros): void {
    const counts = this.#counts;
    this.#removePassed(this.#frames.indexAfter(frame.first) - 1);
    if (frame.frameId >= this.#nextFrameId) this.#countGap(frame.frameId + 1);
    if (counts.lost > 0) counts.lost--;
    else counts.sent++;
    counts.late++;
    if (this.#isUnordered && !this.#isTimed) {
      this.#skipped = Math.max(0, this.#skipped - 1);
      this.#give(frame, 'late', now);
    }
    frame.release();
  }

  /** Forgets passed frames that nobody waits for any more: lost. */
  #forgetPassed(now: Micros): void {
    while (this.#next > 0) {
      const oldest = this.#frames.at(0) as ReceivedMedia;
      if (!oldest.isAbandoned && now < this.#deadlineUs(oldest) + LATE_HOLD_US) return;
      this.#incomplete--;
      this.#removePassed(0);
      oldest.release();
    }
  }

  /** Gives up what the announcement has come too late for, if it ever comes. */
  #expire(now: Micros): void {
    for (let oldest = this.#frames.at(0); oldest !== undefined; oldest = this.#frames.at(0)) {
      if (now < this.#deadlineUs(oldest)) return;
      this.#evictOldest(now);
    }
  }

  #evictOldest(now: Micros): void {
    const oldest = this.#frames.at(0) as ReceivedMedia;
    this.evictedFrames++;
    if (this.#next === 0 && oldest.isComplete && this.#isAnnounced) {
      this.#leave(oldest, now);
      return;
    }
    if (oldest.isComplete) this.#waiting--;
    else this.#incomplete--;
    if (this.#next === 0) {
      this.cursor = oldest.end;
      if (oldest.hasHead) this.#countGap(oldest.frameId + 1);
      this.#next = 1;
    }
    this.#removePassed(0);
    oldest.release();
  }

  #removePassed(index: number): void {
    this.#frames.removeAt(index);
    this.#next--;
  }
}

function arrivalOf(frame: ReceivedMedia): Arrival {
  if (frame.wasRebuilt) return 'fec';
  return frame.wasResent ? 'resent' : 'on-time';
}
