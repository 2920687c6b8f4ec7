/**
 * What watchers of a connection get to know: subscribers of diagnostics_channel, and its qlog. In: the connection and its
 * events. Out: messages on channels, records. Costs nothing where nobody listens. Source: docs/api.md.
 */
import { channel } from 'node:diagnostics_channel';
import type { TransportError } from '../base/errors.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { ConnectionEvent } from '../connection/events.ts';
import { nowUs } from './driver.ts';
import { type Qlog, TracedController } from './qlog.ts';

const ready = channel('millrace:connection:ready');
const closed = channel('millrace:connection:closed');
const pathChanged = channel('millrace:connection:path');
const bitrate = channel('millrace:track:bitrate');
const settled = channel('millrace:frame:settled');

/** Watches one connection. */
export class Observer {
  readonly #connection: object;
  readonly #qlog: Qlog | undefined;

  /** @param connection What subscribers are told that it is about. */
  constructor(connection: object, core: Core) {
    this.#connection = connection;
    const { controller, options } = core.state;
    const folder = process.env.QLOGDIR;
    if (!(controller instanceof TracedController) || folder === undefined) return;
    this.#qlog = controller.qlog;
    this.#qlog.open(folder, options.originalId, options.isServer ? 'server' : 'client');
  }

  onEvent(event: ConnectionEvent): void {
    const connection = this.#connection;
    switch (event.type) {
      case 'connected':
        ready.publish({ connection });
        this.#qlog?.event(nowUs(), 'quic:connection_state_updated', { new: 'handshake_confirmed' });
        return;
      case 'path-changed':
        pathChanged.publish({ connection });
        return;
      case 'bitrate': {
        const { trackId, bps, maxFrameBytes } = event;
        bitrate.publish({ connection, trackId, bitsPerSecond: bps, maxFrameBytes });
        this.#qlog?.event(nowUs(), 'millrace:bitrate_changed', { track_id: trackId, bitrate: bps });
        return;
      }
      case 'frame-settled': {
        const { trackId, frameId, outcome } = event;
        if (settled.hasSubscribers) settled.publish({ connection, trackId, frameId, outcome });
        this.#qlog?.event(nowUs(), 'millrace:frame_settled', {
          track_id: trackId,
          frame_id: frameId,
          outcome,
        });
        return;
      }
      default:
    }
  }

  onClosed(error: TransportError | undefined, info: { closeCode: number; reason: string }): void {
    closed.publish({ connection: this.#connection, error, ...info });
    this.#qlog?.event(nowUs(), 'quic:connection_closed', {
      application_code: info.closeCode,
      ...info,
      error: error?.code,
    });
    this.#qlog?.close();
  }
}
