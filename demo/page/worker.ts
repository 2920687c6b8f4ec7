/**
 * The media of the page, away from its main thread: one source, an encoder and a player for each side. A worker's timers
 * run on in a hidden tab, so neither the source stops nor does a freeze count that nobody could see.
 * In: {@link ToWorker}. Out: {@link FromWorker}, a report four times a second.
 */
import { chooseVideo, SideEncoder } from './encoder.ts';
import { SourceLog } from './measure.ts';
import type { FromWorker, SideAddresses, ToWorker } from './messages.ts';
import { SidePlayer } from './player.ts';
import type { SideReport } from './side-report.ts';
import { PictureSource } from './source.ts';
import { ToneSource } from './tone.ts';

const REPORT_MS = 250;
/** So many reports in a row with pictures left out, or chunks waiting to be decoded: the machine cannot keep up. */
const SLOW_REPORTS = 4;
const WAITING_CHUNKS = 4;
const LEAST_PICTURES_PER_SECOND = 10;

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
  #slowReports = 0;
  #tooSlow = 0;
  #preview: OffscreenCanvasRenderingContext2D | undefined;

  constructor(start: ToWorker & { type: 'start' }, video: VideoEncoderConfig) {
    const { width, height, framesPerSecond } = start.source;
    this.#openedAtMs = start.openedAtMs - performance.timeOrigin;
    this.#source = new PictureSource(width, height, framesPerSecond);
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

  #addSide(addresses: SideAddresses, canvas: OffscreenCanvas | undefined, video: VideoEncoderConfig): void {
    const { name, sender, receiver } = addresses;
    const fail = (error: Error): void => scope.postMessage({ type: 'failed', text: error.message });
    const encoder = sender === undefined ? undefined : new SideEncoder(sender, video, fail);
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
    const tooSlow = this.#sides.reduce((sum, { encoder }) => sum + (encoder?.tooSlow ?? 0), 0);
    this.#slowDown(tooSlow);
    const { picturesPerSecond } = this.#source;
    scope.postMessage({ type: 'report', sides, picturesPerSecond });
  }

  /** Fewer pictures for both sides alike, rather than queues in this page that no network has made. */
  #slowDown(tooSlow: number): void {
    const isWaiting = this.#sides.some(({ player }) => (player?.waitingChunks ?? 0) > WAITING_CHUNKS);
    this.#slowReports = isWaiting || tooSlow > this.#tooSlow ? this.#slowReports + 1 : 0;
    this.#tooSlow = tooSlow;
    if (this.#slowReports < SLOW_REPORTS) return;
    this.#slowReports = 0;
    if (this.#source.picturesPerSecond / 2 >= LEAST_PICTURES_PER_SECOND) this.#source.halve();
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
  scope.postMessage({ type: 'sound', samples, sampleRate: sound.sampleRate }, [samples.buffer]);
  sound.close();
}

let studio: Studio | undefined;

async function start(message: ToWorker & { type: 'start' }): Promise<void> {
  const video = await chooseVideo(message.source);
  if (video === undefined) {
    scope.postMessage({ type: 'failed', text: 'this browser can encode neither VP8 nor H.264' });
    return;
  }
  studio = new Studio(message, video);
}

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case 'start':
      start(data).catch((error: Error) => scope.postMessage({ type: 'failed', text: error.message }));
      break;
    case 'camera':
      studio?.useCamera(data.pictures);
      break;
    case 'listen':
      studio?.listen(data.side);
      break;
    case 'stop':
      studio?.stop();
      break;
  }
};
