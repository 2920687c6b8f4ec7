/** Constants of the media controller's law. § without a name: of docs/rate-control.md. */
/** Microseconds where the name ends in US. */
export const Law = {
  /** The control law runs at most this often: shorter steps would only see timers. */
  TICK_US: 10_000,
  /** Windows of the delivery rate: §4.1. */
  INSTANT_US: 60_000,
  SHORT_US: 100_000,
  LONG_US: 300_000,
  /** How fast measured capacity is believed while the queue stands, seconds. */
  CAPACITY_SECONDS: 0.5,
  /** A queue that has not drained after this long is no queue: the base was wrong. */
  DRAIN_MAX_US: 8_000_000,
  /** Loss over 2 s above which everything stops growing and shrinks (§4.3: absolute stop). */
  LOSS_STOP: 0.3,
  LOSS_STOP_INTERVAL_US: 500_000,
  /** Loss above which the rate stays near what arrives. */
  LOSS_GUARD: 0.08,
  GUARD: 1.18,
  /** Loss beyond the random kind, 0..1, above which an empty queue no longer says that the path has room. */
  UNEXPLAINED_LOSS: 0.02,
  /** Sent so many times what is delivered: more than random loss explains. */
  PRESSED: 1.2,
  /** Probe timeouts in a row that make an outage. */
  OUTAGE_TIMEOUTS: 2,
  /** So long into a silence live media is held back by the pacer alone (§4.6). */
  BLIND_MAX_US: 3_000_000,
  /** Beyond twice the bandwidth-delay product: feedback every 25 ms, event loops that come late. */
  HEADROOM_US: 75_000,
  /** Ten full datagrams. */
  WINDOW_MIN_BYTES: 14_520,
} as const;
