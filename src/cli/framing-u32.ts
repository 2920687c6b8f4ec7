/** u32 framing: each media frame preceded by its length, unsigned 32-bit big-endian; 0 is an empty frame. */
import { type EmitUnit, type FrameParser, type FrameWriter, PrefixedFrames } from './framing.ts';

export class U32Parser implements FrameParser {
  readonly #frames: PrefixedFrames = new PrefixedFrames(4, 'u32');

  push(chunk: Uint8Array, emit: EmitUnit): void {
    this.#frames.push(chunk, readU32, (_header, data) => {
      emit({ data, timestampUs: undefined, keyFrame: false, discardable: false, track: 0 });
    });
  }

  flush(): void {}

  end(): void {
    this.#frames.end();
  }
}

export const writeU32: FrameWriter = ({ data }) => {
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, data.length);
  return [header, data];
};

function readU32(header: Uint8Array): number {
  return new DataView(header.buffer, header.byteOffset).getUint32(0);
}
