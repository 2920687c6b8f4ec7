/**
 * How large the congestion window of a TCP sender is: growth by its congestion control, reduction spread over a round
 * trip, what an unused window loses, and reductions taken back. In: what acknowledgements and timers show.
 * Out: `window`. Source: RFC 5681, RFC 6937, RFC 2861, RFC 3522, as combined in Linux 6.
 */
import type { Micros } from '../../base/protocol.ts';
import {
  type AckedData,
  type CongestionController,
  type CongestionName,
  type CongestionWindow,
  INITIAL_WINDOW,
} from './congestion.ts';
import { Cubic } from './cubic.ts';
import { FixedWindow } from './fixed-window.ts';
import { RateReduction } from './rate-reduction.ts';
import { Reno } from './reno.ts';
import type { Scoreboard } from './scoreboard.ts';
import { Undo } from './undo.ts';
import { type SendRound, WindowValidation } from './window-validation.ts';

function createCongestion(name: CongestionName): CongestionController {
  if (name === 'cubic') return new Cubic();
  if (name === 'reno') return new Reno();
  return new FixedWindow();
}

export class WindowControl {
  readonly window: CongestionWindow = {
    congestionWindow: INITIAL_WINDOW,
    slowStartThreshold: Number.POSITIVE_INFINITY,
  };
  /** Reductions taken back. */
  undone = 0;
  readonly #congestion: CongestionController;
  readonly #reduction: RateReduction = new RateReduction();
  readonly #validation: WindowValidation = new WindowValidation();
  readonly #undo: Undo = new Undo();

  constructor(name: CongestionName) {
    this.#congestion = createCongestion(name);
    if (this.#congestion.isUnlimited) this.window.congestionWindow = Number.POSITIVE_INFINITY;
  }

  /** Whole segments that may be in the network. */
  get segments(): number {
    return Math.floor(this.window.congestionWindow);
  }

  /** New data arrived outside recovery. `isRepairing`: after a timeout, when the window is always in use. */
  grow(data: AckedData, isRepairing: boolean): void {
    if (isRepairing || this.#validation.isWindowLimited(this.window))
      this.#congestion.onAcked(this.window, data);
  }

  /** Losses were found. */
  beginRecovery(board: Scoreboard): void {
    this.#undo.begin(this.window, board.una, board.retransmittedCount > 0);
    this.#reduction.begin(board.count);
    this.#congestion.onCongestion(this.window);
  }

  /** An acknowledgement, or the reordering timer, during recovery. */
  reduce(delivered: number, pipe: number, isSafe: boolean): void {
    if (this.#congestion.isUnlimited) return;
    const threshold = this.window.slowStartThreshold;
    this.window.congestionWindow = this.#reduction.window(delivered, pipe, threshold, isSafe);
  }

  /** Everything is repaired. After fast recovery the window is the threshold; after a timeout it stays. */
  endEpisode(wasRecovery: boolean): void {
    this.#undo.end();
    if (wasRecovery && !this.#congestion.isUnlimited)
      this.window.congestionWindow = this.window.slowStartThreshold;
  }

  /** A timeout: counts as congestion when `isNew`; then the window is what is in the network and one more. */
  onTimeout(isNew: boolean, board: Scoreboard): void {
    if (isNew) {
      this.#undo.begin(this.window, board.una, board.retransmittedCount > 0);
      this.#congestion.onCongestion(this.window);
    }
    this.#congestion.onTimeout();
  }

  collapse(pipe: number): void {
    if (!this.#congestion.isUnlimited) this.window.congestionWindow = pipe + 1;
  }

  /** A loss that needs no recovery: the tail loss probe has repaired it (RFC 8985 §7.4.2). */
  reduceOnce(): void {
    if (this.#congestion.isUnlimited) return;
    this.#congestion.onCongestion(this.window);
    this.window.congestionWindow = this.window.slowStartThreshold;
  }

  onSent(isRecovering: boolean): void {
    if (isRecovering) this.#reduction.onSent();
  }

  onRetransmission(nowUs: Micros): void {
    this.#undo.onRetransmission(nowUs);
  }

  onDuplicateReported(start: number): void {
    this.#undo.onDuplicate(start);
  }

  /** Restores the window when this acknowledgement shows that nothing had been lost; true when it did. */
  takeBack(echoUs: Micros, isAdvanced: boolean): boolean {
    if (!this.#undo.isMistaken(echoUs, isAdvanced)) return false;
    this.undone++;
    this.#undo.apply(this.window);
    this.#congestion.onUndo();
    return true;
  }

  /** After each round of sending. */
  validate(round: SendRound): void {
    if (!this.#congestion.isUnlimited) this.#validation.onSent(this.window, round);
  }

  /** Before the first segment after `idleUs` with nothing in flight. */
  restart(idleUs: Micros, timeoutUs: Micros): void {
    this.#congestion.onIdle(idleUs);
    if (!this.#congestion.isUnlimited) this.#validation.onRestart(this.window, idleUs, timeoutUs);
  }
}
