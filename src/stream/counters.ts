/** What the streams of one connection count together. */

/** Stream bytes, without frame headers, since the start of the connection. */
export interface StreamCounters {
  /** First transmissions. */
  sentBytes: number;
  resentBytes: number;
  /** New bytes received (flow-controlled ones). */
  receivedBytes: number;
  /** Bytes that had arrived before. */
  duplicateBytes: number;
}
