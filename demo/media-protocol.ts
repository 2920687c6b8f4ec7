/**
 * What encoders and players say over a WebSocket to the programs of this demo. Text messages are JSON, one
 * {@link MediaMessage} each; binary messages are one encoded chunk each, behind a header of 16 bytes:
 *
 *     u8 track | u8 flags (1 key frame, 2 discardable) | u16 skipped | u32 duration us | f64 timestamp us | data
 *
 * Big-endian. In: bytes or text of the other side. Out: checked values, or undefined. Runs in pages and in Node.js.
 */

/** Bytes in front of the data of a chunk. */
export const CHUNK_HEADER_BYTES = 16;
/** Larger messages are refused: a key frame of 4K video is far below. */
export const MEDIA_MESSAGE_BYTES_MAX = 4_194_304;
/** Text messages are short. */
const TEXT_LENGTH_MAX = 65_536;

/** WebSocket close code of our own: another encoder or player has taken the place of this one. */
export const REPLACED = 4_001;

const KEY_FRAME = 1;
const DISCARDABLE = 2;

/** One encoded chunk of one track. */
export interface Chunk {
  /** 0..255, as announced by a `track` message before. */
  readonly track: number;
  readonly keyFrame: boolean;
  /** No other chunk needs it. */
  readonly discardable: boolean;
  /** Chunks of this track missing before this one, at most 65535. Only what comes out of a receiver has any. */
  readonly skipped: number;
  /** Integer microseconds; 0: not known. */
  readonly durationUs: number;
  /** Integer microseconds of the encoder's clock. */
  readonly timestampUs: number;
  readonly data: Uint8Array;
}

/** Counters and estimates; what they mean depends on who sends them. */
export type Figures = Readonly<Record<string, number>>;

/** Everything that is not media. */
export type MediaMessage =
  /** Before the first chunk of a track. `metadata` configures the decoder. */
  | {
      readonly type: 'track';
      readonly track: number;
      readonly kind: 'video' | 'audio';
      readonly metadata: Readonly<Record<string, unknown>>;
    }
  /** To an encoder: what it may produce on this track from now on. */
  | {
      readonly type: 'bitrate';
      readonly track: number;
      readonly bitsPerSecond: number;
      readonly maxFrameBytes: number;
    }
  /** To an encoder, or from a player: the decoder cannot go on without a key frame. */
  | { readonly type: 'keyframe'; readonly track: number }
  /** To an encoder: encode nothing (true) until false comes, because what was encoded has not left yet. */
  | { readonly type: 'behind'; readonly isBehind: boolean }
  /** To encoders and players, twice a second. */
  | { readonly type: 'figures'; readonly figures: Figures }
  /** To encoders and players: what stands in the way, in words; an empty text when nothing does any more. */
  | { readonly type: 'status'; readonly text: string };

/** A chunk as it travels. The data is copied. */
export function encodeChunk(chunk: Chunk): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(CHUNK_HEADER_BYTES + chunk.data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, chunk.track);
  view.setUint8(1, (chunk.keyFrame ? KEY_FRAME : 0) | (chunk.discardable ? DISCARDABLE : 0));
  view.setUint16(2, Math.min(0xffff, chunk.skipped));
  view.setUint32(4, chunk.durationUs);
  view.setFloat64(8, chunk.timestampUs);
  bytes.set(chunk.data, CHUNK_HEADER_BYTES);
  return bytes;
}

/** The chunk in a binary message; its data is a view. Undefined if it is none. */
export function decodeChunk(bytes: Uint8Array): Chunk | undefined {
  if (bytes.length < CHUNK_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(1);
  const timestampUs = view.getFloat64(8);
  if (!Number.isSafeInteger(timestampUs) || timestampUs < 0) return undefined;
  return {
    track: view.getUint8(0),
    keyFrame: (flags & KEY_FRAME) !== 0,
    discardable: (flags & DISCARDABLE) !== 0,
    skipped: view.getUint16(2),
    durationUs: view.getUint32(4),
    timestampUs,
    data: bytes.subarray(CHUNK_HEADER_BYTES),
  };
}

/** The message in a text; undefined if it is none that we know. */
export function parseMessage(text: string): MediaMessage | undefined {
  if (text.length > TEXT_LENGTH_MAX) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
  const message = value as Record<string, unknown>;
  return isMediaMessage(message) ? (message as unknown as MediaMessage) : undefined;
}

function isMediaMessage(message: Readonly<Record<string, unknown>>): boolean {
  const { type, track, kind, metadata, bitsPerSecond, maxFrameBytes, isBehind, figures, text } = message;
  switch (type) {
    case 'track':
      return isTrack(track) && (kind === 'video' || kind === 'audio') && isObject(metadata);
    case 'bitrate':
      return isTrack(track) && isCount(bitsPerSecond) && isCount(maxFrameBytes);
    case 'keyframe':
      return isTrack(track);
    case 'behind':
      return typeof isBehind === 'boolean';
    case 'figures':
      return isObject(figures);
    case 'status':
      return typeof text === 'string';
    default:
      return false;
  }
}

function isTrack(value: unknown): boolean {
  return isCount(value) && (value as number) <= 255;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
