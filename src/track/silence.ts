/**
 * Media frames that nothing is heard of. A loss shows when something behind it is acknowledged, which takes a media frame's
 * distance longer than a round trip where all of one was lost, and for ever while the way back loses the answers. In: frames
 * that start, time. Out: symbols to resend, as late as their resends still come in time. The packets stay in flight: to
 * loss recovery and to the planner nothing is lost. Source: docs/planner.md §4; RFC 8985 §7 (tail loss) for the idea.
 */
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import { Deque } from './deque.ts';
import { fateUs, type SentFrame } from './sent-frame.ts';
import type { SymbolWindow } from './symbol-window.ts';
import type { FramePlan, PathView } from './types.ts';

/** Who is not heard of at all for a round trip and so much more has met no burst: an outage, or a longer path. */
const OUTAGE_US: Micros = 50 * MILLISECOND;
/** A media frame that is looked at again. */
const STEP_US: Micros = 2 * MILLISECOND;

/** See the file header. One per track. O(1) per symbol. */
export class SilenceWatch {
  readonly #window: SymbolWindow;
  readonly #path: PathView;
  /** In the order of sending. */
  readonly #frames: Deque<SentFrame> = new Deque<SentFrame>();
  #spacingUs: Micros = 0;
  #leadUs: Micros = 0;

  constructor(window: SymbolWindow, path: PathView) {
    this.#window = window;
    this.#path = path;
  }

  /** The first symbol of `frame` is about to leave. */
  watch(frame: SentFrame, plan: FramePlan, now: Micros): void {
    this.#spacingUs = plan.spacingUs;
    this.#leadUs = plan.leadUs;
    frame.silentAtUs = Math.max(now + fateUs(this.#path), this.#lastUs(frame, frame.count));
    this.#frames.push(frame);
  }

  /** When `symbols` of a frame must leave at the latest: they take their time on the narrowest link. */
  #lastUs(frame: SentFrame, symbols: number): Micros {
    return frame.deadlineUs - this.#leadUs - symbols * frame.packetUs;
  }

  /** When {@link check} has something to do. */
  nextDeadline(): Micros {
    for (let head = this.#frames.at(0); head !== undefined; head = this.#frames.at(0)) {
      if (!head.isComplete && !head.isSettled) return head.silentAtUs;
      this.#frames.shift();
    }
    return NEVER;
  }

  /** Queues resends of what should have been heard of by now. */
  check(now: Micros): void {
    for (let head = this.#frames.at(0); head !== undefined; head = this.#frames.at(0)) {
      if (!head.isComplete && !head.isSettled && now < head.deadlineUs) {
        if (now < head.silentAtUs) return;
        this.#loseOverdue(head, now);
        if (head.silentSymbols < head.count) return;
      }
      this.#frames.shift();
    }
  }

  #loseOverdue(frame: SentFrame, now: Micros): void {
    const waitUs = fateUs(this.#path);
    if (now - this.#path.heardAtUs > waitUs + OUTAGE_US) {
      frame.silentSymbols = frame.count;
      return;
    }
    // What was answered since need not be sent again: the rest has more time.
    const silent = frame.count - frame.written + frame.inFlight - frame.resendsInFlight;
    const lastUs = this.#lastUs(frame, silent);
    frame.silentAtUs = Math.max(now + STEP_US, lastUs);
    if (now < lastUs) return;
    for (; frame.silentSymbols < frame.written; frame.silentSymbols++) {
      const id = frame.first + frame.silentSymbols;
      // A large media frame still queues before the narrowest link.
      const queuedUs = frame.firstLeftAtUs + frame.silentSymbols * this.#spacingUs;
      const overdueUs = Math.max(this.#window.sentAtUs(id), queuedUs) + waitUs;
      if (now < overdueUs) {
        frame.silentAtUs = Math.max(frame.silentAtUs, overdueUs);
        return;
      }
      this.#window.loseSilent(id);
    }
  }
}
