/** What a connection tells its application, in the order it happened. Drained through `pollEvent`. */
import type { TransportError } from '../base/errors.ts';
import type { StreamKind } from '../stream/stream-id.ts';
import type { Announcement, Outcome } from '../track/types.ts';
import type { DatagramOutcome } from './datagrams.ts';

/** How a media frame ended for its sender (DESIGN D3). */
export type FrameOutcome = Outcome;

/** How a connection ended. */
export interface Closing {
  /** True when this end closed first. */
  readonly isLocal: boolean;
  /** True for a code of the application's own; false for a WireError. */
  readonly isApplication: boolean;
  readonly errorCode: number;
  readonly reason: string;
  /** Undefined after a clean close (code 0). */
  readonly error: TransportError | undefined;
}

export type ConnectionEvent =
  /** Server: the caller's parameters are known. The owner answers with `attachHandshake` or `close`. */
  | { readonly type: 'incoming'; readonly resource: string; readonly identity: string }
  | { readonly type: 'connected' }
  /** A socket on a fresh port is wanted: answer with `openedPath` or `pathFailed`. For the driver, not for applications. */
  | { readonly type: 'path-wanted' }
  /** Datagrams leave on another path: the peer, or this end, has another address. */
  | { readonly type: 'path-changed' }
  /** The peer's counters have come: asked for by `requestCounters`, or sent in front of its close. */
  | { readonly type: 'counters' }
  /** Always the last one. */
  | { readonly type: 'closed'; readonly closing: Closing }
  | { readonly type: 'track'; readonly trackId: number; readonly announcement: Announcement }
  /** Media frames wait in the incoming track. */
  | { readonly type: 'track-readable'; readonly trackId: number }
  /** No more media frames will come: its sender has ended the track, or knows that we stopped it. */
  | { readonly type: 'track-ended'; readonly trackId: number }
  | {
      readonly type: 'frame-settled';
      readonly trackId: number;
      readonly frameId: number;
      readonly outcome: FrameOutcome;
    }
  /** Everything of an ended outgoing track has settled. */
  | { readonly type: 'track-settled'; readonly trackId: number }
  /** The receiver wants no more of an outgoing track. */
  | { readonly type: 'track-stopped'; readonly trackId: number; readonly errorCode: number }
  | { readonly type: 'key-frame-request'; readonly trackId: number }
  | {
      readonly type: 'bitrate';
      readonly trackId: number;
      readonly bps: number;
      readonly maxFrameBytes: number;
    }
  | { readonly type: 'stream'; readonly streamId: number }
  /** The stream of a reliable track has come; its announcement names it. */
  | { readonly type: 'track-stream'; readonly streamId: number }
  | { readonly type: 'stream-can-open'; readonly kind: StreamKind }
  | { readonly type: 'stream-readable'; readonly streamId: number }
  | { readonly type: 'stream-writable'; readonly streamId: number }
  | { readonly type: 'stream-reset'; readonly streamId: number; readonly errorCode: number }
  | { readonly type: 'stream-stopped'; readonly streamId: number; readonly errorCode: number }
  /** Everything written to the stream, its end included, has been acknowledged. */
  | { readonly type: 'stream-finished'; readonly streamId: number }
  /** Nothing moves on the stream any more, in either direction, and nothing is left to read: it is forgotten. */
  | { readonly type: 'stream-ended'; readonly streamId: number }
  | { readonly type: 'datagram'; readonly bytes: Uint8Array }
  | { readonly type: 'datagram-settled'; readonly id: number; readonly outcome: DatagramOutcome };
