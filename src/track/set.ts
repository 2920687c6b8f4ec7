/**
 * All tracks of one connection. In: calls of the application, frames of the peer, fates of packets, time. Out: SYMBOL
 * and REPAIR frames (each live track is a sender of its own), control frames, TRACK_ACK with feedback, events.
 * Per packet: one look-up by track id and one comparison of deadlines, however many tracks there are.
 * Source: DESIGN D3, D4, §6; docs/wire-format.md §3.6.
 */
import type { Reader, Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import type { Micros } from '../base/protocol.ts';
import type { TrackAckFrame } from '../wire/ack.ts';
import { checkPriority, type FrameSource, type PacketRecord, type TokenOwner } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import type { RepairFrame, SymbolFrame } from '../wire/symbol.ts';
import {
  AnnouncementAssembly,
  announceLive,
  announceReliable,
  decodeAnnouncement,
  encodeAnnouncement,
} from './announcement.ts';
import { ControlQueue } from './control-queue.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { type ReceiverEvents, TrackReceiver } from './receive.ts';
import { TrackSender } from './send.ts';
import type { SenderEvents } from './send-options.ts';
import { FrameLayout } from './sent-frame.ts';
import type { LiveTrackOptions, ReliableTrackOptions, TrackSetOptions } from './set-options.ts';
import { LocalTrack, RemoteTrack } from './track-control.ts';
import { SentSymbols, TrackTable } from './track-table.ts';
import type { Announcement, ReceiveStatistics, RepairMaker, SendStatistics } from './types.ts';

/** Owner of `TRACK_CONTROL` tokens; {@link TrackSet.dataOwner} owns `TRACK` tokens. */
export class TrackSet implements FrameSource {
  /** Gets the tokens of SYMBOL and REPAIR frames: a = track id, b = symbol id or -1 - row, c = transmission. */
  readonly dataOwner: TokenOwner;
  readonly #options: TrackSetOptions;
  readonly #table: TrackTable;
  readonly #deadlines: DeadlineHeap = new DeadlineHeap();
  readonly #layout: FrameLayout = new FrameLayout();
  readonly #queue: ControlQueue = new ControlQueue();
  #repairMaker: RepairMaker | undefined;
  #senderEvents: SenderEvents | undefined;
  #receiverEvents: ReceiverEvents | undefined;
  #peerTracksMax = 0;
  #now: Micros = 0;

  constructor(options: TrackSetOptions) {
    this.#options = options;
    this.#table = new TrackTable(options.isServer);
    this.dataOwner = new SentSymbols(this.#table);
  }

  /** What the peer accepts; its wish for latency is read when a track is opened. */
  applyPeerParameters(parameters: { readonly maxTracks: number }): void {
    this.#peerTracksMax = Math.max(this.#peerTracksMax, parameters.maxTracks);
  }

  /** False while the peer's limit is reached. */
  get canOpen(): boolean {
    return this.#table.localCount < this.#peerTracksMax;
  }

  /**
   * Opens a live track and announces it.
   *
   * @returns Its sender; undefined while the peer's limit is reached.
   * @throws RangeError for a latency outside 1 ms..60 s, a weight outside 1..255, metadata above 4096 bytes.
   */
  openLive(options: LiveTrackOptions): TrackSender | undefined {
    const { sendOrder = 0, weight = 1 } = options;
    checkPriority(sendOrder, weight);
    const announcement = announceLive(options, this.#options.latencyWishUs());
    const bytes = encodeAnnouncement(announcement);
    if (!this.canOpen) return undefined;
    this.#repairMaker ??= this.#options.makeRepairMaker();
    this.#senderEvents ??= this.#makeSenderEvents();
    const sender = new TrackSender({
      ...options,
      id: this.#table.nextLocalId(),
      latencyUs: announcement.latencyUs,
      sendOrder,
      weight,
      activate: this.#options.activate,
      path: this.#options.path,
      repair: this.#repairMaker,
      policy: this.#options.policy,
      events: this.#senderEvents,
      layout: this.#layout,
    });
    this.#queueControl(this.#table.addLocal(new LocalTrack(sender.id, bytes, sender)));
    return sender;
  }

  /**
   * Announces a reliable track, whose media frames travel as records (record.ts) on stream `streamId`.
   *
   * @returns The track id; undefined while the peer's limit is reached.
   */
  openReliable(options: ReliableTrackOptions): number | undefined {
    const bytes = encodeAnnouncement(announceReliable(options));
    if (!this.canOpen) return undefined;
    const id = this.#table.nextLocalId();
    this.#queueControl(this.#table.addLocal(new LocalTrack(id, bytes, options.streamId)));
    return id;
  }

  /** The application sends no more on a live track of ours. A reliable one ends with its stream. */
  end(id: number): void {
    this.#table.local(id)?.sender?.end();
  }

  /** The application wants no more of a track of the peer's (reliable: stop its stream too). */
  stop(id: number, errorCode: number): void {
    const track = this.#table.remote(id);
    if (track === undefined) return;
    track.stop(errorCode);
    track.receiver?.stop();
    this.#queueControl(track);
  }

  /** All of a stream with a track has arrived at its receiver, or the reset has: the track is over for both ends. */
  onStreamDone(streamId: number): void {
    const track = this.#table.carriedBy(streamId);
    if (track instanceof RemoteTrack) this.#table.closeRemote(track);
    else this.#onLocalEnded(track);
  }

  /** The connection is closing: media frames that have not settled are dropped, those that have arrived can be read. */
  close(now: Micros): void {
    for (const sender of this.liveSenders()) sender.close(now);
    this.#table.closeReceivers();
  }

  /** Live tracks that we send. A fresh array. */
  liveSenders(): TrackSender[] {
    return this.#table.senders();
  }

  /** Counts of all live tracks, ended ones included. Fresh; O(tracks). */
  sendTotals(): SendStatistics {
    return this.#table.sendTotals();
  }

  receiveTotals(): ReceiveStatistics {
    return this.#table.receiveTotals();
  }

  sender(id: number): TrackSender | undefined {
    return this.#table.local(id)?.sender;
  }

  /** The receiver of a live track of the peer's. Hold on to it: once taken, an ended track is forgotten here. */
  receiver(id: number): TrackReceiver | undefined {
    const track = this.#table.remote(id);
    if (track === undefined) return undefined;
    track.isTaken = true;
    this.#collectRemote(track);
    return track.receiver;
  }

  /** True when control frames are due. TRACK_ACK is not among them: it rides with feedback. */
  wantsToSend(_now: Micros): boolean {
    return this.#queue.wantsToSend;
  }

  /** Control frames: announcements, ends, skips, stops, key frame requests. */
  writeFrames(writer: Writer, record: PacketRecord, now: Micros): boolean {
    this.#now = now;
    return this.#queue.writeControl(writer, record);
  }

  /** True when a track has news for its sender. */
  get hasFeedback(): boolean {
    return this.#queue.hasFeedback;
  }

  /** TRACK_ACK of every track with news, as far as they fit. Call when a packet with an ACK is written. */
  writeFeedback(writer: Writer, record: PacketRecord, now: Micros): boolean {
    this.#now = now;
    return this.#queue.writeFeedback(writer, record);
  }

  onAcked(id: number, kind: number, value: number, now: Micros): void {
    this.#now = now;
    const track = this.#table.isLocal(id) ? this.#table.local(id) : this.#table.remote(id);
    if (track === undefined) return;
    track.onAcked(kind, value);
    if (track instanceof RemoteTrack) this.#collectRemote(track);
    else this.#collectLocal(track);
  }

  onLost(id: number, kind: number, value: number, now: Micros): void {
    this.#now = now;
    const track = this.#table.isLocal(id) ? this.#table.local(id) : this.#table.remote(id);
    if (track === undefined) return;
    track.onLost(kind, value, now);
    if (track.hasDue) this.#queueControl(track);
  }

  /** @returns 0, or the WireError to close with. A symbol that is of no use is counted, not an error. */
  onSymbol(frame: SymbolFrame, now: Micros): number {
    const track = this.#table.remote(frame.trackId) ?? this.#admit(frame.trackId, now);
    if (typeof track === 'number') return track;
    track.receiver?.onSymbol(frame, now);
    return 0;
  }

  /** As {@link onSymbol}. */
  onRepair(frame: RepairFrame, now: Micros): number {
    const track = this.#table.remote(frame.trackId) ?? this.#admit(frame.trackId, now);
    if (typeof track === 'number') return track;
    track.receiver?.onRepair(frame, now);
    return 0;
  }

  /** @returns 0, or the WireError to close with. */
  onTrackAck(frame: TrackAckFrame, now: Micros): number {
    if (!this.#table.wasOpened(frame.trackId)) return WireError.STREAM_STATE_ERROR;
    return this.#table.local(frame.trackId)?.sender?.onTrackAck(frame, now) ?? 0;
  }

  /**
   * TRACK, TRACK_END, TRACK_STOP, KEY_FRAME_REQUEST and TRACK_SKIP, behind their type byte.
   *
   * @returns 0, or the WireError to close with.
   */
  onControlFrame(type: number, reader: Reader, now: Micros): number {
    this.#now = now;
    const id = reader.varint();
    if (type === FrameType.TRACK) return this.#onAnnouncement(id, reader, now);
    const a = reader.varint();
    const isShort = type === FrameType.TRACK_STOP || type === FrameType.KEY_FRAME_REQUEST;
    const b = isShort ? 0 : reader.varint();
    if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
    return isShort ? this.#onLocalControl(type, id, a, now) : this.#onRemoteControl(type, id, a, b, now);
  }

  handleTimeout(now: Micros): void {
    this.#now = now;
    this.#deadlines.run(now);
  }

  nextDeadline(): Micros {
    return this.#deadlines.earliest();
  }

  #onAnnouncement(id: number, reader: Reader, now: Micros): number {
    const size = reader.varint();
    const offset = reader.varint();
    const piece = reader.take(reader.varint());
    if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
    const track = this.#table.remote(id) ?? this.#admit(id, now);
    if (typeof track === 'number') return track;
    const { assembly, receiver } = track;
    if (assembly === undefined || receiver === undefined) return 0;
    const error = assembly.add(size, offset, piece);
    if (error !== 0 || assembly.complete === undefined) return error;
    const announcement = decodeAnnouncement(assembly.complete, this.#options.deliveryWish);
    if (announcement === undefined) return WireError.FRAME_ENCODING_ERROR;
    track.assembly = undefined;
    if (track.isStopped) return 0;
    if (announcement.isReliable) return this.#announcedReliable(track, receiver, announcement);
    this.#options.events.onAnnounced(track.id, announcement, receiver);
    receiver.announce(announcement, now);
    return 0;
  }

  #announcedReliable(track: RemoteTrack, receiver: TrackReceiver, announcement: Announcement): number {
    const { streamId } = announcement;
    const { streams, events } = this.#options;
    if (!streams.mayCarry(streamId) || !this.#table.carryRemote(track, streamId))
      return WireError.STREAM_STATE_ERROR;
    receiver.stop();
    this.#deadlines.remove(receiver);
    track.receiver = undefined;
    events.onAnnounced(track.id, announcement, undefined);
    // The announcement may come after all that it announces.
    if (streams.isReceived(streamId)) this.#table.closeRemote(track);
    return 0;
  }

  #onLocalControl(type: number, id: number, value: number, now: Micros): number {
    if (!this.#table.wasOpened(id)) return WireError.STREAM_STATE_ERROR;
    const track = this.#table.local(id);
    if (track === undefined) return 0;
    if (type === FrameType.KEY_FRAME_REQUEST) {
      if (value <= track.keyFrameRequest) return 0;
      track.keyFrameRequest = value;
      this.#options.events.onKeyFrameRequested(id);
      return 0;
    }
    track.sender?.close(now);
    this.#forgetLocal(track);
    this.#options.events.onStopped(id, value);
    return 0;
  }

  #onRemoteControl(type: number, id: number, a: number, b: number, now: Micros): number {
    const track = this.#table.remote(id) ?? this.#admit(id, now);
    if (typeof track === 'number') return track;
    const { receiver } = track;
    if (receiver === undefined) return 0;
    return type === FrameType.TRACK_SKIP ? receiver.onSkip(a, b, now) : receiver.onEnd(a, b, now);
  }

  /**
   * Makes room for a track of the peer's that was not known: its announcement may come later than its symbols.
   *
   * @returns The track; 0 if it has ended; else the WireError to close with.
   */
  #admit(id: number, now: Micros): RemoteTrack | number {
    const reason = this.#table.admission(id);
    if (reason !== undefined) return reason;
    this.#now = now;
    this.#receiverEvents ??= this.#makeReceiverEvents();
    const receiver = new TrackReceiver({
      id,
      decoder: this.#options.makeDecoder(),
      events: this.#receiverEvents,
      held: this.#table.held,
    });
    return this.#table.addRemote(new RemoteTrack(id, receiver, new AnnouncementAssembly()));
  }

  #queueControl(track: LocalTrack | RemoteTrack): void {
    if (this.#queue.push(track)) this.#options.events.onWantsToSend();
  }

  #onLocalEnded(track: LocalTrack | undefined): void {
    if (track === undefined) return;
    track.hasEnded = true;
    this.#collectLocal(track);
  }

  #collectLocal(track: LocalTrack): void {
    if (!track.isDone || this.#table.local(track.id) === undefined) return;
    this.#forgetLocal(track);
    this.#options.events.onSenderEnded(track.id);
  }

  #forgetLocal(track: LocalTrack): void {
    this.#table.closeLocal(track);
    if (track.sender === undefined) return;
    this.#deadlines.remove(track.sender);
    this.#options.deactivate(track.sender);
  }

  #collectRemote(track: RemoteTrack): void {
    const { receiver } = track;
    const isFinished = track.isTaken && receiver?.isFinished === true && receiver.isAckSettled;
    if (!track.isStopAcked && !isFinished) return;
    if (receiver !== undefined) this.#deadlines.remove(receiver);
    this.#table.closeRemote(track);
    if (receiver?.isFinished === false) this.#options.events.onEnded(track.id);
  }

  /** What live tracks of ours tell. Made with the first one: most connections at rest have none. */
  #makeSenderEvents(): SenderEvents {
    return {
      onSettled: (sender, frameId, outcome, now) =>
        this.#options.events.onSettled(sender.id, frameId, outcome, now),
      onSkip: (sender, first, count, deadlineUs) => {
        const track = this.#table.local(sender.id);
        track?.skip(first, count, deadlineUs);
        if (track !== undefined) this.#queueControl(track);
      },
      onDrained: (sender) => {
        const track = this.#table.local(sender.id);
        track?.end();
        if (track !== undefined) this.#queueControl(track);
      },
      onEnded: (sender) => this.#onLocalEnded(this.#table.local(sender.id)),
      onTouched: (sender) => this.#deadlines.touch(sender),
    };
  }

  /** What live tracks of the peer's tell, likewise. */
  #makeReceiverEvents(): ReceiverEvents {
    return {
      onReadable: (receiver) => this.#options.events.onReadable(receiver.id),
      onFinished: (receiver) => {
        this.#options.events.onEnded(receiver.id);
        const track = this.#table.remote(receiver.id);
        // Whoever looks it up to read what has just become readable must still find it.
        if (track !== undefined && receiver.readableFrames === 0) this.#collectRemote(track);
      },
      onAckWanted: (receiver) => {
        const track = this.#table.remote(receiver.id);
        if (track !== undefined) this.#queue.pushFeedback(track);
      },
      onFrameEnd: () => this.#options.events.onFrameEnd(),
      onKeyFrameWanted: (receiver) => {
        const track = this.#table.remote(receiver.id);
        if (track?.requestKeyFrame(this.#options.path.smoothedRttUs, this.#now) === true)
          this.#queueControl(track);
      },
      onTouched: (receiver) => this.#deadlines.touch(receiver),
    };
  }
}
