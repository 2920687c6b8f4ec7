/**
 * Finds out what became of every packet of one packet number space. In: packets sent, ACK frames, time. Out: tokens
 * back to their owners, samples for the rate controller, probes that are due. Source: RFC 9002 §5, §6, A.
 * Departures for live media: reordering.ts (the window adapts) and probe-timer.ts (what the timeout counts from).
 *
 * Cost per ACK: the packets it newly acknowledges, and O(log n) a range, however the peer chooses it. Each packet is
 * passed once by the walk over an ACK, once by the frontier, once when it is forgotten, however many are in flight.
 */
import { WireError } from '../base/errors.ts';
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import { ACK_RANGES_MAX, type AckFrame } from '../wire/ack.ts';
import type { PacketRecord, TokenOwner } from '../wire/frame-source.ts';
import { LossStatistics } from './loss-statistics.ts';
import {
  type AckedSample,
  createAckedSample,
  type LossRecoveryOptions,
  NO_OBSERVER,
  type PacketObserver,
  type SizeObserver,
} from './observer.ts';
import { ProbeTimer } from './probe-timer.ts';
import { ReceiveClock } from './receive-clock.ts';
import { ReorderingWindow } from './reordering.ts';
import type { RttEstimator } from './rtt.ts';
import { PacketFlag, PacketState, SENT_PACKETS_MAX, SentPackets } from './sent-packets.ts';
import { SkippedNumbers } from './skipped-numbers.ts';

/** Packets whose owners resend on a probe timeout, and probes that may leave past window and pacer. */
const PROBES_PER_TIMEOUT = 2;
/** A lost packet is remembered so long for a late ACK: times the probe timeout, and at least. */
const REMEMBER_PROBE_TIMEOUTS = 3;
const REMEMBER_MIN_US: Micros = 300 * MILLISECOND;

/** Numbers acknowledged above each range of the ACK at hand: used within one call, by all connections. */
const numbersAbove: Float64Array = new Float64Array(ACK_RANGES_MAX);

/** One packet number space. */
export class LossRecovery {
  readonly statistics: LossStatistics = new LossStatistics();
  readonly reordering: ReorderingWindow;
  /** Bytes of packets that were sent and are neither acked nor lost. */
  bytesInFlight = 0;
  /** Highest packet number the peer has acknowledged; -1 before the first. */
  largestAcked = -1;
  /** Ack-eliciting packets that may and shall leave now, past window and pacer: with data if there is any, else PING. */
  probesDue = 0;
  /** When an ACK last acknowledged something new, or the space began. */
  lastProgressUs: Micros = 0;
  /** Packets that ACKs acknowledged, and jumps over those that they had acknowledged before. */
  walkSteps = 0;

  readonly #packets: SentPackets = new SentPackets();
  readonly #rtt: RttEstimator;
  readonly #owners: readonly TokenOwner[];
  readonly #observer: PacketObserver;
  readonly #sizeObserver: SizeObserver | undefined;
  readonly #skipped: SkippedNumbers;
  readonly #probeTimer: ProbeTimer = new ProbeTimer();
  readonly #receiveClock: ReceiveClock = new ReceiveClock();
  readonly #sample: AckedSample = createAckedSample();
  /** Every packet below has been resolved, or does not count as in flight. */
  #frontier = 0;
  /** Ack-eliciting packets in flight. */
  #elicitingInFlight = 0;
  #lossTimeUs: Micros = NEVER;
  #probeCursor = 0;
  #maxAckDelayUs: Micros = 0;
  /** Packets sent before this number is acked are app-limited. */
  #appLimitedUntil = -1;
  /** Losses of packets sent after this instant begin a new episode. */
  #episodeUs: Micros = -1;
  #isDiscarded = false;
  // What the ACK at hand acknowledged.
  #newLargest = -1;
  #newEliciting = false;
  #newCount = 0;

  constructor(options: LossRecoveryOptions) {
    this.#rtt = options.rtt;
    this.#owners = options.owners;
    this.#observer = options.observer ?? NO_OBSERVER;
    this.#sizeObserver = options.sizeObserver;
    this.#skipped = new SkippedNumbers(options.random);
    this.reordering = new ReorderingWindow(options.isAdaptive ?? true);
  }

  // --- Sending -----------------------------------------------------------------------------------------------------

  /** The number the next packet will get. */
  get nextPacketNumber(): number {
    return this.#packets.next;
  }

  /** Where frames of the open packet note their tokens. */
  get record(): PacketRecord {
    return this.#packets;
  }

  /** Probe timeouts in a row without progress: 3 mean that the path is silent (DESIGN D10). */
  get probeTimeoutCount(): number {
    return this.#probeTimer.count;
  }

