/**
 * What an experiment sends, as data and as a sequence: which source offers how many bytes at which instant. In: rates
 * and sizes. Out: frames, the same for every transport and every seed.
 */
import { type Micros, SECOND } from '../base/protocol.ts';
import type { TrackKind } from '../track/types.ts';

/** Video with key frames at equal distances, constant in between. */
export interface VideoSpec {
  /** Mean over one group of pictures, bits per second of media. */
  readonly bitrateBps: number;
  /** Default 30. */
  readonly framesPerSecond?: number;
  /** Frames from one key frame to the next; default 60. */
  readonly groupFrames?: number;
  /** Size of a key frame in sizes of another; default 6. */
  readonly keyFrameFactor?: number;
  /**
   * The encoder follows the bitrate that its transport asks for, within these bounds; each key frame and each other frame
   * is scaled alike, and none is larger than the transport says. Default: the bitrate above whatever happens. Only millrace
   * asks.
   */
  readonly follow?: { readonly minBps: number; readonly maxBps: number };
}

/** Packets of one size at one distance: audio, MPEG-TS in UDP datagrams, messages. */
export interface PacketsSpec {
  readonly sizeBytes: number;
  readonly everyMs: number;
}

/** What is sent side by side. Every source has a track (or a stretch of the byte stream) of its own. */
export interface WorkloadSpec {
  readonly video?: VideoSpec;
  /** On a track of kind audio. */
  readonly audio?: PacketsSpec;
  /** Independent datagrams or messages, on a track of kind data. */
  readonly packets?: PacketsSpec;
}

/** One sequence of frames. Frame i is offered at `atUs(i)` after the start and has `sizeBytes(i)` bytes. */
export interface Source {
  readonly name: 'video' | 'audio' | 'packets';
  readonly kind: TrackKind;
  readonly intervalUs: Micros;
  /** Bits per second of media while nobody asks for another rate. */
  readonly bitrateBps: number;
  /** Frames between key frames; 1 when no frame needs another. */
  readonly groupFrames: number;
  /** Only of a source that follows its target. */
  readonly follow: { readonly minBps: number; readonly maxBps: number } | undefined;
  atUs(index: number): Micros;
  sizeBytes(index: number): number;
  isKeyFrame(index: number): boolean;
}

/** 50 packets of 160 bytes a second: 64 kbit/s. */
export const AUDIO: PacketsSpec = { sizeBytes: 160, everyMs: 20 };
/** Seven MPEG-TS packets. */
const TS_BUNDLE_BYTES = 1_316;
/** Smallest frame a source makes, however low its target. */
const FRAME_BYTES_MIN = 40;

/** MPEG-TS at a constant rate, seven packets of 188 bytes in each datagram, as ffmpeg and cameras send it. */
export function mpegTs(bitrateBps: number): PacketsSpec {
  return { sizeBytes: TS_BUNDLE_BYTES, everyMs: (TS_BUNDLE_BYTES * 8_000) / bitrateBps };
}

/** The sources of a workload, video first. Throws `RangeError` for one that never sends. */
export function createSources(workload: WorkloadSpec): Source[] {
  const sources: Source[] = [];
  const { video, audio, packets } = workload;
  if (video !== undefined) sources.push(videoSource(video));
  if (audio !== undefined) sources.push(packetSource('audio', 'audio', audio));
  if (packets !== undefined) sources.push(packetSource('packets', 'data', packets));
  if (sources.length === 0) throw new RangeError('a workload needs a source');
  return sources;
}

function videoSource(video: VideoSpec): Source {
  const { bitrateBps, framesPerSecond = 30, groupFrames = 60, keyFrameFactor = 6, follow } = video;
  if (!(bitrateBps > 0 && framesPerSecond > 0 && groupFrames >= 1 && keyFrameFactor > 0))
    throw new RangeError('video needs a bitrate, a frame rate, a group and a key frame size above 0');
  const groupBytes = ((bitrateBps / 8) * groupFrames) / framesPerSecond;
  const frameBytes = groupBytes / (groupFrames - 1 + keyFrameFactor);
  const isKeyFrame = (index: number): boolean => index % groupFrames === 0;
  return {
    name: 'video',
    kind: 'video',
    intervalUs: SECOND / framesPerSecond,
    bitrateBps,
    groupFrames,
    follow,
    atUs: (index) => Math.round((index * SECOND) / framesPerSecond),
    sizeBytes: (index) =>
      Math.max(FRAME_BYTES_MIN, Math.round(isKeyFrame(index) ? frameBytes * keyFrameFactor : frameBytes)),
    isKeyFrame,
  };
}

function packetSource(name: 'audio' | 'packets', kind: TrackKind, packets: PacketsSpec): Source {
  const { sizeBytes, everyMs } = packets;
  if (!(sizeBytes >= 1 && everyMs > 0)) throw new RangeError(`${name} needs a size and an interval above 0`);
  return {
    name,
    kind,
    intervalUs: everyMs * 1_000,
    bitrateBps: (sizeBytes * 8_000) / everyMs,
    groupFrames: 1,
    follow: undefined,
    atUs: (index) => Math.round(index * everyMs * 1_000),
    sizeBytes: () => sizeBytes,
    isKeyFrame: () => false,
  };
}

/**
 * The size of frame `index` when the transport asks for `targetBps` and for no frame above `maxBytes`; the source's own
 * size where it does not follow.
 */
export function followedBytes(
  source: Source,
  index: number,
  targetBps: number,
  maxBytes: number = Number.POSITIVE_INFINITY,
): number {
  const nominal = source.sizeBytes(index);
  if (source.follow === undefined) return nominal;
  const { minBps, maxBps } = source.follow;
  const share = Math.min(maxBps, Math.max(minBps, targetBps)) / source.bitrateBps;
  return Math.max(FRAME_BYTES_MIN, Math.min(maxBytes, Math.round(nominal * share)));
}
