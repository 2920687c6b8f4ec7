/**
 * One side's encoder: video and Opus, told by the sender program what bitrate fits and when a key frame is needed.
 * In: pictures and sound. Out: chunks on a {@link MediaLink}.
 */
import type { Figures, MediaMessage } from '../media-protocol.ts';
import { START_BPS } from './codecs.ts';
import { BitrateRamp, FrameDropper, SizeLadder } from './encoder-pace.ts';
import { LayerWriter } from './layers.ts';
import { MediaLink } from './media-link.ts';
import { SAMPLE_RATE } from './tone.ts';

export const VIDEO_TRACK = 0;
export const AUDIO_TRACK = 1;
const AUDIO_BPS = 32_000;
/** Below this the picture is not worth sending. */
const LEAST_BPS = 80_000;
/** A new bitrate is set when it differs by this much, and not more often than this. */
const CHANGE_RATIO = 0.05;
const CHANGE_MS = 250;
/** Requests that come together are one; a second key frame before the first can have arrived would only get in its way. */
const KEY_FRAME_MS = 400;
const KEY_FRAME_RTTS = 1.5;
/** Pictures inside the encoder: beyond it the machine is too slow. */
const QUEUE_MAX = 3;

export class SideEncoder {
  readonly #link: MediaLink;
  readonly #video: VideoEncoder;
  readonly #audio: AudioEncoder;
  readonly #layers: LayerWriter = new LayerWriter();
  readonly #dropper: FrameDropper = new FrameDropper();
  readonly #sizes: SizeLadder;
  readonly #fullWidth: number;
  readonly #fullHeight: number;
  readonly #ramp: BitrateRamp = new BitrateRamp();
  #scale = 1;
  #config: VideoEncoderConfig;
  #wantsKeyFrame = true;
  #keyFrameAtMs = Number.NEGATIVE_INFINITY;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  #wantedBps = START_BPS;
  targetBps = 0;
  encodedBytes = 0;
  isBehind = false;
  /** Pictures left out because the machine is too slow. */
  tooSlow = 0;
  figures: Figures = {};
  status = '';

  constructor(address: string, config: VideoEncoderConfig, onError: (error: Error) => void) {
    this.#config = config;
    this.#fullWidth = config.width;
    this.#fullHeight = config.height;
    this.#sizes = new SizeLadder(config.width, config.height);
    this.#video = new VideoEncoder({
      output: (chunk, metadata) => this.#sendVideo(chunk, metadata),
      error: onError,
    });
    this.#video.configure(config);
    this.#audio = new AudioEncoder({ output: (chunk) => this.#sendAudio(chunk), error: onError });
    this.#audio.configure({
      codec: 'opus',
      sampleRate: SAMPLE_RATE,
      numberOfChannels: 1,
      bitrate: AUDIO_BPS,
    });
    this.#link = new MediaLink(address);
    this.#link.onOpen = () => this.#announce();
    this.#link.onMessage = (message) => this.#take(message);
  }

  #announce(): void {
    const { codec, width, height } = this.#config;
    this.isBehind = false;
    this.#wantsKeyFrame = true;
    this.#link.send({
      type: 'track',
      track: VIDEO_TRACK,
      kind: 'video',
      metadata: { codec, width, height, layers: 'tl0' },
    });
    const metadata = { codec: 'opus', sampleRate: SAMPLE_RATE, numberOfChannels: 1 };
    this.#link.send({ type: 'track', track: AUDIO_TRACK, kind: 'audio', metadata });
  }

  #take(message: MediaMessage): void {
    switch (message.type) {
      case 'bitrate':
        if (message.track === VIDEO_TRACK) this.targetBps = message.bitsPerSecond;
        break;
      case 'keyframe':
        this.#wantsKeyFrame = true;
        break;
      case 'behind':
        this.isBehind = message.isBehind;
        break;
      case 'figures':
        this.figures = message.figures;
        break;
      case 'status':
        this.status = message.text;
        break;
    }
  }

  /** One picture of the source; it stays the caller's. */
  encodePicture(picture: VideoFrame, nowMs: number): void {
    if (!this.#link.isOpen || this.isBehind || this.#video.state !== 'configured') return;
    if (this.#video.encodeQueueSize >= QUEUE_MAX) {
      this.tooSlow++;
      return;
    }
    this.#followTarget(nowMs);
    if (this.#dropper.skips(nowMs, this.#wantedBps)) return;
    const waitMs = Math.max(KEY_FRAME_MS, KEY_FRAME_RTTS * (this.figures.rttMs ?? 0));
    const keyFrame = this.#wantsKeyFrame && nowMs - this.#keyFrameAtMs > waitMs;
    if (keyFrame) {
      this.#wantsKeyFrame = false;
      this.#keyFrameAtMs = nowMs;
    }
    this.#video.encode(picture, { keyFrame });
  }

  encodeSound(sound: AudioData): void {
    if (this.#link.isOpen && !this.isBehind && this.#audio.state === 'configured') this.#audio.encode(sound);
  }

  /** Live: the encoder goes on with its next picture at the new bitrate; only a new size takes a key frame. */
  #followTarget(nowMs: number): void {
    const target = Math.max(LEAST_BPS, this.targetBps === 0 ? START_BPS : this.targetBps);
    const bitrate = Math.round(this.#ramp.limit(nowMs, target));
    const scale = this.#sizes.scale(nowMs, bitrate);
    const isNewSize = scale !== this.#scale;
    if (!isNewSize) {
      if (Math.abs(bitrate - this.#wantedBps) < CHANGE_RATIO * this.#wantedBps) return;
      // A cut cannot wait.
      if (bitrate > this.#wantedBps && nowMs - this.#changedAtMs < CHANGE_MS) return;
    }
    this.#wantedBps = bitrate;
    this.#changedAtMs = nowMs;
    this.#scale = scale;
    const even = (pixels: number): number => 2 * Math.round((pixels * scale) / 2);
    this.#config = {
      ...this.#config,
      width: even(this.#fullWidth),
      height: even(this.#fullHeight),
      bitrate,
    };
    this.#video.configure(this.#config);
  }

  #sendVideo(chunk: EncodedVideoChunk, metadata: EncodedVideoChunkMetadata | undefined): void {
    const isBase = (metadata?.svc?.temporalLayerId ?? 0) === 0;
    const bytes = new Uint8Array(chunk.byteLength);
    chunk.copyTo(bytes);
    this.encodedBytes += bytes.length;
    this.#dropper.onEncoded(bytes.length);
    this.#link.sendChunk({
      track: VIDEO_TRACK,
      keyFrame: chunk.type === 'key',
      discardable: !isBase,
      skipped: 0,
      durationUs: chunk.duration ?? 0,
      timestampUs: chunk.timestamp,
      data: this.#layers.wrap(bytes, isBase),
    });
  }

  #sendAudio(chunk: EncodedAudioChunk): void {
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    this.encodedBytes += data.length;
    const { duration, timestamp: timestampUs } = chunk;
    const flags = { track: AUDIO_TRACK, keyFrame: true, discardable: true, skipped: 0 };
    this.#link.sendChunk({
      ...flags,
      durationUs: duration ?? 0,
      timestampUs: Math.max(0, timestampUs),
      data,
    });
  }

  close(): void {
    this.#link.close();
    if (this.#video.state !== 'closed') this.#video.close();
    if (this.#audio.state !== 'closed') this.#audio.close();
  }
}
