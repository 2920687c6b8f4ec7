/**
 * The sending half of the TCP model: sends what the window lets it, repairs losses, and asks its congestion control
 * how large the window is. In: bytes written, acknowledgements, time. Out: segments.
 * Source: RFC 9293, RFC 6675 (pipe), RFC 8985 (RACK-TLP), RFC 6937 (PRR), RFC 6298, RFC 5681; where they leave a choice,
 * Linux 6's. No Nagle (TCP_NODELAY), no pacing (Linux paces only for BBR or under fq), initial window 10.
 */
import type { Micros } from '../../base/protocol.ts';
import { SimTimer, type Simulator } from '../simulator.ts';
import { AckReader, type AckSummary } from './acknowledgement.ts';
import type { CongestionName, CongestionWindow } from './congestion.ts';
import { LossProbe } from './loss-probe.ts';
import { Rack } from './rack.ts';
import { RoundTrip } from './round-trip.ts';
import { Scoreboard, type SentSegment } from './scoreboard.ts';
import { SEGMENT_BYTES_MAX, type TcpSegment } from './segment.ts';
import { WindowControl } from './window-control.ts';

/** `recovery` repairs by acknowledgements, `loss` after a timeout. */
export type SenderState = 'closed' | 'opening' | 'open' | 'recovery' | 'loss';

export interface SenderStatistics {
  /** Segments with data, first transmissions and retransmissions. */
  segments: number;
  retransmissions: number;
  timeouts: number;
  probes: number;
  recoveries: number;
  windowProbes: number;
}

/** Sends one byte stream. */
export class TcpSender {
  readonly statistics: SenderStatistics = {
    segments: 0,
    retransmissions: 0,
    timeouts: 0,
    probes: 0,
    recoveries: 0,
    windowProbes: 0,
  };
  readonly roundTrip: RoundTrip = new RoundTrip();
  /** Called when new data was acknowledged. */
  onProgress: () => void = () => {};

  readonly #sim: Simulator;
  readonly #send: (segment: TcpSegment) => void;
  readonly #control: WindowControl;
  readonly #scoreboard: Scoreboard = new Scoreboard();
  readonly #rack: Rack = new Rack(this.#scoreboard, this.roundTrip);
  readonly #ackReader: AckReader = new AckReader(this.#scoreboard, this.#rack, this.roundTrip);
  readonly #probe: LossProbe = new LossProbe();
  readonly #retransmissionTimer: SimTimer;
  readonly #probeTimer: SimTimer;
  readonly #reorderingTimer: SimTimer;
  #state: SenderState = 'closed';
  /** The last byte written, and the next to send (SND.NXT). */
  #written = 0;
  #next = 0;
  /** The first byte that the receiver has no room for. */
  #windowEnd = 0;
  /** The episode ends when everything sent before it began is acknowledged (RecoveryPoint). */
  #recoveryPoint = 0;
  #lastSentUs: Micros = 0;
  /** New data was acknowledged since the last timeout. */
  #hasProgressed = true;

  constructor(sim: Simulator, congestion: CongestionName, send: (segment: TcpSegment) => void) {
    this.#sim = sim;
    this.#send = send;
    this.#control = new WindowControl(congestion);
    this.#retransmissionTimer = new SimTimer(sim, () => this.#onTimeout());
    this.#probeTimer = new SimTimer(sim, () => this.#onProbe());
    this.#reorderingTimer = new SimTimer(sim, () => this.#onReordering());
  }

  get state(): SenderState {
    return this.#state;
  }

  get window(): Readonly<CongestionWindow> {
    return this.#control.window;
  }

  /** Reductions of the window that proved mistaken and were taken back. */
  get undone(): number {
    return this.#control.undone;
  }

  /** Bytes acknowledged, sent, and written so far. */
  get acknowledgedBytes(): number {
    return this.#scoreboard.una;
  }

  get sentBytes(): number {
    return this.#next;
  }

  get writtenBytes(): number {
    return this.#written;
  }

  /** Segments in the network by the sender's estimate. */
  get pipe(): number {
    return this.#scoreboard.pipe;
  }

  /** Begins the handshake. */
  open(): void {
    this.#state = 'opening';
    this.#sendSyn();
  }

  /** Adds bytes to the stream; `Infinity` for a source that never ends. */
  write(bytes: number): void {
    this.#written += bytes;
    this.#transmit();
  }

  /** Stops all timers: as when the host dies. */
  stop(): void {
    this.#state = 'closed';
    this.#retransmissionTimer.disarm();
    this.#probeTimer.disarm();
    this.#reorderingTimer.disarm();
  }

