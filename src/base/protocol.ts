/**
 * The shape every sans-IO part of millrace has: bytes and time in, bytes and deadlines out.
 * Source: the `handle_timeout`/`poll_*` shape of quinn-proto and aioquic, reduced to five methods.
 */

/** Instant or duration, integer microseconds. Monotonic; arbitrary origin; never a wall clock. */
export type Micros = number;

/** A deadline that never fires. */
export const NEVER: Micros = Number.POSITIVE_INFINITY;

/** One millisecond and one second in {@link Micros}. */
export const MILLISECOND: Micros = 1_000;
export const SECOND: Micros = 1_000_000;

/**
 * Names one network path (local socket and remote address) inside one endpoint. Small integers handed out by
 * whoever owns the sockets; the core never sees an address.
 */
export type PathId = number;

/**
 * One end of a connection as a pure state machine: bytes and time in, bytes and deadlines out.
 * After any `handle*` or application call: drain `pollTransmit` to 0, read `pollTimeout`, drain `pollEvent`.
 * `now` never decreases. Extra calls are harmless.
 */
export interface Protocol<Event> {
  /** Feeds one UDP payload. Ownership passes to the connection (it may keep views). Never throws. */
  handleDatagram(datagram: Uint8Array, path: PathId, now: Micros): void;
  /** Runs every timer due at or before `now`. */
  handleTimeout(now: Micros): void;
  /** Writes the next datagram into `out` at 0. Returns its length in bytes; 0 = nothing to send now. */
  pollTransmit(out: Uint8Array, now: Micros): number;
  /** The next instant `handleTimeout` must run, or `NEVER`. */
  pollTimeout(): Micros;
  /** The next application event, or undefined when drained. */
  pollEvent(): Event | undefined;
}
