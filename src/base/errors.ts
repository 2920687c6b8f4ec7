/**
 * Every failure an application can see is one `TransportError` with a stable string code; every failure a peer can
 * see is a number from RFC 9000 §20.1.
 */

/** Error numbers of CONNECTION_CLOSE (0x1c). Source: RFC 9000 §20.1. */
export const WireError = {
  NO_ERROR: 0x00,
  INTERNAL_ERROR: 0x01,
  CONNECTION_REFUSED: 0x02,
  FLOW_CONTROL_ERROR: 0x03,
  STREAM_LIMIT_ERROR: 0x04,
  STREAM_STATE_ERROR: 0x05,
  FINAL_SIZE_ERROR: 0x06,
  FRAME_ENCODING_ERROR: 0x07,
  TRANSPORT_PARAMETER_ERROR: 0x08,
  CONNECTION_ID_LIMIT_ERROR: 0x09,
  PROTOCOL_VIOLATION: 0x0a,
  CRYPTO_BUFFER_EXCEEDED: 0x0d,
  AEAD_LIMIT_REACHED: 0x0f,
  /** 0x0100 + TLS alert. */
  CRYPTO_ERROR: 0x0100,
} as const;

/** Stable codes; the message says what to do next. */
export type ErrorCode =
  /** No answer within the connect timeout. */
  | 'ERR_MILLRACE_TIMEOUT'
  /** The peer fell silent for the idle timeout. */
  | 'ERR_MILLRACE_IDLE_TIMEOUT'
  /** The peer no longer knows the connection: it was restarted, or had given it up. */
  | 'ERR_MILLRACE_FORGOTTEN'
  /** Nothing listens on that port (ICMP port unreachable). */
  | 'ERR_MILLRACE_REFUSED'
  /** This machine has no way to the peer's address: no network, no route. */
  | 'ERR_MILLRACE_UNREACHABLE'
  /** The host name does not resolve, or the name service cannot be reached: the message says which. */
  | 'ERR_MILLRACE_UNKNOWN_HOST'
  /** A local address cannot be bound. */
  | 'ERR_MILLRACE_ADDRESS'
  /** The peer speaks no version of ours. */
  | 'ERR_MILLRACE_VERSION'
  /** The passphrase differs, or one end uses a passphrase and the other a certificate. */
  | 'ERR_MILLRACE_PASSPHRASE'
  /** The peer's certificate is not trusted, or not for that name. */
  | 'ERR_MILLRACE_CERTIFICATE'
  /** The handshake failed in another way. */
  | 'ERR_MILLRACE_HANDSHAKE'
  /** `authorize` on the peer said no. */
  | 'ERR_MILLRACE_REJECTED'
  /** The resource has a publisher already. */
  | 'ERR_MILLRACE_BUSY'
  /** The peer closed the connection with an application code. */
  | 'ERR_MILLRACE_PEER_CLOSED'
  /** This end closed the connection. */
  | 'ERR_MILLRACE_CLOSED'
  /** An AbortSignal fired. */
  | 'ERR_MILLRACE_ABORTED'
  | 'ERR_MILLRACE_STREAM_RESET'
  | 'ERR_MILLRACE_STREAM_STOPPED'
  /** Too many streams or tracks for the peer. */
  | 'ERR_MILLRACE_LIMIT'
  /** The peer broke the protocol, or says that we did. */
  | 'ERR_MILLRACE_PROTOCOL'
  /** Reading or writing media failed (files, pipes). */
  | 'ERR_MILLRACE_IO'
  | 'ERR_MILLRACE_INTERNAL';

/** What a `TransportError` may carry beside its message. */
export interface TransportErrorDetails {
  /** Error number from the wire: CONNECTION_CLOSE, RESET_STREAM or STOP_SENDING. */
  readonly wireCode?: number;
  readonly cause?: unknown;
}

/** The one error class of this library. `code` is stable; `message` is for people. */
export class TransportError extends Error {
  readonly code: ErrorCode;
  readonly wireCode: number | undefined;

  constructor(code: ErrorCode, message: string, details: TransportErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TransportError';
    this.code = code;
    this.wireCode = details.wireCode;
  }
}
