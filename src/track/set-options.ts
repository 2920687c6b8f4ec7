/** What a set of tracks is made with, what it reports, and what the application says of a track it opens. */
import type { Micros } from '../base/protocol.ts';
import type { Activate, Sender } from '../wire/frame-source.ts';
import type { TrackReceiver } from './receive.ts';
import type {
  Announcement,
  Delivery,
  Order,
  Outcome,
  PathView,
  RedundancyMode,
  RedundancyPolicy,
  RepairMaker,
  SymbolDecoder,
  TrackKind,
} from './types.ts';

/** What happens to tracks. Called synchronously. */
export interface TrackSetEvents {
  /** A track of the peer's is announced. `receiver` is undefined for a reliable one: its stream carries it. */
  onAnnounced(id: number, announcement: Announcement, receiver: TrackReceiver | undefined): void;
  /** A receiver's `poll` has a media frame, and had none before. */
  onReadable(id: number): void;
  /** A live track of the peer's has ended, what `poll` still has is the last; or its sender knows that we stopped it. */
  onEnded(id: number): void;
  /** A media frame of ours has its outcome. */
  onSettled(id: number, frameId: number, outcome: Outcome, now: Micros): void;
  /** A track of ours has ended, everything has settled, and the receiver knows: it is forgotten (reliable: so does its stream). */
  onSenderEnded(id: number): void;
  /** The receiver wants no more of a track of ours (everything has settled as dropped; it is forgotten). */
  onStopped(id: number, errorCode: number): void;
  onKeyFrameRequested(id: number): void;
  /** A media frame of the peer's has just ended: feedback is worth sending. */
  onFrameEnd(): void;
  /** Control frames are due, maybe by an application's call. */
  onWantsToSend(): void;
}

/** What the set asks of the streams that carry reliable tracks. */
export interface TrackStreams {
  /** True for an ID that a stream of the peer's with a track may have. */
  mayCarry(streamId: number): boolean;
  /** True once all of a stream of the peer's has arrived, or its reset has. */
  isReceived(streamId: number): boolean;
}

export interface TrackSetOptions {
  readonly isServer: boolean;
  readonly activate: Activate;
  /** The sender is gone for good. */
  readonly deactivate: (sender: Sender) => void;
  readonly path: PathView;
  readonly streams: TrackStreams;
  /** Called when the first live track is opened. */
  readonly makeRepairMaker: () => RepairMaker;
  readonly policy: RedundancyPolicy;
  /** Called once per track of the peer's. */
  readonly makeDecoder: () => SymbolDecoder;
  readonly events: TrackSetEvents;
  /** The latency that the peer asks for; 0 = no wish. */
  readonly latencyWishUs: () => Micros;
  /** How the application wants the peer's live tracks delivered; undefined = as the peer says. */
  readonly deliveryWish?: Delivery | undefined;
}

/** A live track to open. */
export interface LiveTrackOptions {
  readonly kind: TrackKind;
  /** 1 ms..60 s; the peer's wish wins if it is larger. */
  readonly latencyUs: Micros;
  /** Default 'asap'. */
  readonly delivery?: Delivery;
  /** Default 'send'. */
  readonly order?: Order;
  /** UTF-8 JSON, at most 4096 bytes. */
  readonly metadata?: Uint8Array;
  /** Higher goes first; default 0. */
  readonly sendOrder?: number;
  /** 1..255, default 1. */
  readonly weight?: number;
  /** Default 'auto'. */
  readonly redundancy?: RedundancyMode | undefined;
  /** Media frames that may miss their deadline, above 0, at most 1; default 0.001. */
  readonly target?: number | undefined;
}

/** A reliable track to announce. */
export interface ReliableTrackOptions {
  readonly kind: TrackKind;
  readonly streamId: number;
  readonly metadata?: Uint8Array;
}