  /** Takes a segment from the receiver. */
  receive(segment: TcpSegment): void {
    if (segment.kind === 'syn-ack') {
      this.#onSynAck(segment);
      return;
    }
    if (this.#state === 'closed' || this.#state === 'opening' || segment.ack > this.#next) return;
    const now = this.#sim.now;
    this.#windowEnd = Math.max(this.#windowEnd, segment.ack + segment.window);
    const summary = this.#ackReader.read(segment, now);
    if (summary.duplicate !== undefined) this.#onDuplicate(summary.duplicate.start);
    const lostBefore = this.#scoreboard.lostCount;
    this.#detectLoss();
    const isSafe = summary.isAdvanced && this.#scoreboard.lostCount <= lostBefore;
    if (this.#control.takeBack(segment.echoUs, summary.isAdvanced)) {
      this.#scoreboard.unmarkLost();
      this.#state = 'open';
    }
    this.#followState(summary, isSafe);
    if (this.#probe.hasRepairedLoss(segment.ack, summary) && this.#state === 'open')
      this.#control.reduceOnce();
    if (summary.isAdvanced) {
      this.#hasProgressed = true;
      this.#armTimers();
    }
    this.#transmit();
    if (summary.isAdvanced) this.onProgress();
  }

  #onSynAck(segment: TcpSegment): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#retransmissionTimer.disarm();
    this.roundTrip.sample(this.#sim.now - segment.echoUs);
    this.roundTrip.minUs = this.roundTrip.latestUs;
    this.#windowEnd = segment.window;
    this.#transmit();
  }

  #sendSyn(): void {
    this.#emit('syn', 0, 0);
    this.#retransmissionTimer.arm(this.#sim.now + this.roundTrip.timeoutUs);
  }

  #emit(kind: 'syn' | 'data', seq: number, length: number): void {
    const now = this.#sim.now;
    this.#lastSentUs = now;
    this.#send({ kind, seq, length, ack: 0, window: 0, sack: [], sentAtUs: now, echoUs: 0 });
  }

