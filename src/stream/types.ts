/** What the streams of one connection are given and what they tell: options, limits, events, counters. */
import type { Micros } from '../base/protocol.ts';
import type { Activate, Sender } from '../wire/frame-source.ts';
import type { ReceiveStream } from './receive.ts';
import type { SendStream } from './send.ts';
import type { StreamKind } from './stream-id.ts';

/** Flow control limits as in PARAMETERS (docs/wire-format.md §3.2): bytes, and streams of each kind. */
export interface StreamLimits {
  readonly maxData: number;
  readonly maxStreamData: number;
  readonly maxStreamsBidirectional: number;
  readonly maxStreamsUnidirectional: number;
  readonly maxTrackStreams: number;
}

/** What we announce unless told otherwise. Windows grow from here (see flow.ts). */
export const defaultStreamLimits: StreamLimits = {
  maxData: 4 * 1024 * 1024,
  maxStreamData: 1024 * 1024,
  maxStreamsBidirectional: 100,
  maxStreamsUnidirectional: 100,
  maxTrackStreams: 100,
};

/** One stream as its users see it. A half that does not exist is undefined. */
export interface Stream {
  readonly id: number;
  readonly kind: StreamKind;
  /** True when this end opened it. */
  readonly isLocal: boolean;
  readonly send: SendStream | undefined;
  readonly receive: ReceiveStream | undefined;
}

/**
 * Called in the middle of frame handlers and application calls: note what happened, act on it later.
 * A stream's object stays usable after its last event; only the set forgets it.
 */
export interface StreamEvents {
  /** The peer opened a stream (kinds `bidirectional` and `unidirectional`). */
  onOpened(stream: Stream): void;
  /** The peer opened the stream of a reliable track: never among incoming streams. */
  onTrackStreamOpened(stream: Stream): void;
  /** `read()` gives bytes again, or the end was reached. Once per time `read()` returned undefined. */
  onReadable(id: number): void;
  /** A `write` that took less than it was given may go on. */
  onWritable(id: number): void;
  /** The peer abandoned the sending of the stream we read; what was not read yet is gone. */
  onReset(id: number, errorCode: number): void;
  /** The peer wants no more of what we send; the stream was reset with the same code. */
  onStopped(id: number, errorCode: number): void;
  /** Every byte and the end that we sent are acknowledged (not after a reset). */
  onFinished(id: number): void;
  /** All of a stream that carries a track has arrived at its receiver, or the reset has: both ends count it no more. */
  onTrackStreamDone(id: number): void;
  /** Nothing moves on the stream any more, in either direction, and nothing is left to read: the set has forgotten it. */
  onEnded(id: number): void;
  /** `open` of that kind, refused before, may succeed now. */
  onCanOpen(kind: StreamKind): void;
  /** Control frames are due because of an application call: the connection should poll for transmission. */
  onWantsToSend(): void;
}

/** The live round-trip estimate of the path. `RttEstimator` fits. */
export interface RttView {
  readonly smoothedUs: Micros;
  probeTimeoutUs(maxAckDelayUs: Micros): Micros;
}

/** What a {@link StreamSet} is made from. */
export interface StreamSetOptions {
  readonly isServer: boolean;
  /** Our own announced limits. Each stream limit is at most 1024. */
  readonly limits: StreamLimits;
  readonly activate: Activate;
  /** The scheduler may forget a sender: it will never have data again. */
  readonly deactivate: (sender: Sender) => void;
  readonly events: StreamEvents;
  readonly rtt: RttView;
}

/** How a stream competes for packets. */
export interface StreamPriority {
  /** Higher goes first; default 0. */
  readonly sendOrder?: number;
  /** Share among senders of equal order, 1..255; default 1. */
  readonly weight?: number;
}
