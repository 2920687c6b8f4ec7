/**
 * What a link is made of, as data: everything here can be written in a scenario file, except an own {@link LossModel}.
 * Times are milliseconds (fractions allowed, microsecond resolution), sizes bytes on the wire (IP header included),
 * rates bits per second, ratios 0..1.
 */
import type { CapacitySpec } from './capacity.ts';
import type { LossModel, LossSpec } from './loss.ts';

/** Bytes that IPv4 and UDP headers add to a UDP payload. */
export const UDP_IPV4_HEADER_BYTES = 28;
/** Bytes that IPv6 and UDP headers add to a UDP payload. */
export const UDP_IPV6_HEADER_BYTES = 48;

/** Delay that varies from packet to packet, added to `delayMs`. The sum is never below 0. */
export interface JitterSpec {
  /**
   * `uniform`: within +-ms (netem's default). `normal`: standard deviation ms, cut at 3 deviations.
   * `late`: the absolute value of `normal`, so that delayMs stays the minimum (RFC 8868 §4.5, NR-BPDV).
   */
  readonly kind: 'uniform' | 'normal' | 'late';
  readonly ms: number;
  /** True (default): a late packet holds up those behind it, as a radio link does. False: packets overtake. */
  readonly keepOrder?: boolean;
}

/** Holds some packets back while the others go on. */
export interface ReorderSpec {
  readonly ratio: number;
  /** Extra delay of the chosen packets. */
  readonly delayMs: number;
}

/** Delivers some packets twice. */
export interface DuplicateSpec {
  readonly ratio: number;
  /** How much later the copy enters the link; default 0. */
  readonly delayMs?: number;
}

/** Flips bits in some packets. A payload that is not bytes (a modelled TCP segment) is dropped: its checksum fails. */
export interface CorruptSpec {
  readonly ratio: number;
  /** At most so many corrupted packets in a row; default no limit. */
  readonly burstMax?: number;
  /** Bits flipped per packet; default 1. */
  readonly bits?: number;
}

/** A time in which nothing that enters the link comes out. */
export interface BlackoutSpec {
  readonly startMs: number;
  readonly durationMs: number;
  /** Starts again so long after each start; default: once. */
  readonly everyMs?: number;
}

/** A token bucket that drops what exceeds its rate, without a queue. */
export interface PolicerSpec {
  readonly rateBps: number;
  /** Depth of the bucket. It starts full. */
  readonly burstBytes: number;
}

/** A drop-tail queue's limit, the smallest of those given. The packet being sent counts; one packet always fits. */
export interface QueueSpec {
  readonly bytes?: number;
  /** As bytes at the capacity of the moment (RFC 8867 §4.2). */
  readonly ms?: number;
  readonly packets?: number;
}

/** One direction of a path. The empty object is a perfect wire. */
export interface LinkOptions {
  /** Shown in errors; default 'link'. */
  readonly name?: string;
  /** Short for `capacity: { kind: 'rate', rateBps }`. Default: no limit. */
  readonly rateBps?: number;
  readonly capacity?: CapacitySpec;
  /** Default: no limit. Without a capacity there is no queue. */
  readonly queue?: QueueSpec;
  /** One-way propagation delay; default 0. */
  readonly delayMs?: number;
  readonly jitter?: JitterSpec;
  readonly reorder?: ReorderSpec;
  readonly duplicate?: DuplicateSpec;
  readonly corrupt?: CorruptSpec;
  /** Packets larger than this vanish (a path MTU without ICMP). */
  readonly sizeLimitBytes?: number;
  readonly loss?: LossSpec | LossModel;
  /** Where loss strikes: before the queue (default; lost packets load nothing) or behind it (a lossy last hop). */
  readonly lossPlace?: 'before-queue' | 'after-queue';
  readonly blackouts?: readonly BlackoutSpec[];
  readonly policer?: PolicerSpec;
}

/**
 * What happened on one link. At any time: offered + duplicated + injected = delivered + lost + queueDropped + policed +
 * oversized + blackedOut + tapped + corruptedDropped + held (in queue or in flight).
 */
export interface LinkStatistics {
  /** Packets and bytes given to `send`. */
  offered: number;
  offeredBytes: number;
  delivered: number;
  deliveredBytes: number;
  /** Dropped by the loss model. */
  lost: number;
  queueDropped: number;
  policed: number;
  oversized: number;
  blackedOut: number;
  /** Dropped by a tap. */
  tapped: number;
  /** Dropped because a corrupted payload was not bytes. */
  corruptedDropped: number;
  /** Delivered with flipped bits. */
  corrupted: number;
  duplicated: number;
  injected: number;
  /** Held back by `reorder`. */
  reordered: number;
  /** Packets inside the link now. */
  held: number;
  /** Largest queue seen, bytes. */
  queueBytesMax: number;
}

/** All zero. */
export function createLinkStatistics(): LinkStatistics {
  return {
    offered: 0,
    offeredBytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    lost: 0,
    queueDropped: 0,
    policed: 0,
    oversized: 0,
    blackedOut: 0,
    tapped: 0,
    corruptedDropped: 0,
    corrupted: 0,
    duplicated: 0,
    injected: 0,
    reordered: 0,
    held: 0,
    queueBytesMax: 0,
  };
}
