/**
 * `test:` media: a source that behaves like a video encoder (a rate, a frame rate, key frames) and a sink that checks
 * every byte of it. Media frame n is a 12-byte header (mark, n, length) and bytes that follow from n.
 */
import { UsageError } from './errors.ts';
import type { MediaUnit, OutgoingUnit } from './framing.ts';
import { parseInteger, parseRate, parseTime } from './units.ts';

const MARK = 0x6d72_7431;
const HEADER_BYTES = 12;
/** A key frame has this many times the bytes of another. */
const KEY_FRAME_WEIGHT = 4;
/** Without `--bitrate` it goes down to this where the path carries no more. */
const BITRATE_MIN = 100_000;
export const TEST_BITRATE_DEFAULT = 4_000_000;

export interface TestSourceOptions {
  readonly fps: number;
  /** Frames from one key frame to the next. */
  readonly gop: number;
  /** Undefined = for ever. */
  readonly durationMs: number | undefined;
  /** Bit/s; undefined = 4M, less where the path asks for less. */
  readonly bitrate: number | undefined;
}

/** Reads `test:?fps=30&gop=60&duration=10s&bitrate=4M`. */
export function parseTestSource(
  parameters: ReadonlyMap<string, string>,
  bitrate: number | undefined,
): TestSourceOptions {
  for (const name of parameters.keys()) {
    if (!['fps', 'gop', 'duration', 'bitrate'].includes(name)) {
      throw new UsageError(`test: has no parameter '${name}': there are fps, gop, duration and bitrate`);
    }
  }
  const text = (name: string, missing: string): string => parameters.get(name) ?? missing;
  const duration = parameters.get('duration');
  const own = parameters.get('bitrate');
  return {
    fps: parseInteger(text('fps', '30'), 'fps', 1, 1000),
    gop: parseInteger(text('gop', '60'), 'gop', 1, 100_000),
    durationMs: duration === undefined ? undefined : parseTime(duration, 'duration', 1),
    bitrate: own === undefined ? bitrate : parseRate(own, 'bitrate'),
  };
}

/** Makes media frame `index`; `targetBps` is what the path carries (used unless a rate is set). */
export function testFrame(options: TestSourceOptions, index: number, targetBps: number): MediaUnit {
  const { fps, gop } = options;
  const bitrate =
    options.bitrate ??
    Math.max(BITRATE_MIN, Math.min(TEST_BITRATE_DEFAULT, targetBps || TEST_BITRATE_DEFAULT));
  const plain = (bitrate / 8 / fps) * (gop / (gop - 1 + KEY_FRAME_WEIGHT));
  const keyFrame = index % gop === 0;
  const size = Math.max(HEADER_BYTES, Math.round(keyFrame ? plain * KEY_FRAME_WEIGHT : plain));
  const data = new Uint8Array(size);
  fillTestFrame(data, index);
  return { data, timestampUs: Math.round((index * 1e6) / fps), keyFrame, discardable: false, track: 0 };
}

/** True when the media frame is one of ours and every byte of it is right. */
export function checkTestFrame(unit: Pick<OutgoingUnit, 'data'>): boolean {
  const { data } = unit;
  if (data.length < HEADER_BYTES) return false;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  if (view.getUint32(0) !== MARK || view.getUint32(8) !== data.length) return false;
  const expected = new Uint8Array(data.length);
  fillTestFrame(expected, view.getUint32(4));
  return Buffer.compare(data, expected) === 0;
}

function fillTestFrame(data: Uint8Array, index: number): void {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  view.setUint32(0, MARK);
  view.setUint32(4, index >>> 0);
  view.setUint32(8, data.length);
  let state = (index * 2_654_435_761 + 1) | 0;
  for (let i = HEADER_BYTES; i < data.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    data[i] = state >>> 24;
  }
}
