/**
 * One side's player: decodes what its receiver program hands over, draws each picture as soon as it is decoded, and asks
 * for a key frame when it cannot go on. In: chunks from a {@link MediaLink}. Out: pictures on a canvas, sound, figures.
 */
import type { Chunk, MediaMessage } from '../media-protocol.ts';
import { LAYER_BYTES, LayerReader } from './layers.ts';
import { FreezeMeter, LatencyMeter, type SourceLog } from './measure.ts';
import { MediaLink } from './media-link.ts';

/** A request is repeated until the key frame comes. */
const ASK_AGAIN_MS = 300;

export class SidePlayer {
  readonly latency: LatencyMeter = new LatencyMeter();
  readonly freezes: FreezeMeter;
  framesDecoded = 0;
  soundSamples = 0;
  firstPictureAtMs: number | undefined;
  /** When the picture on the canvas was made. */
  capturedAtMs: number | undefined;
  status = '';
  isListening = false;
  onSound: (sound: AudioData) => void = () => {};
  readonly #link: MediaLink;
  readonly #canvas: OffscreenCanvas;
  readonly #context: OffscreenCanvasRenderingContext2D;
  readonly #layers: LayerReader = new LayerReader();
  #videoTrack: number | undefined;
  #audioTrack: number | undefined;
  #videoConfig: VideoDecoderConfig | undefined;
  #video: VideoDecoder | undefined;
  #audio: AudioDecoder | undefined;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(address: string, canvas: OffscreenCanvas, source: SourceLog) {
    this.freezes = new FreezeMeter(source);
    this.#canvas = canvas;
    const options = { alpha: false };
    this.#context = canvas.getContext('2d', options) as OffscreenCanvasRenderingContext2D;
    this.#link = new MediaLink(address);
    this.#link.onMessage = (message) => this.#take(message);
    this.#link.onChunk = (chunk) => this.#takeChunk(chunk);
  }

  /** Chunks that this machine has not found the time to decode. */
  get waitingChunks(): number {
    return this.#video?.decodeQueueSize ?? 0;
  }

  #take(message: MediaMessage): void {
    if (message.type === 'status') this.status = message.text;
    if (message.type !== 'track') return;
    const { track, kind, metadata } = message;
    if (kind === 'video') {
      this.#videoTrack = track;
      // `metadata` came from another machine: the decoder checks the rest.
      this.#videoConfig = { codec: String(metadata.codec), optimizeForLatency: true };
      this.#openVideo();
    } else {
      this.#audioTrack = track;
      this.#openAudio({
        codec: String(metadata.codec),
        sampleRate: Number(metadata.sampleRate),
        numberOfChannels: Number(metadata.numberOfChannels),
      });
    }
  }

  #openVideo(): void {
    if (this.#video?.state === 'configured') this.#video.close();
    this.#layers.reset();
    const config = this.#videoConfig;
    if (config === undefined) return;
    const video = new VideoDecoder({
      output: (picture) => this.#show(picture),
      error: (error) => void this.#onVideoError(video, config, error),
    });
    this.#video = video;
    try {
      video.configure(config);
    } catch (error) {
      this.#cannotDecode(config, error as Error);
    }
  }

  /** `configure` throws for few configurations: what is not built in comes here as well, like a broken chunk. */
  async #onVideoError(video: VideoDecoder, config: VideoDecoderConfig, error: Error): Promise<void> {
    const { supported } = await VideoDecoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (video !== this.#video) return;
    // After a broken chunk it starts again with a key frame.
    if (supported) this.#openVideo();
    else this.#cannotDecode(config, error);
  }

  #cannotDecode({ codec }: VideoDecoderConfig, error: Error): void {
    this.status = `this browser cannot decode ${codec}: ${error.message}`;
  }

  #openAudio(config: AudioDecoderConfig): void {
    if (this.#audio?.state === 'configured') this.#audio.close();
    const audio = new AudioDecoder({ output: (sound) => this.#hear(sound), error: () => {} });
    this.#audio = audio;
    try {
      audio.configure(config);
    } catch {
      // No sound, then; the picture goes on.
    }
  }

  #hear(sound: AudioData): void {
    this.soundSamples += sound.numberOfFrames;
    this.onSound(sound);
  }

  #takeChunk(chunk: Chunk): void {
    const { track, timestampUs: timestamp, data } = chunk;
    if (track === this.#audioTrack) {
      if (!this.isListening || this.#audio?.state !== 'configured') return;
      this.#audio.decode(new EncodedAudioChunk({ type: 'key', timestamp, data }));
    }
    if (track !== this.#videoTrack || this.#video?.state !== 'configured') return;
    if (this.#layers.accepts(chunk)) {
      const type = chunk.keyFrame ? 'key' : 'delta';
      this.#video.decode(new EncodedVideoChunk({ type, timestamp, data: data.subarray(LAYER_BYTES) }));
    }
    if (this.#layers.needsKeyFrame) this.#askForKeyFrame(track);
  }

  #askForKeyFrame(track: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#askedAtMs < ASK_AGAIN_MS) return;
    this.#askedAtMs = nowMs;
    this.#link.send({ type: 'keyframe', track });
  }

  #show(picture: VideoFrame): void {
    const { displayWidth, displayHeight, timestamp } = picture;
    if (this.#canvas.width !== displayWidth || this.#canvas.height !== displayHeight) {
      this.#canvas.width = displayWidth;
      this.#canvas.height = displayHeight;
    }
    this.#context.drawImage(picture, 0, 0);
    picture.close();
    const nowMs = performance.now();
    const capturedAtMs = timestamp / 1_000;
    this.framesDecoded++;
    this.firstPictureAtMs ??= nowMs;
    this.capturedAtMs = capturedAtMs;
    this.latency.add(nowMs - capturedAtMs);
    this.freezes.onShown(nowMs, capturedAtMs);
  }

  close(): void {
    this.#link.close();
    for (const decoder of [this.#video, this.#audio]) if (decoder?.state === 'configured') decoder.close();
    this.#video = undefined;
  }
}