  /** Since when the peer owes an answer: something ack-eliciting is in flight, and nothing has been acked since. */
  get waitingSinceUs(): Micros {
    return this.#elicitingInFlight === 0 ? NEVER : this.#probeTimer.sinceUs;
  }

  /** Time without an answer after which probes start, us, without back-off. */
  get probeTimeoutUs(): Micros {
    return this.#rtt.probeTimeoutUs(this.#maxAckDelayUs);
  }

  /** Packets sent and remembered: at most {@link SENT_PACKETS_MAX}. */
  get packetsRemembered(): number {
    return this.#packets.span;
  }

  /** The peer's max_ack_delay, known after its PARAMETERS. */
  setMaxAckDelay(maxAckDelayUs: Micros): void {
    this.#maxAckDelayUs = maxAckDelayUs;
  }

  /** False when the rings are full of packets in flight: the sender waits for an ACK. */
  canSend(): boolean {
    if (this.#packets.canBegin()) return true;
    // Nothing is in flight below the frontier: lost packets that wait for a late ACK give way.
    this.#packets.forgetBelow(this.#frontier);
    return this.#packets.canBegin();
  }

  /** Opens a packet; returns its number. Write frames, noting tokens in `record`; then `commit` or `cancel`. */
  begin(): number {
    if (this.#packets.span < SENT_PACKETS_MAX - 1) {
      if (this.#skipped.isDue(this.#packets.next)) this.#skipped.onSkipped(this.#packets.skip());
      // A gap in front of each probe: it is acknowledged at once, and two by two ACKs, of which one may be lost.
      else if (this.probesDue > 0 && this.#probeTimer.count > 0) this.#packets.skip();
    }
    return this.#packets.begin();
  }

  /** The open packet turned out empty. */
  cancel(): void {
    this.#packets.cancel();
  }

  /**
   * The open packet left.
   *
   * @param flags `PacketFlag.ACK_ELICITING | PacketFlag.IN_FLIGHT` for most, 0 for one with ACK frames only,
   * `| SIZE_PROBE` for a datagram size probe.
   */
  commit(flags: number, sizeBytes: number, now: Micros): void {
    const isAppLimited = this.largestAcked < this.#appLimitedUntil;
    const limited = isAppLimited ? PacketFlag.APP_LIMITED : 0;
    const packetNumber = this.#packets.commit(flags | limited, sizeBytes, now);
    if ((flags & PacketFlag.IN_FLIGHT) === 0) {
      // An end that only sends ACKs may never be acked: its packets are forgotten by age.
      if (this.#frontier === packetNumber) this.#frontier++;
      this.#forget(now);
      return;
    }
    this.bytesInFlight += sizeBytes;
    if ((flags & PacketFlag.ACK_ELICITING) !== 0) {
      if (this.#elicitingInFlight === 0) this.#probeTimer.restart(now);
      this.#elicitingInFlight++;
      if (this.probesDue > 0) this.probesDue--;
    }
    this.#observer.onPacketSent(now, sizeBytes, this.bytesInFlight, isAppLimited, packetNumber);
  }

  /** Window and pacer would have let a packet go, but nobody had anything to send. */
  onAppLimited(): void {
    this.#appLimitedUntil = this.#packets.next;
  }

  // --- Acknowledgements --------------------------------------------------------------------------------------------

  /** Handles one ACK. Returns 0, or PROTOCOL_VIOLATION if the peer acknowledges what was never sent. */
  onAckReceived(ack: AckFrame, now: Micros): number {
    const packets = this.#packets;
    if (this.#isDiscarded) return 0;
    if (ack.largest >= packets.next || this.#skipped.isClaimedBy(ack)) return WireError.PROTOCOL_VIOLATION;
    this.#newLargest = -1;
    this.#newEliciting = false;
    this.#newCount = 0;
    let above = 0;
    for (let i = 0; i < ack.rangeCount; i++) {
      numbersAbove[i] = above;
      above += (ack.ends[i] as number) - (ack.starts[i] as number) + 1;
    }
    this.#receiveClock.follow(ack, now);
    for (let i = ack.rangeCount - 1; i >= 0; i--) {
      if ((ack.ends[i] as number) < packets.first) continue;
      if (!this.#ackRange(ack, i, now)) return WireError.PROTOCOL_VIOLATION;
    }
    if (ack.largest > this.largestAcked) this.largestAcked = ack.largest;
    if (this.#newCount === 0) return 0;
    if (this.#newLargest === ack.largest && this.#newEliciting) this.#sampleRtt(ack, now);
    if (this.#newEliciting) {
      this.#probeTimer.onProgress(now, this.#packets.sentAtUs[this.#newLargest & packets.mask] as number);
      this.probesDue = 0;
      this.lastProgressUs = now;
    }
    this.#advance(now);
    this.#forget(now);
    this.#observer.onAckEnd(now, this.#rtt, this.bytesInFlight);
    return 0;
  }

  /** Walks one range upwards, jumping over what is known to be acked. False: it covers a number left out. */
  #ackRange(ack: AckFrame, range: number, now: Micros): boolean {
    const packets = this.#packets;
    const start = Math.max(ack.starts[range] as number, packets.first);
    const end = ack.ends[range] as number;
    const above = (numbersAbove[range] as number) + end;
    for (let n = start; n <= end; this.walkSteps++) {
      const state = packets.states[n & packets.mask] as number;
      if (state === PacketState.ACKED) {
        n = packets.jumpAcked(n);
        continue;
      }
      if (state === PacketState.SKIPPED) return false;
      this.#ackPacket(n, this.#receiveClock.timeOf(ack, above - n), now);
      n++;
    }
    const at = start & packets.mask;
    packets.runs[at] = Math.max(packets.runs[at] as number, end - start + 1);
    return true;
  }

  #ackPacket(packetNumber: number, receivedAtUs: Micros, now: Micros): void {
    const packets = this.#packets;
    const at = packetNumber & packets.mask;
    const wasLost = packets.states[at] === PacketState.LOST;
    const flags = packets.flags[at] as number;
    const sizeBytes = packets.sizes[at] as number;
    packets.states[at] = PacketState.ACKED;
    packets.runs[at] = 1;
    this.#newCount++;
    this.#newLargest = packetNumber;
    if ((flags & PacketFlag.ACK_ELICITING) !== 0) this.#newEliciting = true;
    if (wasLost) {
      this.#onLateAck(packetNumber, now);
    } else if ((flags & PacketFlag.IN_FLIGHT) !== 0) {
      this.bytesInFlight -= sizeBytes;
      if ((flags & PacketFlag.ACK_ELICITING) !== 0) this.#elicitingInFlight--;
      const sample = this.#sample;
      sample.packetNumber = packetNumber;
      sample.sizeBytes = sizeBytes;
      sample.sentAtUs = packets.sentAtUs[at] as number;
      sample.receivedAtUs = receivedAtUs;
      sample.ackedAtUs = now;
      sample.isAppLimited = (flags & PacketFlag.APP_LIMITED) !== 0;
      this.#rtt.onTransit(sample.sentAtUs, receivedAtUs);
      this.#observer.onPacketAcked(sample);
    }
    this.#sizeObserver?.onSizeAcked(sizeBytes, packetNumber);
    packets.returnTokens(packetNumber, true, this.#owners, now);
  }

  /** A packet that was declared lost has arrived all the same. */
  #onLateAck(packetNumber: number, now: Micros): void {
    const packets = this.#packets;
    const at = packetNumber & packets.mask;
    const isAbandoned = ((packets.flags[at] as number) & PacketFlag.ABANDONED) !== 0;
    if (!isAbandoned) this.reordering.onLateAck(now - (packets.sentAtUs[at] as number), this.#rtt.smoothedUs);
    if (((packets.flags[at] as number) & PacketFlag.SIZE_PROBE) !== 0) return;
    const before = packetNumber > packets.first && this.#isLost(packetNumber - 1) ? 1 : 0;
    const after = packetNumber + 1 < packets.next && this.#isLost(packetNumber + 1) ? 1 : 0;
    this.statistics.onSpurious(before + after, now);
    if (!isAbandoned) this.#observer.onSpuriousLoss(packetNumber, packets.sizes[at] as number, now);
  }

  #isLost(packetNumber: number): boolean {
    return this.#packets.states[packetNumber & this.#packets.mask] === PacketState.LOST;
  }

  #sampleRtt(ack: AckFrame, now: Micros): void {
    const at = ack.largest & this.#packets.mask;
    // RFC 9000 §9.4: what was sent on the path before says nothing about this one.
    if (((this.#packets.flags[at] as number) & PacketFlag.ABANDONED) !== 0) return;
    const sentAtUs = this.#packets.sentAtUs[at] as number;
    this.#rtt.onSample(now - sentAtUs, Math.min(ack.delayUs, this.#maxAckDelayUs), now);
  }

  // --- Loss --------------------------------------------------------------------------------------------------------

  /**
   * Moves the frontier over everything that is resolved, declaring lost on the way what is due. Packets are ordered by
   * number and by time alike, so the first that is not lost ends the search. RFC 9002 §6.1.
   */
  #advance(now: Micros): void {
    const packets = this.#packets;
    const lossDelay = this.reordering.lossDelayUs(this.#rtt.latestUs, this.#rtt.smoothedUs);
    const lostBelow = this.largestAcked - this.reordering.packetThreshold;
    this.#lossTimeUs = NEVER;
    let n = this.#frontier;
    for (; n < packets.next; n++) {
      const at = n & packets.mask;
      const flags = packets.flags[at] as number;
      const state = packets.states[at] as number;
      if (state === PacketState.SKIPPED || (flags & PacketFlag.IN_FLIGHT) === 0) continue;
      if (state === PacketState.ACKED) {
        if ((flags & PacketFlag.SIZE_PROBE) === 0) this.statistics.onAcked(now);
        continue;
      }
      if (n >= this.largestAcked) break;
      const dueAt = (packets.sentAtUs[at] as number) + lossDelay;
      if (dueAt > now && n > lostBelow) {
        this.#lossTimeUs = dueAt;
        break;
      }
      this.#declareLost(n, now);
    }
    this.#frontier = n;
  }

  #declareLost(packetNumber: number, now: Micros): void {
    const packets = this.#packets;
    const at = packetNumber & packets.mask;
    const flags = packets.flags[at] as number;
    const sizeBytes = packets.sizes[at] as number;
    const sentAtUs = packets.sentAtUs[at] as number;
    packets.states[at] = PacketState.LOST;
    packets.lostAtUs[at] = now;
    this.bytesInFlight -= sizeBytes;
    if ((flags & PacketFlag.ACK_ELICITING) !== 0) this.#elicitingInFlight--;
    if ((flags & PacketFlag.SIZE_PROBE) === 0) {
      if (sentAtUs > this.#episodeUs) {
        this.#episodeUs = now;
        this.reordering.onLossEpisode(this.#rtt.smoothedUs);
      }
      this.statistics.onLost(now);
      this.#observer.onPacketLost(packetNumber, sizeBytes, sentAtUs, now);
      this.#sizeObserver?.onSizeLost(sizeBytes, packetNumber, now);
    }
    packets.returnLost(packetNumber, this.#owners, now);
  }

  #forget(now: Micros): void {
    const keepUs = Math.max(REMEMBER_PROBE_TIMEOUTS * this.probeTimeoutUs, REMEMBER_MIN_US);
    this.#packets.forgetResolved(this.#frontier, now - keepUs);
  }

  // --- Timers ------------------------------------------------------------------------------------------------------

  /** When `onTimeout` must run: the loss timer if it is armed, else the probe timeout. */
  nextDeadline(): Micros {
    if (this.#lossTimeUs !== NEVER) return this.#lossTimeUs;
    if (this.#elicitingInFlight === 0) return NEVER;
    return this.#probeTimer.deadline(this.probeTimeoutUs);
  }

  /** Runs the timer due at or before `now`. Extra calls are harmless. */
  onTimeout(now: Micros): void {
    if (this.nextDeadline() > now) return;
    if (this.#lossTimeUs !== NEVER) {
      this.#advance(now);
      this.#forget(now);
      this.#observer.onAckEnd(now, this.#rtt, this.bytesInFlight);
      return;
    }
    this.#probeTimer.onExpired(now);
    const count = this.#probeTimer.count;
    this.probesDue = count === 1 ? 1 : PROBES_PER_TIMEOUT;
    this.#observer.onProbeTimeout(now, count);
    this.#sizeObserver?.onProbeTimeout(now, count);
    // For the rate controller nothing is lost.
    const from = Math.max(this.#probeCursor, this.#frontier);
    this.#probeCursor = this.#packets.returnOldest(from, PROBES_PER_TIMEOUT, this.#owners, now);
  }

  /**
   * The path has changed: what is in flight was sent on the one before and may never arrive. Its owners send again at
   * once; for the rate controller nothing is lost. Late acknowledgements are welcome, and measure nothing.
   */
  abandonInFlight(now: Micros): void {
    this.#packets.abandon(this.#frontier, this.#owners, this.statistics, now);
    this.#clear();
    this.#probeTimer.onProgress(now, now);
  }

  /** The space's keys are gone: nothing is in flight any more, no timer runs, tokens are not returned. RFC 9002 §6.4. */
  discard(): void {
    this.#isDiscarded = true;
    this.#clear();
    this.#packets.forgetBelow(this.#packets.next);
  }

  /** Nothing is in flight any more. */
  #clear(): void {
    this.bytesInFlight = 0;
    this.#elicitingInFlight = 0;
    this.#lossTimeUs = NEVER;
    this.probesDue = 0;
    this.#frontier = this.#packets.next;
  }
}
