/**
 * The handshake behind an interface: bytes in, bytes out, keys ready. TLS 1.3 lives in node/tls.ts, a stand-in for
 * simulations in plain-handshake.ts. Source: DESIGN D2; docs/wire-format.md §2.3.
 */
import type { TransportError } from '../base/errors.ts';

/** Traffic secrets of both directions. */
export interface TrafficSecrets {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
}

/** What the handshake has shown of the peer. */
export interface PeerIdentity {
  /** PSK identity, or subject of the peer's certificate; empty if neither. */
  readonly identity: string;
  readonly alpn: string;
}

export interface Handshake {
  /** `complete`: the peer is authenticated and secrets are ready. */
  readonly state: 'running' | 'complete' | 'failed';
  /** Why it failed, in words for people. */
  readonly error: TransportError | undefined;
  /** The TLS alert to report in CONNECTION_CLOSE after a failure. */
  readonly alert: number | undefined;
  /** Valid once complete. */
  readonly peer: PeerIdentity;
  /** Called when `read` may give something or `state` has changed. Set by the driver. */
  onProgress: (() => void) | undefined;
  /** What the secrets are bound to; given before the peer's last flight is fed. */
  setExporterContext(context: Uint8Array): void;
  /** The peer's bytes, in order. May answer at once or later. */
  receive(bytes: Uint8Array): void;
  /** Next bytes to send, or undefined. After a failure: the alert. */
  read(): Uint8Array | undefined;
  /** Valid once complete. */
  exportSecrets(): TrafficSecrets;
  /** Releases what it holds. Idempotent. */
  close(): void;
}
