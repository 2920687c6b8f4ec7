/**
 * The picture that both sides send: a test picture or the camera, with a running clock and a picture counter drawn in.
 * In: time. Out: one `VideoFrame` per interval, whose timestamp is the instant of drawing in us. Runs in a worker, so a
 * hidden tab does not stop it.
 */

/** Size of the sliding texture that gives the encoders something to do, pixels. */
const TEXTURE_PIXELS = 512;
export class PictureSource {
  /** Called with each picture; whoever keeps it clones it. */
  onPicture: (picture: VideoFrame, drawnAtMs: number) => void = () => {};
  /** The camera gives no more pictures; the test picture goes on in its place. */
  onCameraEnd: () => void = () => {};
  /** Pictures whose moment this machine has missed. */
  missed = 0;
  readonly #canvas: OffscreenCanvas;
  readonly #context: OffscreenCanvasRenderingContext2D;
  readonly #texture: OffscreenCanvas;
  #intervalMs: number;
  #camera: VideoFrame | undefined;
  #cameraReader: ReadableStreamDefaultReader<VideoFrame> | undefined;
  #dueAtMs = 0;
  #number = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(width: number, height: number, framesPerSecond: number) {
    this.#canvas = new OffscreenCanvas(width, height);
    // What is drawn here is read back for every picture.
    const options = { alpha: false, desynchronized: true, willReadFrequently: true };
    this.#context = this.#canvas.getContext('2d', options) as OffscreenCanvasRenderingContext2D;
    this.#texture = drawTexture();
    this.#intervalMs = 1_000 / framesPerSecond;
  }

  setRate(picturesPerSecond: number): void {
    this.#intervalMs = 1_000 / picturesPerSecond;
  }

  start(): void {
    this.#dueAtMs = performance.now();
    this.#tick();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.useCamera(undefined);
  }

  /** Pictures of a camera, the newest at each moment; undefined: the test picture. */
  useCamera(pictures: ReadableStream<VideoFrame> | undefined): void {
    void this.#cameraReader?.cancel().catch(() => {});
    this.#cameraReader = undefined;
    this.#camera?.close();
    this.#camera = undefined;
    if (pictures === undefined) return;
    const reader = pictures.getReader();
    this.#cameraReader = reader;
    const read = async (): Promise<void> => {
      for (;;) {
        const { done, value } = await reader.read();
        if (reader !== this.#cameraReader) {
          value?.close();
          return;
        }
        if (done) break;
        this.#camera?.close();
        this.#camera = value;
      }
      this.useCamera(undefined);
      this.onCameraEnd();
    };
    read().catch(() => {});
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#draw(nowMs);
    const picture = new VideoFrame(this.#canvas, { timestamp: Math.round(nowMs * 1_000) });
    this.onPicture(picture, nowMs);
    picture.close();
    this.#number++;
    this.#dueAtMs += this.#intervalMs;
    // Live pictures are not made up for.
    const late = Math.floor((performance.now() - this.#dueAtMs) / this.#intervalMs);
    if (late > 0) {
      this.missed += late;
      this.#dueAtMs += late * this.#intervalMs;
    }
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, this.#dueAtMs - performance.now()));
  }

  #draw(nowMs: number): void {
    const context = this.#context;
    const { width, height } = this.#canvas;
    if (this.#camera !== undefined) context.drawImage(this.#camera, 0, 0, width, height);
    else this.#drawTestPicture(nowMs / 1_000);
    const date = new Date(performance.timeOrigin + nowMs);
    const two = (value: number): string => String(value).padStart(2, '0');
    const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    const clock = `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
    const unit = height / 18;
    context.fillStyle = 'rgba(0, 0, 0, 0.72)';
    context.fillRect(unit, height - 5.1 * unit, width - 2 * unit, 4.1 * unit);
    context.textBaseline = 'middle';
    context.font = `600 ${2.9 * unit}px ui-monospace, "DejaVu Sans Mono", monospace`;
    context.fillStyle = '#fff';
    context.textAlign = 'left';
    context.fillText(clock, 1.6 * unit, height - 2.95 * unit);
    context.fillStyle = '#ffd166';
    context.textAlign = 'right';
    context.font = `600 ${1.9 * unit}px ui-monospace, "DejaVu Sans Mono", monospace`;
    context.fillText(`#${this.#number}`, width - 1.6 * unit, height - 2.95 * unit);
  }

  /** Sliding texture, a hand that turns once in four seconds, and a ball that bounces: freezes show at once. */
  #drawTestPicture(seconds: number): void {
    const context = this.#context;
    const { width, height } = this.#canvas;
    const slide = (seconds * 60) % TEXTURE_PIXELS;
    for (let x = -slide; x < width; x += TEXTURE_PIXELS) {
      for (let y = 0; y < height; y += TEXTURE_PIXELS) context.drawImage(this.#texture, Math.round(x), y);
    }
    const [centerX, centerY, radius] = [width * 0.26, height * 0.36, height * 0.29];
    const angle = (seconds / 4) * 2 * Math.PI - Math.PI / 2;
    context.lineWidth = height / 45;
    context.strokeStyle = '#fff';
    context.fillStyle = 'rgba(12, 18, 38, 0.75)';
    context.beginPath();
    context.arc(centerX, centerY, radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.strokeStyle = '#ffd166';
    context.beginPath();
    context.moveTo(centerX, centerY);
    context.lineTo(centerX + Math.cos(angle) * radius * 0.9, centerY + Math.sin(angle) * radius * 0.9);
    context.stroke();
    const swing = Math.abs(((seconds / 1.5) % 2) - 1);
    const fall = Math.abs(Math.sin(seconds * 4.2));
    context.fillStyle = '#ef476f';
    context.beginPath();
    const ball = height / 13;
    context.arc(width * (0.55 + 0.37 * swing), height * (0.6 - 0.48 * fall), ball, 0, 2 * Math.PI);
    context.fill();
  }
}

/** Soft hills of colour with fine grain: it repeats seamlessly to the right. */
function drawTexture(): OffscreenCanvas {
  const canvas = new OffscreenCanvas(TEXTURE_PIXELS, TEXTURE_PIXELS);
  const context = canvas.getContext('2d', { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  const image = context.createImageData(TEXTURE_PIXELS, TEXTURE_PIXELS);
  const wave = (x: number, turns: number): number => Math.sin((x / TEXTURE_PIXELS) * turns * 2 * Math.PI);
  for (let y = 0; y < TEXTURE_PIXELS; y++) {
    for (let x = 0; x < TEXTURE_PIXELS; x++) {
      const at = 4 * (y * TEXTURE_PIXELS + x);
      const hills = 34 * wave(x, 2) * wave(y + 90, 3) + 20 * wave(x + 2 * y, 4);
      // A cheap hash of the place: the same grain every time.
      const grain = (((x * 73_856_093) ^ (y * 19_349_663)) >>> 8) % 6;
      image.data[at] = 46 + hills * 0.6 + grain;
      image.data[at + 1] = 92 + hills + grain;
      image.data[at + 2] = 128 - hills * 0.7 + grain;
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
