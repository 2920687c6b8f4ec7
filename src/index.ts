/** The public entry `millrace`. See docs/api.md. */
export { type ErrorCode, TransportError, type TransportErrorDetails } from './base/errors.ts';
export { BUSY_CODE } from './connection/closing.ts';
export type { DatagramOutcome } from './connection/datagrams.ts';
export type { Cause, Diagnosis, DirectionDiagnosis } from './connection/diagnosis.ts';
export type { FrameOutcome } from './connection/events.ts';
export type { Rejections } from './connection/stats.ts';
export type { CallRequest, Verdict } from './node/admission.ts';
export type { CloseInfo } from './node/close-info.ts';
export { type ConnectOptions, connect, type Target } from './node/connect.ts';
export type { Connection } from './node/connection.ts';
export type { CallerCredentials, Credentials, Pem } from './node/credentials.ts';
export type { DatagramOptions, Datagrams, SentDatagram } from './node/datagrams.ts';
export type { FaultOptions } from './node/faults.ts';
export type { FrameExplanation, RedundancyPlan } from './node/frame-explanation.ts';
export type { Frame, IncomingTrack } from './node/incoming-track.ts';
export {
  createLadder,
  type LadderOptions,
  type Rendition,
  type RenditionEvent,
  type RenditionFrameOptions,
  type RenditionLadder,
} from './node/ladder.ts';
export { type Listener, type ListenerStats, type ListenOptions, listen } from './node/listen.ts';
export type { BitrateChangeEvent, FrameOptions, OutgoingTrack, SentFrame } from './node/outgoing-track.ts';
export { generatePassphrase } from './node/passphrase.ts';
export type { Address } from './node/paths.ts';
export type { ConnectionReport } from './node/report.ts';
export type { TransportOptions } from './node/shared-options.ts';
export type { ConnectionStats } from './node/stats.ts';
export type { BidirectionalStream, StreamOptions } from './node/streams.ts';
export type { TrackOptions } from './node/tracks.ts';
export type {
  Delivery,
  FrameCounts,
  Order,
  Outcome,
  ReceiveStatistics,
  RedundancyMode,
  SendStatistics,
  TrackKind,
} from './track/types.ts';
export type { EndCounters } from './wire/counters.ts';
