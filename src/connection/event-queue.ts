/** Events in the order they happened, and the callbacks by which streams report theirs. Nothing follows `closed`. */
import type { Stream, StreamEvents } from '../stream/types.ts';
import type { ConnectionEvent } from './events.ts';

export class EventQueue {
  #events: ConnectionEvent[] = [];
  #at = 0;
  #isClosed = false;

  push(event: ConnectionEvent): void {
    if (this.#isClosed) return;
    if (event.type === 'closed') this.#isClosed = true;
    this.#events.push(event);
  }

  shift(): ConnectionEvent | undefined {
    if (this.#at >= this.#events.length) return undefined;
    const event = this.#events[this.#at++];
    if (this.#at === this.#events.length) {
      this.#events = [];
      this.#at = 0;
    }
    return event;
  }

  readonly streamEvents: Omit<StreamEvents, 'onTrackStreamDone'> = {
    onOpened: (stream: Stream) => this.push({ type: 'stream', streamId: stream.id }),
    onTrackStreamOpened: (stream: Stream) => this.push({ type: 'track-stream', streamId: stream.id }),
    onReadable: (streamId) => this.push({ type: 'stream-readable', streamId }),
    onWritable: (streamId) => this.push({ type: 'stream-writable', streamId }),
    onReset: (streamId, errorCode) => this.push({ type: 'stream-reset', streamId, errorCode }),
    onStopped: (streamId, errorCode) => this.push({ type: 'stream-stopped', streamId, errorCode }),
    onFinished: (streamId) => this.push({ type: 'stream-finished', streamId }),
    onEnded: (streamId) => this.push({ type: 'stream-ended', streamId }),
    onCanOpen: (kind) => this.push({ type: 'stream-can-open', kind }),
    // Whoever called polls for transmission anyway.
    onWantsToSend: () => {},
  };
}
