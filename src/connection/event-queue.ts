/** Events in the order they happened. Nothing follows `closed`. */
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
}
