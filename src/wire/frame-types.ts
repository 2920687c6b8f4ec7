/** Frame type bytes. Source: docs/wire-format.md §3; numbers of RFC 9000 §19 and RFC 9221 where the meaning is theirs. */
export const FrameType = {
  PADDING: 0x00,
  PING: 0x01,
  ACK: 0x02,
  RESET_STREAM: 0x04,
  STOP_SENDING: 0x05,
  CRYPTO: 0x06,
  /** 0x08..0x0f: + 4 OFF, + 2 LEN, + 1 FIN. */
  STREAM: 0x08,
  MAX_DATA: 0x10,
  MAX_STREAM_DATA: 0x11,
  MAX_STREAMS_BIDIRECTIONAL: 0x12,
  MAX_STREAMS_UNIDIRECTIONAL: 0x13,
  DATA_BLOCKED: 0x14,
  STREAM_DATA_BLOCKED: 0x15,
  STREAMS_BLOCKED_BIDIRECTIONAL: 0x16,
  STREAMS_BLOCKED_UNIDIRECTIONAL: 0x17,
  NEW_CONNECTION_ID: 0x18,
  RETIRE_CONNECTION_ID: 0x19,
  PATH_CHALLENGE: 0x1a,
  PATH_RESPONSE: 0x1b,
  CONNECTION_CLOSE: 0x1c,
  APPLICATION_CLOSE: 0x1d,
  HANDSHAKE_DONE: 0x1e,
  PARAMETERS: 0x20,
  DATAGRAM_SIZE: 0x21,
  TRACK: 0x22,
  TRACK_END: 0x23,
  TRACK_ACK: 0x24,
  TRACK_STOP: 0x25,
  KEY_FRAME_REQUEST: 0x26,
  TRACK_SKIP: 0x27,
  /** 0x28..0x2f: + 1 LEN, + 2 PART, + 4 RESENT. */
  SYMBOL: 0x28,
  /** 0x30, 0x31: + 1 LEN. */
  DATAGRAM: 0x30,
  /** 0x32, 0x33: + 1 LEN. */
  REPAIR: 0x32,
  COUNTERS_REQUEST: 0x34,
  COUNTERS: 0x35,
} as const;

/** Frame types are below this: the size of a dispatch table. */
export const FRAME_TYPES = 0x36;

/** What `parse` methods return: 0 is fine, anything else is the WireError to close with. */
export type ParseResult = number;
