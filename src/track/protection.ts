/**
 * When and over which media frames repair symbols leave. In: frames that start, end, lose symbols; time. Out: blocks in
 * the repair queue. Three occasions: a *slot* (a new frame starts, where no resend would come in time: repair over all
 * frames that can still be saved, before the new data), the *flight* (a first transmission or a resend that others can
 * follow) and the *last call* (the last useful moment for a frame whose resends are under way).
 * How many, the policy says. Source: DESIGN D6, D7; docs/planner.md.
 */
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import { Deque } from './deque.ts';
import { COVER_SYMBOLS_MAX, TARGET_RATIO } from './limits.ts';
import { checkRedundancy, emptyPlan } from './redundancy.ts';
import type { RepairQueue } from './repair-queue.ts';
import type { SentFrame } from './sent-frame.ts';
import { SilenceWatch } from './silence.ts';
import type { SymbolWindow } from './symbol-window.ts';
import type {
  Delivery,
  FramePlan,
  Order,
  PathView,
  PlanInput,
  RedundancyMode,
  RedundancyPolicy,
  TrackKind,
} from './types.ts';
import { UsualInterval } from './usual-interval.ts';

/** Weight of the newest size in the usual one. */
const USUAL_GAIN = 1 / 8;
/** A slot without a new frame comes when the next frame is so much overdue: repair never waits for data to come. */
const SLOT_OVERDUE = 1.5;
const SLOT_US_MIN: Micros = 2 * MILLISECOND;
/** A ratio that rises by this factor also makes up for what earlier slots had too little, */
const RISE_MIN = 1.3;
/** as far as that still helps. */
const RISE_SHARE = 0.6;
const RATIO_DECAY = 0.97;
const RISE_INTERVAL_US: Micros = 10 * MILLISECOND;
/** What a packet carries beside its symbol's data: headers, authentication tag. */
const HEADER_BYTES = 45;
/** Packets that leave at once after a pause (recovery/pacer.ts). */
const BURST_PACKETS = 10;

/** What a plan's lead allows for a packet that leaves before the repair (plan/rounds.ts); one at a slow pace takes longer. */
const LEAD_PACKET_US: Micros = 3 * MILLISECOND;

/** How a track is to be protected. */
export interface ProtectionOptions {
  readonly kind: TrackKind;
  /** Recovery budget on top of the one-way delay, 1 ms..60 s. */
  readonly latencyUs: Micros;
  /** As announced; default 'asap' in the order of sending. */
  readonly delivery?: Delivery | undefined;
  readonly order?: Order | undefined;
  readonly path: PathView;
  readonly policy: RedundancyPolicy;
  /** Default 'auto'. */
  readonly redundancy?: RedundancyMode | undefined;
  /** Media frames that may miss their deadline, 0..1; default 0.001. */
  readonly target?: number | undefined;
}

