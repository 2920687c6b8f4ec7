/**
 * Messages and chunks on a TCP connection: u32 length, u8 kind, payload; big-endian. In: bytes as they come. Out: whole
 * messages. A length above the limit ends the connection.
 */
import {
  type Chunk,
  decodeChunk,
  encodeChunk,
  MEDIA_MESSAGE_BYTES_MAX,
  type MediaMessage,
  parseMessage,
} from '../media-protocol.ts';

const HEADER_BYTES = 5;
const KIND_MESSAGE = 0;
const KIND_CHUNK = 1;

function frame(kind: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.writeUInt32BE(payload.length);
  bytes.writeUInt8(kind, 4);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export function frameMessage(message: MediaMessage): Buffer {
  return frame(KIND_MESSAGE, Buffer.from(JSON.stringify(message)));
}

export function frameChunk(chunk: Chunk): Buffer {
  return frame(KIND_CHUNK, encodeChunk(chunk));
}

/** Puts together what TCP cut apart. */
export class FrameReader {
  onMessage: (message: MediaMessage) => void = () => {};
  onChunk: (chunk: Chunk) => void = () => {};
  #pending: Buffer = Buffer.alloc(0);

  /** False: the peer speaks something else. */
  push(bytes: Buffer): boolean {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    let at = 0;
    while (this.#pending.length - at >= HEADER_BYTES) {
      const length = this.#pending.readUInt32BE(at);
      if (length > MEDIA_MESSAGE_BYTES_MAX) return false;
      const end = at + HEADER_BYTES + length;
      if (end > this.#pending.length) break;
      this.#take(this.#pending.readUInt8(at + 4), this.#pending.subarray(at + HEADER_BYTES, end));
      at = end;
    }
    // Copied, so that a large buffer does not live on for a few bytes of it.
    this.#pending = Buffer.from(this.#pending.subarray(at));
    return true;
  }

  #take(kind: number, payload: Buffer): void {
    if (kind === KIND_CHUNK) {
      const chunk = decodeChunk(payload);
      if (chunk !== undefined) this.onChunk(chunk);
    } else {
      const message = parseMessage(payload.toString());
      if (message !== undefined) this.onMessage(message);
    }
  }
}
