/**
 * The announcement of a track: what its receiver must know before it can deliver. It travels in pieces (TRACK frames)
 * and is complete when every byte is there. Source: docs/wire-format.md §3.6.
 */
import { Reader, varintSize, Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import { Ranges } from '../base/ranges.ts';
import { ANNOUNCEMENT_BYTES_MAX, LATENCY_US_MAX, LATENCY_US_MIN, METADATA_BYTES_MAX } from './limits.ts';
import type { LiveTrackOptions, ReliableTrackOptions } from './set-options.ts';
import type { Announcement, Delivery, TrackKind } from './types.ts';

const KINDS: readonly TrackKind[] = ['video', 'audio', 'data'];
const FLAG_TIMED = 1;
const FLAG_UNORDERED = 2;
const FLAG_RELIABLE = 4;

/** Ranges of an announcement that have arrived: more pieces than this at a time are no honest peer's. */
const PIECES_MAX = 64;

const NO_METADATA: Uint8Array = new Uint8Array(0);

/** The announcement of a live track. Both ends may wish for a latency: the larger wins. */
export function announceLive(options: LiveTrackOptions, wishUs: Micros): Announcement {
  const { kind, delivery = 'asap', order = 'send', metadata = NO_METADATA } = options;
  const latencyUs = Math.max(options.latencyUs, Math.min(wishUs, LATENCY_US_MAX));
  return { kind, delivery, order, isReliable: false, latencyUs, streamId: 0, metadata };
}

/** The announcement of a reliable track. */
export function announceReliable(options: ReliableTrackOptions): Announcement {
  const { kind, streamId, metadata = NO_METADATA } = options;
  return { kind, delivery: 'asap', order: 'send', isReliable: true, latencyUs: 0, streamId, metadata };
}

/**
 * Bytes of an announcement.
 *
 * @throws RangeError for a latency outside 1 ms..60 s on a live track, or metadata above 4096 bytes.
 */
export function encodeAnnouncement(announcement: Announcement): Uint8Array {
  const { latencyUs, metadata, isReliable } = announcement;
  if (metadata.length > METADATA_BYTES_MAX) {
    throw new RangeError(`metadata has ${metadata.length} bytes; at most ${METADATA_BYTES_MAX} fit`);
  }
  if (!isReliable && !(latencyUs >= LATENCY_US_MIN && latencyUs <= LATENCY_US_MAX)) {
    throw new RangeError(`latency must be 1 ms to 60 s, not ${latencyUs / MILLISECOND} ms`);
  }
  const latencyMs = isReliable ? 0 : Math.round(latencyUs / MILLISECOND);
  const { streamId } = announcement;
  const size =
    2 + varintSize(latencyMs) + varintSize(streamId) + varintSize(metadata.length) + metadata.length;
  const writer = new Writer().reset(new Uint8Array(size));
  writer.u8(KINDS.indexOf(announcement.kind));
  const timed = announcement.delivery === 'timed' ? FLAG_TIMED : 0;
  const unordered = announcement.order === 'none' ? FLAG_UNORDERED : 0;
  writer.u8(timed | unordered | (isReliable ? FLAG_RELIABLE : 0));
  writer.varint(latencyMs);
  writer.varint(streamId);
  writer.varint(metadata.length);
  writer.copy(metadata);
  return writer.bytes;
}

/**
 * The announcement in `bytes`, or undefined if it is malformed. `metadata` is a view.
 *
 * @param wish How the receiver wants media delivered, whatever the sender says.
 */
export function decodeAnnouncement(bytes: Uint8Array, wish?: Delivery): Announcement | undefined {
  const reader = new Reader().reset(bytes);
  const kind = KINDS[reader.u8()];
  const flags = reader.u8();
  const latencyUs = reader.varint() * MILLISECOND;
  const streamId = reader.varint();
  const metadata = reader.take(reader.varint());
  if (reader.failed || reader.remaining > 0 || kind === undefined || metadata.length > METADATA_BYTES_MAX) {
    return undefined;
  }
  const isReliable = (flags & FLAG_RELIABLE) !== 0;
  if (!isReliable && (latencyUs < LATENCY_US_MIN || latencyUs > LATENCY_US_MAX)) return undefined;
  const delivery = wish ?? ((flags & FLAG_TIMED) !== 0 ? 'timed' : 'asap');
  const order = (flags & FLAG_UNORDERED) !== 0 ? 'none' : 'send';
  return { kind, delivery, order, isReliable, latencyUs, streamId, metadata };
}

/** Collects the pieces of one announcement. */
export class AnnouncementAssembly {
  #bytes: Uint8Array | undefined;
  readonly #have: Ranges = new Ranges();

  /** The whole announcement; undefined before it is complete. */
  get complete(): Uint8Array | undefined {
    const bytes = this.#bytes;
    return bytes !== undefined && this.#have.covers(0, bytes.length) ? bytes : undefined;
  }

  /** @returns 0, or the WireError to close with: pieces that contradict each other, or too many. */
  add(size: number, offset: number, piece: Uint8Array): number {
    if (size < 1 || size > ANNOUNCEMENT_BYTES_MAX || offset + piece.length > size) {
      return WireError.FRAME_ENCODING_ERROR;
    }
    this.#bytes ??= new Uint8Array(size);
    if (this.#bytes.length !== size) return WireError.PROTOCOL_VIOLATION;
    this.#bytes.set(piece, offset);
    this.#have.add(offset, offset + piece.length);
    return this.#have.count > PIECES_MAX ? WireError.PROTOCOL_VIOLATION : 0;
  }
}
