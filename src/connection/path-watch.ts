/**
 * Watches the path in use for a caller, who alone can leave it: silence of a peer who owes an answer calls for a fresh
 * port, silence of a peer who usually sends calls for a question first. In: time. Out: a PING, the wish for a socket.
 * Source: DESIGN D10.
 */
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import type { ConnectionState } from './state.ts';

/** A path is silent when nothing has been acknowledged for so many probe timeouts. */
const SILENT_TIMEOUTS = 3;
/** On a short path three timeouts are less than what a busy event loop may take. */
const SILENT_MIN_US: Micros = 250 * MILLISECOND;

export class PathWatch {
  readonly #state: ConnectionState;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  get #isWatching(): boolean {
    const { options, handshake } = this.#state;
    return !options.isServer && handshake === undefined;
  }

  #silentAtUs(): Micros {
    const { recovery, paths } = this.#state;
    if (paths.healing.isRunning || recovery.waitingSinceUs === NEVER) return NEVER;
    return recovery.waitingSinceUs + Math.max(SILENT_MIN_US, SILENT_TIMEOUTS * recovery.probeTimeoutUs);
  }

  nextDeadline(): Micros {
    const { paths, silence } = this.#state;
    const pathsAtUs = paths.nextDeadline();
    if (!this.#isWatching) return pathsAtUs;
    return Math.min(pathsAtUs, silence.nextDeadline(), this.#silentAtUs());
  }

  onTimeout(now: Micros): void {
    const { paths, silence, recovery, control } = this.#state;
    paths.onTimeout(now);
    if (!this.#isWatching) return;
    // Whatever waits for an acknowledgement left before the silence, and was heard under the old address: it asks nothing.
    if (silence.takeDue(now) && recovery.probeTimeoutCount === 0) control.sendPing();
    if (this.#silentAtUs() <= now) paths.heal(false, now);
  }
}
