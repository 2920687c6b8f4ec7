/**
 * The media of the page, away from its main thread: one source, an encoder and a player for each side. A worker's timers
 * run on in a hidden tab, so neither the source stops nor does a freeze count that nobody could see.
 * In: {@link ToWorker}. Out: {@link FromWorker}, a report four times a second.
 */
import { chooseVideo } from './codecs.ts';
import { SideEncoder } from './encoder.ts';
import { MachinePace } from './machine-pace.ts';
import { SourceLog } from './measure.ts';
import type { FromWorker, SideAddresses, ToWorker } from './messages.ts';
import { SidePlayer } from './player.ts';
import type { SideReport } from './side-report.ts';
import { PictureSource } from './source.ts';
import { ToneSource } from './tone.ts';

const REPORT_MS = 250;
/** More chunks waiting to be decoded, or more moments of the source missed in one report: the machine cannot keep up. */
const WAITING_CHUNKS_MAX = 4;
const MISSED_MAX = 1;

/** The worker's own scope; the library of types knows the window's only. */
interface Scope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer?: Transferable[]): void;
}
const scope = globalThis as unknown as Scope;

interface Side {
  readonly name: string;
  readonly encoder: SideEncoder | undefined;
  readonly player: SidePlayer | undefined;
}

class Studio {
  readonly #sides: Side[] = [];
  readonly #log: SourceLog = new SourceLog();
  readonly #source: PictureSource;
  readonly #tone: ToneSource = new ToneSource();
  readonly #openedAtMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #pace: MachinePace;
  readonly #codec: string;
  #leftOut = 0;
  #missed = 0;
  #preview: OffscreenCanvasRenderingContext2D | undefined;

  /** @param video Undefined: nothing is encoded here. */
  constructor(start: ToWorker & { type: 'start' }, video: VideoEncoderConfig | undefined) {
    const { width, height, framesPerSecond } = start.source;
    this.#openedAtMs = start.openedAtMs - performance.timeOrigin;
    this.#source = new PictureSource(width, height, framesPerSecond);
    this.#pace = new MachinePace(framesPerSecond);
    this.#codec = video?.codec ?? '';
    this.#source.onCameraEnd = () => scope.postMessage({ type: 'cameraEnded' });
    for (const addresses of start.sides) this.#addSide(addresses, start.canvases[addresses.name], video);
    this.#source.onPicture = (picture, drawnAtMs) => {
      this.#log.onCapture(drawnAtMs);
      for (const { encoder } of this.#sides) encoder?.encodePicture(picture, drawnAtMs);
      this.#preview?.drawImage(picture, 0, 0);
    };
    this.#tone.onSound = (sound) => {
      for (const { encoder } of this.#sides) encoder?.encodeSound(sound);
    };
    if (start.sides.some(({ sender }) => sender !== undefined)) {
      this.#source.start();
      this.#tone.start();
    }
    this.#timer = setInterval(() => this.#report(), REPORT_MS);
  }

  #addSide(addresses: SideAddresses, canvas: OffscreenCanvas | undefined, video?: VideoEncoderConfig): void {
    const { name, sender, receiver } = addresses;
    const fail = (error: Error): void => scope.postMessage({ type: 'failed', text: error.message });
    const encoder =
      sender !== undefined && video !== undefined ? new SideEncoder(sender, video, fail) : undefined;
    const isShown = receiver !== undefined && canvas !== undefined;
    const player = isShown ? new SidePlayer(receiver, canvas, this.#log) : undefined;
    // A page that only sends shows what it sends.
    if (receiver === undefined && canvas !== undefined) this.#preview = canvas.getContext('2d') ?? undefined;
    if (player !== undefined) player.onSound = sendSound;
    this.#sides.push({ name, encoder, player });
  }

  useCamera(pictures: ReadableStream<VideoFrame> | undefined): void {
    this.#source.useCamera(pictures);
  }

