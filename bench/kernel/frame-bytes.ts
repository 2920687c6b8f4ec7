/**
 * How a media frame looks inside any transport: which one it is, in twelve bytes, and then the workload's noise, so that
 * whoever gets it can tell what it is and that every byte of it is right.
 */
import { frameContent } from '../../src/lab/frames.ts';

/** Mark, index, and index inverted (the noise repeats itself). Sources of the workload make no smaller frames. */
const FRAME_HEAD_BYTES = 12;
const MARK = 0x6d724b00;

/** Makes frame `index` of source `source` (0..255). */
export function makeFrame(source: number, index: number, sizeBytes: number): Buffer {
  const bytes = Buffer.from(frameContent(index, sizeBytes));
  bytes.writeUInt32BE(MARK + source, 0);
  bytes.writeUInt32BE(index, 4);
  bytes.writeUInt32BE(~index >>> 0, 8);
  return bytes;
}

/** Which frame this is; undefined for what is none, or is damaged in any byte. */
export function readFrame(
  bytes: Uint8Array,
): { readonly source: number; readonly index: number } | undefined {
  if (bytes.length < FRAME_HEAD_BYTES) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const source = buffer.readUInt32BE(0) - MARK;
  const index = buffer.readUInt32BE(4);
  if (source < 0 || source > 255 || buffer.readUInt32BE(8) !== ~index >>> 0) return undefined;
  const expected = frameContent(index, bytes.length);
  const isWhole = buffer.compare(expected, FRAME_HEAD_BYTES, expected.length, FRAME_HEAD_BYTES) === 0;
  return isWhole ? { source, index } : undefined;
}
