/** Which tracks have control frames or a TRACK_ACK to write: two queues, so that idle tracks cost nothing per packet. */
import type { Writer } from '../base/bytes.ts';
import { type PacketRecord, TokenKind } from '../wire/frame-source.ts';
import { Deque } from './deque.ts';
import { ControlToken, type LocalTrack, type RemoteTrack } from './track-control.ts';

/** See the file header. Each track is in each queue at most once. */
export class ControlQueue {
  readonly #control: Deque<LocalTrack | RemoteTrack> = new Deque<LocalTrack | RemoteTrack>();
  readonly #feedback: Deque<RemoteTrack> = new Deque<RemoteTrack>();

  get wantsToSend(): boolean {
    return this.#control.length > 0;
  }

  get hasFeedback(): boolean {
    return this.#feedback.length > 0;
  }

  /** True if the track has something due and was not queued. */
  push(track: LocalTrack | RemoteTrack): boolean {
    if (track.isQueued || !track.hasDue) return false;
    track.isQueued = true;
    this.#control.push(track);
    return true;
  }

  pushFeedback(track: RemoteTrack): void {
    if (track.isAckQueued) return;
    track.isAckQueued = true;
    this.#feedback.push(track);
  }

  /** Writes control frames until one does not fit. True if anything was written. */
  writeControl(writer: Writer, record: PacketRecord): boolean {
    const start = writer.at;
    for (let track = this.#control.at(0); track !== undefined; track = this.#control.at(0)) {
      track.write(writer, record);
      if (track.hasDue) break;
      track.isQueued = false;
      this.#control.shift();
    }
    return writer.at > start;
  }

  /** Writes TRACK_ACK frames until one does not fit. True if anything was written. */
  writeFeedback(writer: Writer, record: PacketRecord): boolean {
    const start = writer.at;
    for (let track = this.#feedback.at(0); track !== undefined; track = this.#feedback.at(0)) {
      if (track.receiver?.ackWanted === true) {
        const token = track.receiver.writeTrackAck(writer);
        if (token < 0) break;
        record.note(TokenKind.TRACK_CONTROL, track.id, ControlToken.TRACK_ACK, token);
      }
      track.isAckQueued = false;
      this.#feedback.shift();
    }
    return writer.at > start;
  }
}
