/**
 * Test picture or camera, as the person chooses. In: the choice. Out: the camera's pictures for the worker, or why the
 * test picture stays.
 */
import { type Camera, openCamera } from './camera.ts';

export class SourceChoice {
  /** The worker is to use these pictures; undefined: its test picture. */
  onPictures: (pictures: ReadableStream<VideoFrame> | undefined) => void = () => {};
  /** The camera cannot be used, in words. */
  onProblem: (text: string) => void = () => {};
  readonly #select: HTMLSelectElement;
  readonly #width: number;
  readonly #height: number;
  #camera: Camera | undefined;
  /** Counts choices: the person may have changed their mind while the browser asked them for the camera. */
  #choices = 0;

  constructor(select: HTMLSelectElement, width: number, height: number) {
    this.#select = select;
    this.#width = width;
    this.#height = height;
  }

  async use(name: string): Promise<void> {
    const choice = ++this.#choices;
    this.#select.value = name;
    if (name !== 'camera') {
      this.#leaveCamera();
      return;
    }
    try {
      const camera = await openCamera(this.#width, this.#height);
      if (choice !== this.#choices) {
        camera.stop();
        return;
      }
      this.#camera?.stop();
      this.#camera = camera;
      this.onPictures(camera.pictures);
    } catch (error) {
      if (choice !== this.#choices) return;
      this.#leaveCamera();
      this.onProblem((error as Error).message);
    }
  }

  /** The worker gets no more pictures: the camera was pulled out. */
  cameraEnded(): void {
    if (this.#camera === undefined) return;
    this.#leaveCamera();
    this.onProblem('The camera is gone: showing the test picture');
  }

  #leaveCamera(): void {
    if (this.#select.value === 'camera') this.#select.value = 'canvas';
    this.#camera?.stop();
    this.#camera = undefined;
    this.onPictures(undefined);
  }
}
