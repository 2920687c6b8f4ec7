/**
 * record framing: a 24-byte header (u32 length, u8 track, u8 flags: 1 key frame, 2 discardable, u16 zero, u64
 * timestamp in us, u64 sequence; big-endian), then the media frame. Several tracks over one pipe.
 */
import { TIMESTAMP_US_MAX } from '../wire/symbol.ts';
import {
  type EmitUnit,
  type FrameParser,
  type FrameWriter,
  framingError,
  PrefixedFrames,
} from './framing.ts';

const HEADER_BYTES = 24;
const TWO_32 = 4_294_967_296;

export class RecordParser implements FrameParser {
  readonly #frames: PrefixedFrames = new PrefixedFrames(HEADER_BYTES, 'record');

  push(chunk: Uint8Array, emit: EmitUnit): void {
    this.#frames.push(chunk, checkHeader, (header, data) => {
      const view = new DataView(header.buffer, header.byteOffset);
      const flags = view.getUint8(5);
      emit({
        data,
        timestampUs: view.getUint32(8) * TWO_32 + view.getUint32(12),
        keyFrame: (flags & 1) !== 0,
        discardable: (flags & 2) !== 0,
        track: view.getUint8(4),
      });
    });
  }

  flush(): void {}

  end(): void {
    this.#frames.end();
  }
}

export const writeRecord: FrameWriter = (unit) => {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  // Media time may be negative within the library; a pipe counts from 0.
  const timestampUs = Math.max(0, unit.timestampUs);
  view.setUint32(0, unit.data.length);
  view.setUint8(4, unit.track);
  view.setUint8(5, (unit.keyFrame ? 1 : 0) | (unit.discardable ? 2 : 0));
  view.setUint32(8, Math.floor(timestampUs / TWO_32));
  view.setUint32(12, timestampUs % TWO_32);
  view.setUint32(16, Math.floor(unit.sequence / TWO_32));
  view.setUint32(20, unit.sequence % TWO_32);
  return [header, unit.data];
};

function checkHeader(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset);
  if ((view.getUint8(5) & ~3) !== 0 || view.getUint16(6) !== 0) {
    throw framingError('a record header has reserved bits set: is this record framing?');
  }
  if (view.getUint32(8) * TWO_32 + view.getUint32(12) > TIMESTAMP_US_MAX)
    throw framingError('a record timestamp is above 2^52 us: is this record framing?');
  return view.getUint32(0);
}
