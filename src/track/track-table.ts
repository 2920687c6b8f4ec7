/**
 * Which tracks are open in either direction, and which have been: ids are number * 2 + (1 if the server announced it).
 * The last track looked up is remembered, for packets of one track come in runs.
 */
import { WireError } from '../base/errors.ts';
import type { Micros } from '../base/protocol.ts';
import { Ranges } from '../base/ranges.ts';
import type { TokenOwner } from '../wire/frame-source.ts';
import { HeldBudget } from './held.ts';
import { TRACKS_MAX } from './limits.ts';
import type { TrackSender } from './send.ts';
import { addStatistics, receiveStatistics, sendStatistics } from './totals.ts';
import type { LocalTrack, RemoteTrack } from './track-control.ts';
import type { ReceiveStatistics, SendStatistics } from './types.ts';

/** See the file header. */
export class TrackTable {
  /** What the receivers hold together. */
  readonly held: HeldBudget = new HeldBudget();
  readonly #parity: number;
  readonly #locals: Map<number, LocalTrack> = new Map();
  readonly #remotes: Map<number, RemoteTrack> = new Map();
  /** Reliable tracks of either direction by the stream that carries them. */
  readonly #carried: Map<number, LocalTrack | RemoteTrack> = new Map();
  /** Numbers of the peer's tracks that have ended. */
  readonly #closed: Ranges = new Ranges();
  #recentLocal: LocalTrack | undefined;
  #recentRemote: RemoteTrack | undefined;
  #opened = 0;
  /** Of tracks that have ended. */
  readonly #sent: SendStatistics = sendStatistics();
  readonly #received: ReceiveStatistics = receiveStatistics();

  constructor(isServer: boolean) {
    this.#parity = isServer ? 1 : 0;
  }

  get localCount(): number {
    return this.#locals.size;
  }

  isLocal(id: number): boolean {
    return id % 2 === this.#parity;
  }

  /** True if we opened a track with this id, whether it has ended or not. */
  wasOpened(id: number): boolean {
    return this.isLocal(id) && (id - this.#parity) / 2 < this.#opened;
  }

  nextLocalId(): number {
    return this.#opened * 2 + this.#parity;
  }

  addLocal(track: LocalTrack): LocalTrack {
    this.#opened++;
    this.#locals.set(track.id, track);
    if (track.streamId !== undefined) this.#carried.set(track.streamId, track);
    return track;
  }

  local(id: number): LocalTrack | undefined {
    if (this.#recentLocal?.id === id) return this.#recentLocal;
    const track = this.#locals.get(id);
    if (track !== undefined) this.#recentLocal = track;
    return track;
  }

  closeLocal(track: LocalTrack): void {
    if (!this.#locals.delete(track.id)) return;
    if (track.streamId !== undefined) this.#carried.delete(track.streamId);
    if (track.sender !== undefined) addStatistics(this.#sent, track.sender.statistics);
    if (this.#recentLocal === track) this.#recentLocal = undefined;
  }

  senders(): TrackSender[] {
    const senders: TrackSender[] = [];
    for (const track of this.#locals.values()) if (track.sender !== undefined) senders.push(track.sender);
    return senders;
  }

  /** Sums over every track ever sent or received. Fresh; O(tracks). */
  sendTotals(): SendStatistics {
    const totals = sendStatistics();
    addStatistics(totals, this.#sent);
    for (const { sender } of this.#locals.values()) {
      if (sender !== undefined) addStatistics(totals, sender.statistics);
    }
    return totals;
  }

  receiveTotals(): ReceiveStatistics {
    const totals = receiveStatistics();
    addStatistics(totals, this.#received);
    for (const { receiver } of this.#remotes.values()) {
      if (receiver !== undefined) addStatistics(totals, receiver.statistics);
    }
    return totals;
  }

  closeReceivers(): void {
    for (const { receiver } of this.#remotes.values()) receiver?.close();
  }

  remote(id: number): RemoteTrack | undefined {
    if (this.#recentRemote?.id === id) return this.#recentRemote;
    const track = this.#remotes.get(id);
    if (track !== undefined) this.#recentRemote = track;
    return track;
  }

  /** Whether a track that is not open may be: undefined yes; 0 it has ended; else the WireError to close with. */
  admission(id: number): number | undefined {
    if (this.isLocal(id)) return WireError.STREAM_STATE_ERROR;
    if (this.#closed.has(Math.floor(id / 2))) return 0;
    return this.#remotes.size >= TRACKS_MAX ? WireError.STREAM_LIMIT_ERROR : undefined;
  }

  addRemote(track: RemoteTrack): RemoteTrack {
    this.#remotes.set(track.id, track);
    return track;
  }

  /** The reliable track on this stream, if it is open. */
  carriedBy(streamId: number): LocalTrack | RemoteTrack | undefined {
    return this.#carried.get(streamId);
  }

  /** An open track of the peer's turns out to be reliable. False: its stream is another's. */
  carryRemote(track: RemoteTrack, streamId: number): boolean {
    if (this.#carried.has(streamId)) return false;
    track.streamId = streamId;
    this.#carried.set(streamId, track);
    return true;
  }

  closeRemote(track: RemoteTrack): void {
    if (!this.#remotes.delete(track.id)) return;
    if (track.streamId !== undefined) this.#carried.delete(track.streamId);
    if (track.receiver !== undefined) {
      addStatistics(this.#received, track.receiver.statistics);
      track.receiver.detach();
    }
    if (this.#recentRemote === track) this.#recentRemote = undefined;
    const number = Math.floor(track.id / 2);
    const closed = this.#closed;
    closed.add(number, number + 1);
    // Numbers left out for so long are never used.
    if (closed.count > TRACKS_MAX) closed.add(closed.end(0), closed.start(1));
  }
}

/** Owner of the tokens of SYMBOL and REPAIR frames: hands their fate to the live track that sent them. */
export class SentSymbols implements TokenOwner {
  readonly #table: TrackTable;

  constructor(table: TrackTable) {
    this.#table = table;
  }

  onAcked(id: number, b: number, c: number, now: Micros): void {
    this.#table.local(id)?.sender?.onAcked(b, c, now);
  }

  onLost(id: number, b: number, c: number, now: Micros): void {
    this.#table.local(id)?.sender?.onLost(b, c, now);
  }
}
