/** What a sending track is made with, and what it tells its owner. */
import type { Micros } from '../base/protocol.ts';
import type { Activate } from '../wire/frame-source.ts';
import type { ProtectionOptions } from './protection.ts';
import type { TrackSender } from './send.ts';
import type { FrameLayout } from './sent-frame.ts';
import type { Outcome, RepairMaker } from './types.ts';

/** What a sender tells its owner. Called synchronously; may call back into the sender. */
export interface SenderEvents {
  /** Exactly once per media frame, in bounded time. */
  onSettled(sender: TrackSender, frameId: number, outcome: Outcome, now: Micros): void;
  /** Symbols [first, first + count) belong to a media frame that was given up half sent: tell the receiver. */
  onSkip(sender: TrackSender, first: number, count: number, deadlineUs: Micros): void;
  /** After `end`: the last symbol has left (or expired), so the final ids are known. */
  onDrained(sender: TrackSender): void;
  /** After `end`: every media frame has settled. */
  onEnded(sender: TrackSender): void;
  /** The deadline may have changed. */
  onTouched(sender: TrackSender): void;
}

export interface TrackSenderOptions extends ProtectionOptions {
  readonly id: number;
  readonly sendOrder: number;
  /** 1..255. */
  readonly weight: number;
  readonly activate: Activate;
  readonly repair: RepairMaker;
  readonly events: SenderEvents;
  /** Scratch; one may serve all tracks. */
  readonly layout?: FrameLayout;
}