/** Of a path's rate: above it, what nothing is heard of may stand in a queue, which the same once more would only lengthen. */
const SILENCE_SHARE_MAX = 0.5;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** See the file header. One per track. */
export class Protection {
  readonly #policy: RedundancyPolicy;
  readonly #queue: RepairQueue;
  readonly #window: SymbolWindow;
  readonly #path: PathView;
  readonly #input: Mutable<PlanInput>;
  /** The plan of the newest frame: for statistics. */
  readonly plan: FramePlan = emptyPlan();
  /** What first flights were due beyond whole repair symbols. */
  #firstCarried = 0;
  /** Frames that slots cover, oldest first, and the repair symbols that each slot owes them. */
  readonly #streamed: Deque<SentFrame> = new Deque<SentFrame>();
  #share = 0;
  #carried = 0;
  #slot = 0;
  #slotDueUs: Micros = NEVER;
  #ratio = 0;
  #riseAtUs: Micros = 0;
  /** Frames whose last call is to come, in the order of sending. */
  readonly #calls: Deque<SentFrame> = new Deque<SentFrame>();
  /** Frames that have lost something since their flight was last looked at. */
  readonly #losses: SentFrame[] = [];
  /** Scratch of a last call. */
  readonly #need: { missing: number; unknown: number; rowsUnknown: number } = {
    missing: 0,
    unknown: 0,
    rowsUnknown: 0,
  };
  readonly #silence: SilenceWatch;
  /** How large packets of usual media frames are, as a part of full ones. */
  #usualPart = 0;
  readonly #interval: UsualInterval = new UsualInterval();
  #lastSendUs = -1;

  constructor(options: ProtectionOptions, queue: RepairQueue, window: SymbolWindow) {
    const { kind, latencyUs, redundancy = 'auto', target = TARGET_RATIO, policy, path } = options;
    const { delivery = 'asap', order = 'send' } = options;
    checkRedundancy(redundancy, target);
    this.#policy = policy;
    this.#queue = queue;
    this.#window = window;
    this.#path = path;
    this.#silence = new SilenceWatch(window, path);
    this.#input = {
      symbols: 1,
      meanSymbols: 0,
      kind,
      isKeyFrame: false,
      isDiscardable: false,
      mode: redundancy,
      target,
      latencyUs,
      timeLeftUs: 0,
      waitedUs: 0,
      frameIntervalUs: 0,
      delivery,
      order,
    };
  }

  get redundancy(): RedundancyMode {
    return this.#input.mode;
  }

  get target(): number {
    return this.#input.target;
  }

  /** Policy of the frames to come. */
  configure(mode: RedundancyMode, target: number): void {
    this.#input.mode = mode;
    this.#input.target = target;
  }

  /** The application sent a media frame: learns the usual interval. */
  onSend(now: Micros): void {
    const input = this.#input;
    if (this.#lastSendUs >= 0) {
      this.#interval.note(now - this.#lastSendUs, input.latencyUs);
      input.frameIntervalUs = this.#interval.us;
    }
    this.#lastSendUs = now;
  }

  /** The frame has its symbol ids and its first symbol is about to leave: repair queued now leaves before it. */
  onStart(frame: SentFrame, now: Micros): void {
    const input = this.#input;
    const { meanSymbols } = input;
    input.symbols = frame.count;
    // Key frames are rare and large: they would only make the usual size jump.
    if (meanSymbols === 0) input.meanSymbols = frame.count;
    else if (!frame.isKeyFrame) input.meanSymbols += (frame.count - meanSymbols) * USUAL_GAIN;
    input.isKeyFrame = frame.isKeyFrame;
    input.isDiscardable = frame.isDiscardable;
    const waitUs =
      Math.max(0, frame.count - BURST_PACKETS) * Math.max(this.#path.packetUs, this.plan.packetUs);
    input.timeLeftUs = frame.deadlineUs - now - waitUs;
    input.waitedUs = now - frame.sentAtUs;
    this.#policy.plan(input, this.plan);
    const { plan } = this;
    frame.rounds = plan.rounds;
    frame.price = plan.price;
    frame.streamRatio = plan.streamRatio;
    if (plan.span === 0 && plan.streamRatio > 0) {
      // No later frame can carry its repair, and before its own data repair would only delay it.
      plan.firstSpares += Math.ceil(plan.streamRatio * frame.count);
      plan.streamRatio = 0;
    }
    const part = this.#packetPart(frame);
    if (!frame.isKeyFrame || this.#usualPart === 0) this.#usualPart = part;
    frame.packetUs = part * plan.packetUs;
    const queuedUs = Math.max(0, frame.packetUs - LEAD_PACKET_US);
    frame.callAtUs = Math.max(now, frame.deadlineUs - plan.leadUs - queuedUs);
    // Whatever becomes due while this frame is on its way would queue behind it: it goes first.
    this.#runCalls(now + frame.count * frame.packetUs, now);
    if (plan.rounds > 0 && plan.price > 0) {
      this.#calls.push(frame);
      if (this.#path.lossRatio > 0 && this.#pathShare < SILENCE_SHARE_MAX)
        this.#silence.watch(frame, plan, now);
    }
    if (plan.streamRatio > 0 || this.#streamed.length > 0) this.#runSlot(frame, now);
    else this.#ratio = 0;
  }

  /** Part of the path's rate that usual media frames take. */
  get #pathShare(): number {
    const { meanSymbols, frameIntervalUs } = this.#input;
    return frameIntervalUs === 0
      ? 0
      : (meanSymbols * this.#usualPart * this.#path.packetUs) / frameIntervalUs;
  }

  /** How large the packets of a media frame are, as a part of full ones. */
  #packetPart(frame: SentFrame): number {
    const symbolBytes = frame.bytes / frame.count;
    return Math.min(1, (symbolBytes + HEADER_BYTES) / this.#path.maxPayloadBytes);
  }

  /** The last new symbol of `frame` has been written: spares behind the first flight. */
  onWritten(frame: SentFrame): void {
    // What is known to be lost by now is resent; spares are for what may be.
    this.#firstCarried += (this.plan.firstSpares * frame.inFlight) / frame.count;
    const spares = Math.floor(this.#firstCarried);
    this.#firstCarried = this.plan.firstSpares === 0 ? 0 : this.#firstCarried - spares;
    if (spares > 0) this.#queue.protect(frame, spares, frame.deadlineUs);
  }

  /** A symbol of `frame` was lost. Decisions wait until the whole acknowledgement has been read. */
  onLost(frame: SentFrame, now: Micros): void {
    if (now >= frame.deadlineUs) return;
    if (frame.freshLost++ === 0) this.#losses.push(frame);
  }

  nextDeadline(): Micros {
    if (this.#losses.length > 0) return 0;
    const otherUs = Math.min(this.#slotDueUs, this.#silence.nextDeadline());
    for (let head = this.#calls.at(0); head !== undefined; head = this.#calls.at(0)) {
      if (!head.isComplete && !head.isSettled) return Math.min(head.callAtUs, otherUs);
      this.#calls.shift();
    }
    return otherUs;
  }

  /** Makes the decisions that are due. Afterwards the queue may have repair. */
  decide(now: Micros): void {
    this.#silence.check(now);
    if (this.#losses.length > 0) this.#readLosses(now);
    this.#runCalls(now, now);
    if (now >= this.#slotDueUs) this.#runSlot(undefined, now);
  }

  #runCalls(dueUs: Micros, now: Micros): void {
    for (let head = this.#calls.at(0); head !== undefined; head = this.#calls.at(0)) {
      if (!head.isComplete && !head.isSettled) {
        if (dueUs < head.callAtUs) break;
        head.callAtUs = Math.min(head.callAtUs, dueUs);
        this.#call(head, now);
      }
      this.#calls.shift();
    }
  }

  #readLosses(now: Micros): void {
    for (const frame of this.#losses) {
      const lost = frame.freshLost;
      frame.freshLost = 0;
      if (frame.isComplete || frame.isSettled || now >= frame.deadlineUs || frame.price === 0) continue;
      if (now >= frame.callAtUs) {
        this.#call(frame, now);
        continue;
      }
      const rounds = this.#policy.roundsIn(frame.deadlineUs - now);
      if (rounds === 0) continue;
      const spares = this.#policy.flightSpares(lost, rounds, frame.price);
      if (spares > 0) this.#queue.protect(frame, spares, frame.deadlineUs);
    }
    this.#losses.length = 0;
    if (now >= this.#riseAtUs && this.#streamed.length > 0) {
      this.#riseAtUs = now + RISE_INTERVAL_US;
      const before = this.#ratio;
      this.#policy.plan(this.#input, this.plan);
      if (this.plan.streamRatio > before * RISE_MIN) this.#runSlot(undefined, now);
    }
  }

  /**
   * The last call for `frame`: whatever leaves later comes too late. Its repair also covers the frames behind it whose
   * first flight is known and whose resends cannot be followed by others: they share the spares.
   */
  #call(frame: SentFrame, now: Micros): void {
    const need = this.#need;
    need.missing = 0;
    need.unknown = 0;
    need.rowsUnknown = 0;
    let newest = frame;
    this.#addNeed(frame, now);
    for (;;) {
      const end = newest.first + newest.count;
      const next = this.#window.anyOwner(end);
      if (next === undefined || next.written < next.count || next.inFlight > next.resendsInFlight) break;
      if (next.rounds > 1 || end + next.count - frame.first > COVER_SYMBOLS_MAX) break;
      newest = next;
      this.#addNeed(next, now);
    }
    if (need.missing + need.unknown === 0) return;
    const queue = this.#queue;
    queue.count(frame.first, newest.first + newest.count);
    // Earlier calls reach into this one: so does what they may be needed for.
    for (let end = frame.first; end > queue.lowest; ) {
      const before = this.#window.anyOwner(end - 1);
      if (before === undefined) break;
      this.#addNeed(before, now);
      end = before.first;
    }
    const spares = this.#policy.lastSpares(
      need.missing,
      need.unknown,
      queue.arrived,
      queue.unknown + need.rowsUnknown,
      frame.price,
    );
    if (spares > 0) queue.cover(frame, newest, spares, frame.deadlineUs);
  }

  /** What a frame lacks and what is on its way to it, less what its own repair symbols make up for. */
  #addNeed(frame: SentFrame, now: Micros): void {
    if (frame.isComplete || frame.isSettled) return;
    const need = this.#need;
    // What is parked is not on its way at all, what is overdue hardly; what else is lost leaves now.
    const lost = (frame.isParked ? frame.lost : 0) + frame.overdue(this.#path, now);
    const missing = Math.max(0, lost - frame.repairsArrived);
    const spare = Math.max(0, frame.repairsArrived - lost);
    const unknown = Math.max(0, frame.inFlight + frame.lost - lost - spare);
    need.missing += missing;
    need.unknown += unknown;
    if (missing + unknown > 0) need.rowsUnknown += frame.repairsInFlight;
  }

  /** Repair over every frame that can still be saved, the one that starts now included. */
  #runSlot(newest: SentFrame | undefined, now: Micros): void {
    const { plan } = this;
    this.#slot++;
    this.#dropAged(now);
    if (plan.streamRatio > this.#ratio * RISE_MIN) this.#raise(plan.streamRatio);
    // An estimate that wavers is no rise: the ratio to compare with falls slowly.
    if (newest?.isKeyFrame !== true) this.#ratio = Math.max(plan.streamRatio, this.#ratio * RATIO_DECAY);
    if (newest !== undefined && plan.streamRatio > 0) {
      newest.streamShare = (plan.streamRatio * newest.count) / (plan.span + 1);
      newest.lastSlot = this.#slot + plan.span;
      this.#share += newest.streamShare;
      this.#streamed.push(newest);
    }
    const last = this.#streamed.at(this.#streamed.length - 1);
    if (last === undefined) {
      this.#share = 0;
      this.#carried = 0;
      this.#slotDueUs = NEVER;
      return;
    }
    this.#carried += this.#share;
    const rows = Math.floor(this.#carried);
    this.#carried -= rows;
    const interval = Math.max(SLOT_US_MIN, this.#input.frameIntervalUs * SLOT_OVERDUE);
    this.#slotDueUs = last.deadlineUs > now + interval ? now + interval : NEVER;
    if (rows > 0) this.#queue.cover(this.#oldestCovered(last), last, rows, last.deadlineUs);
  }

  /** The oldest frame that can still be saved and is not known to be complete, within one block. */
  #oldestCovered(last: SentFrame): SentFrame {
    const end = last.first + last.count;
    for (let i = 0; i < this.#streamed.length; i++) {
      const frame = this.#streamed.at(i) as SentFrame;
      if (frame.first < this.#window.base || frame.isComplete) continue;
      if (end - frame.first <= COVER_SYMBOLS_MAX) return frame;
    }
    return last;
  }

  #dropAged(now: Micros): void {
    for (let head = this.#streamed.at(0); head !== undefined; head = this.#streamed.at(0)) {
      if (head.lastSlot >= this.#slot && now < head.deadlineUs) return;
      this.#share -= head.streamShare;
      this.#streamed.shift();
    }
    this.#share = 0;
  }

  /** Loss has risen: frames under way get the new share, and what the slots before had too little. */
  #raise(ratio: number): void {
    const span = this.plan.span + 1;
    this.#share = 0;
    for (let i = 0; i < this.#streamed.length; i++) {
      const frame = this.#streamed.at(i) as SentFrame;
      const share = (ratio * frame.count) / span;
      const slots = Math.max(0, span - 1 - (frame.lastSlot - this.#slot));
      this.#carried += Math.max(0, share - frame.streamShare) * slots * RISE_SHARE;
      frame.streamShare = Math.max(frame.streamShare, share);
      this.#share += frame.streamShare;
    }
  }
}