  listen(side: string | undefined): void {
    for (const { name, player } of this.#sides) if (player !== undefined) player.isListening = name === side;
  }

  #report(): void {
    const nowMs = performance.now();
    const sides = Object.fromEntries(this.#sides.map((side) => [side.name, this.#reportOf(side, nowMs)]));
    this.#pace.report(nowMs, this.#keepsUp());
    const { picturesPerSecond } = this.#pace;
    this.#source.setRate(picturesPerSecond);
    scope.postMessage({ type: 'report', sides, picturesPerSecond, codec: this.#codec });
  }

  /** Has this machine done all there was to do since the last report? */
  #keepsUp(): boolean {
    const isWaiting = this.#sides.some(({ player }) => (player?.waitingChunks ?? 0) > WAITING_CHUNKS_MAX);
    const leftOut = this.#sides.reduce((sum, { encoder }) => sum + (encoder?.tooSlow ?? 0), 0);
    const { missed } = this.#source;
    const keepsUp = !isWaiting && leftOut === this.#leftOut && missed - this.#missed <= MISSED_MAX;
    this.#leftOut = leftOut;
    this.#missed = missed;
    return keepsUp;
  }

  #reportOf({ encoder, player }: Side, nowMs: number): SideReport {
    const first = player?.firstPictureAtMs;
    const captured = player?.capturedAtMs;
    const shownMs = player?.latency.takeLargestMs();
    const ageMs = captured === undefined ? undefined : nowMs - captured;
    return {
      framesDecoded: player?.framesDecoded ?? 0,
      freezes: player?.freezes.freezes(nowMs) ?? 0,
      freezeMs: player?.freezes.frozenMs(nowMs) ?? 0,
      latencyMsP50: player?.latency.percentileMs(0.5) ?? 0,
      latencyMsP95: player?.latency.percentileMs(0.95) ?? 0,
      // While nothing new comes, the picture on the screen grows old.
      latencyMs: shownMs ?? ageMs,
      firstPictureMs: first === undefined ? undefined : first - this.#openedAtMs,
      watchedMs: first === undefined ? 0 : nowMs - first,
      targetBps: encoder?.targetBps ?? 0,
      encodedBytes: encoder?.encodedBytes ?? 0,
      isBehind: encoder?.isBehind ?? false,
      figures: encoder?.figures ?? {},
      status: encoder?.status || player?.status || '',
      soundSamples: player?.soundSamples ?? 0,
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#source.stop();
    this.#tone.stop();
    for (const { encoder, player } of this.#sides) {
      encoder?.close();
      player?.close();
    }
  }
}

function sendSound(sound: AudioData): void {
  const samples = new Float32Array(sound.numberOfFrames);
  sound.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
  const { sampleRate, timestamp: timestampUs } = sound;
  sound.close();
  scope.postMessage({ type: 'sound', samples, sampleRate, timestampUs }, [samples.buffer]);
}

let studio: Studio | undefined;
/** Whatever comes while the browser is still asked for its encoders waits: a camera may be quicker. */
let started: Promise<void> = Promise.resolve();

async function start(message: ToWorker & { type: 'start' }): Promise<void> {
  const sends = message.sides.some(({ sender }) => sender !== undefined);
  const video = sends ? await chooseVideo(message.source) : undefined;
  if (sends && video === undefined) {
    scope.postMessage({ type: 'failed', text: 'this browser can encode neither VP8 nor H.264' });
    return;
  }
  studio = new Studio(message, video);
}

function take(message: Exclude<ToWorker, { type: 'start' }>): void {
  switch (message.type) {
    case 'camera':
      studio?.useCamera(message.pictures);
      break;
    case 'listen':
      studio?.listen(message.side);
      break;
    case 'stop':
      studio?.stop();
      break;
  }
}

scope.onmessage = ({ data }) => {
  if (data.type !== 'start') {
    void started.then(() => take(data));
    return;
  }
  started = start(data).catch((error: Error) => scope.postMessage({ type: 'failed', text: error.message }));
};