  #onDuplicate(start: number): void {
    this.#control.onDuplicateReported(start);
    this.#rack.onDuplicateReported(this.#scoreboard.una, this.#next);
  }

  #detectLoss(): void {
    const waitUs = this.#rack.detectLoss(this.#state !== 'open', this.#sim.now);
    if (waitUs > 0) this.#reorderingTimer.arm(this.#sim.now + waitUs);
    else this.#reorderingTimer.disarm();
  }

  /** Moves the state and the window after an acknowledgement. */
  #followState(summary: AckSummary, isSafe: boolean): void {
    const board = this.#scoreboard;
    if (this.#state !== 'open' && board.una >= this.#recoveryPoint) {
      this.#control.endEpisode(this.#state === 'recovery');
      this.#rack.onRecoveryEnd();
      this.#state = 'open';
    }
    if (this.#state === 'open' && board.lostCount > 0) this.#beginRecovery();
    if (this.#state === 'recovery') {
      this.#control.reduce(summary.delivered, board.pipe, isSafe);
      return;
    }
    if (!summary.isAdvanced) return;
    const { rttUs, delivered } = summary;
    const smoothedRttUs = this.roundTrip.smoothedUs;
    const data = {
      nowUs: this.#sim.now,
      acked: delivered,
      rttUs,
      smoothedRttUs,
      una: board.una,
      sndNxt: this.#next,
    };
    this.#control.grow(data, this.#state === 'loss');
  }

  #beginRecovery(): void {
    this.statistics.recoveries++;
    this.#control.beginRecovery(this.#scoreboard);
    this.#state = 'recovery';
    this.#recoveryPoint = this.#next;
    this.#probe.end();
    this.#probeTimer.disarm();
  }

  /** Sends what the window lets: losses first, then new data. */
  #transmit(): void {
    if (this.#state === 'closed' || this.#state === 'opening') return;
    const now = this.#sim.now;
    const board = this.#scoreboard;
    if (board.count === 0 && this.#written > this.#next) {
      this.#control.restart(now - this.#lastSentUs, this.roundTrip.timeoutUs);
    }
    let isLimited = false;
    while (true) {
      const lost = board.nextLost();
      if (lost === undefined && !this.#hasNewData()) break;
      if (board.pipe >= this.#control.segments) {
        isLimited = true;
        break;
      }
      if (lost !== undefined) this.#retransmit(lost);
      else this.#sendNew();
    }
    const timeoutUs = this.roundTrip.timeoutUs;
    if (this.#state === 'open') {
      const { count, una } = board;
      this.#control.validate({ isLimited, flight: count, una, sndNxt: this.#next, nowUs: now, timeoutUs });
    }
    if (board.count === 0 && this.#written > this.#next) this.#retransmissionTimer.arm(now + timeoutUs);
  }

  #hasNewData(): boolean {
    const length = Math.min(SEGMENT_BYTES_MAX, this.#written - this.#next);
    return length > 0 && this.#next + length <= this.#windowEnd;
  }

  #sendNew(): void {
    const length = Math.min(SEGMENT_BYTES_MAX, this.#written - this.#next);
    this.#scoreboard.add(this.#next, this.#next + length, this.#sim.now);
    this.#emit('data', this.#next, length);
    this.#next += length;
    this.#noteSent();
    if (this.#scoreboard.count === 1) this.#retransmissionTimer.arm(this.#sim.now + this.roundTrip.timeoutUs);
    this.#armProbe();
  }

  #retransmit(segment: SentSegment): void {
    const now = this.#sim.now;
    this.#scoreboard.retransmit(segment, now);
    this.#emit('data', segment.seq, segment.end - segment.seq);
    this.statistics.retransmissions++;
    this.#control.onRetransmission(now);
    this.#noteSent();
    if (segment === this.#scoreboard.first) this.#retransmissionTimer.arm(now + this.roundTrip.timeoutUs);
  }

  #noteSent(): void {
    this.statistics.segments++;
    this.#control.onSent(this.#state === 'recovery');
  }

  #armTimers(): void {
    if (this.#scoreboard.count === 0) {
      this.#retransmissionTimer.disarm();
      this.#probeTimer.disarm();
      return;
    }
    this.#retransmissionTimer.arm(this.#sim.now + this.roundTrip.timeoutUs);
    this.#armProbe();
  }

  #armProbe(): void {
    const { count, sackedCount } = this.#scoreboard;
    const isPossible = this.#state === 'open' && count > 0 && sackedCount === 0 && !this.#probe.isOutstanding;
    if (!isPossible) {
      this.#probeTimer.disarm();
      return;
    }
    // Never later than the timeout, which it then replaces (RFC 8985 §7.2).
    const atUs = this.#sim.now + LossProbe.timeoutUs(this.roundTrip, count);
    this.#probeTimer.arm(Math.min(atUs, this.#retransmissionTimer.deadlineUs));
  }

  #onProbe(): void {
    const last = this.#scoreboard.last;
    if (last === undefined || this.#state !== 'open') return;
    this.statistics.probes++;
    if (this.#hasNewData()) {
      this.#sendNew();
      this.#probe.begin(this.#next, false);
    } else {
      this.#retransmit(last);
      this.#probe.begin(this.#next, true);
    }
    this.#probeTimer.disarm();
    this.#retransmissionTimer.arm(this.#sim.now + this.roundTrip.timeoutUs);
  }

  #onReordering(): void {
    this.#detectLoss();
    if (this.#state === 'open' && this.#scoreboard.lostCount > 0) {
      this.#beginRecovery();
      this.#control.reduce(0, this.#scoreboard.pipe, false);
    }
    this.#transmit();
    if (this.#scoreboard.count > 0) this.#retransmissionTimer.arm(this.#sim.now + this.roundTrip.timeoutUs);
  }

  #onTimeout(): void {
    if (this.#probeTimer.deadlineUs <= this.#sim.now) {
      this.#onProbe();
      return;
    }
    this.roundTrip.backOff();
    if (this.#state === 'opening') {
      this.#sendSyn();
      return;
    }
    const board = this.#scoreboard;
    if (board.count === 0) {
      this.#probeWindow();
      return;
    }
    this.statistics.timeouts++;
    // Recovery has reduced already; a second timeout only counts again when there was progress in between.
    const isNew = this.#state === 'open' || (this.#state === 'loss' && this.#hasProgressed);
    this.#control.onTimeout(isNew, board);
    this.#hasProgressed = false;
    this.#rack.onTimeout(this.#sim.now);
    this.#state = 'loss';
    this.#recoveryPoint = this.#next;
    this.#probe.end();
    this.#probeTimer.disarm();
    this.#reorderingTimer.disarm();
    this.#control.collapse(board.pipe);
    this.#retransmissionTimer.arm(this.#sim.now + this.roundTrip.timeoutUs);
    this.#transmit();
  }

  /** The receiver has no room: asks again, as its news of room may have been lost (RFC 9293 §3.8.6.1). */
  #probeWindow(): void {
    if (this.#written <= this.#next) return;
    this.statistics.windowProbes++;
    this.#emit('data', Math.max(0, this.#next - 1), 0);
    this.#retransmissionTimer.arm(this.#sim.now + this.roundTrip.timeoutUs);
  }
}
