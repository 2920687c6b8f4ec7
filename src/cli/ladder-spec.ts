/**
 * `--ladder 1080p:4M,540p:1.5M INPUT`: what is asked for, and the ffmpeg command that makes it. In: text. Out: renditions,
 * arguments. All renditions have key frames of the same pictures, one a second, no B-frames, and the same sound.
 */
import { UsageError } from './errors.ts';
import { parseTestSource } from './test-media.ts';
import { parseRate } from './units.ts';
import { isMediaUri, parseMediaUri } from './uri.ts';

/** One way to encode the input. */
export interface RenditionSpec {
  /** As written: `1080p`. */
  readonly name: string;
  /** Lines of the picture. */
  readonly height: number;
  /** Of picture, sound and container together. */
  readonly bitsPerSecond: number;
}

const RENDITIONS_MAX = 8;
const HEIGHT_MIN = 16;
const HEIGHT_MAX = 4320;
/** MPEG-TS adds 4 bytes to each 184; and tables, the clock, and half a packet of stuffing per picture and sound. */
const CONTAINER_SHARE = 0.97;
const CONTAINER_BPS = 60_000;
const RENDITION_BPS_MIN = 150_000;
const AUDIO_BPS = 96_000;
const AUDIO_BPS_LOW = 48_000;
/** Below this rate of the lowest rendition the sound has to make do with less. */
const LOW_BPS = 700_000;
const KEY_FRAME_SECONDS = 1;
/** The encoder's buffer: what it may spend ahead, seconds of its rate. */
const BUFFER_SECONDS = 0.5;
/** The first pipe that ffmpeg writes to. */
export const FIRST_PIPE = 3;
/** Where our ffmpeg puts the picture. */
export const VIDEO_PID = 0x100;

/** Reads `1080p:4M,540p:1.5M,270p:400k`. */
export function parseLadder(text: string): RenditionSpec[] {
  const renditions = text.split(',').map((part) => {
    const match = /^(\d+)p:(.+)$/.exec(part.trim());
    const height = Number(match?.[1] ?? 0);
    if (match === null || height < HEIGHT_MIN || height > HEIGHT_MAX) {
      throw new UsageError(
        `--ladder '${part}' is not a rendition: write lines and rate, as 1080p:4M,540p:1.5M,270p:400k`,
      );
    }
    if (height % 2 === 1) throw new UsageError(`--ladder '${part}': the number of lines must be even`);
    return {
      name: `${height}p`,
      height,
      bitsPerSecond: parseRate(match[2] as string, `--ladder ${height}p`),
    };
  });
  if (renditions.length > RENDITIONS_MAX) {
    throw new UsageError(`--ladder takes at most ${RENDITIONS_MAX} renditions`);
  }
  if (new Set(renditions.map(({ name }) => name)).size < renditions.length) {
    throw new UsageError('--ladder names the same number of lines twice');
  }
  const lowest = Math.min(...renditions.map(({ bitsPerSecond }) => bitsPerSecond));
  if (lowest < RENDITION_BPS_MIN) throw new UsageError('--ladder: a rendition needs 150k or more');
  return renditions.sort((a, b) => a.bitsPerSecond - b.bitsPerSecond);
}

/** What ffmpeg reads: arguments up to and with `-i`. */
function inputArguments(input: string, tallest: number): { args: string[]; hasSound: boolean } {
  if (input === '-') return { args: ['-i', 'pipe:0'], hasSound: false };
  if (/^(?:file:)?\/dev\/video/.test(input))
    return { args: ['-f', 'v4l2', '-i', input.replace(/^file:/, '')], hasSound: false };
  if (!isMediaUri(input)) return { args: ['-re', '-i', input], hasSound: false };
  const uri = parseMediaUri(input);
  if (uri.kind === 'file') return { args: ['-re', '-i', uri.path], hasSound: false };
  if (uri.kind !== 'test') return { args: ['-i', input], hasSound: false };
  const { fps, durationMs } = parseTestSource(uri.parameters, undefined);
  const width = 2 * Math.round((tallest * 8) / 9);
  const limit = durationMs === undefined ? [] : ['-t', String(durationMs / 1000)];
  const picture = ['-re', '-f', 'lavfi', ...limit, '-i', `testsrc2=size=${width}x${tallest}:rate=${fps}`];
  return {
    args: [...picture, '-f', 'lavfi', ...limit, '-i', 'sine=frequency=440:sample_rate=48000'],
    hasSound: true,
  };
}

/** True when ffmpeg has to get our stdin. */
export function readsStdin(input: string): boolean {
  return input === '-';
}

/** Arguments of the ffmpeg that writes rendition n as MPEG-TS to descriptor `FIRST_PIPE + n`. */
export function ffmpegArguments(input: string, renditions: readonly RenditionSpec[]): string[] {
  const tallest = Math.max(...renditions.map(({ height }) => height));
  const lowest = Math.min(...renditions.map(({ bitsPerSecond }) => bitsPerSecond));
  const audioBps = lowest < LOW_BPS ? AUDIO_BPS_LOW : AUDIO_BPS;
  const { args, hasSound } = inputArguments(input, tallest);
  const split = renditions.map((_, i) => `[in${i}]`).join('');
  const scales = renditions.map(({ height }, i) => `[in${i}]scale=-2:${height},format=yuv420p[out${i}]`);
  const filter = `[0:v:0]split=${renditions.length}${split};${scales.join(';')}`;
  const outputs = renditions.flatMap(({ bitsPerSecond }, i) => {
    const videoBps = Math.round((bitsPerSecond - CONTAINER_BPS - audioBps) * CONTAINER_SHARE);
    return [
      ...['-map', `[out${i}]`, '-map', hasSound ? '1:a:0' : '0:a:0?'],
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-bf', '0'],
      ...['-b:v', String(videoBps), '-maxrate', String(videoBps)],
      ...['-bufsize', String(Math.round(videoBps * BUFFER_SECONDS))],
      ...[
        '-force_key_frames',
        `expr:gte(t,n_forced*${KEY_FRAME_SECONDS})`,
        '-g',
        '9999',
        '-sc_threshold',
        '0',
      ],
      ...['-c:a', 'aac', '-b:a', String(audioBps), '-ac', '2', '-ar', '48000'],
      ...['-f', 'mpegts', '-mpegts_start_pid', String(VIDEO_PID), '-muxdelay', '0', '-muxpreload', '0'],
      ...['-pat_period', '0.5', '-sdt_period', '5', '-flush_packets', '1', `pipe:${FIRST_PIPE + i}`],
    ];
  });
  const quiet = ['-hide_banner', '-loglevel', 'error', ...(readsStdin(input) ? [] : ['-nostdin'])];
  return [...quiet, ...args, '-filter_complex', filter, ...outputs];
}
