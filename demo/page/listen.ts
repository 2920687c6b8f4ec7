/** Whose sound is heard. In: the person's choice. Out: word to the worker, and the sound that comes back. */
import type { FromWorker, ToWorker } from './messages.ts';
import { SoundOutput } from './sound.ts';

export class Listening {
  readonly #sound: SoundOutput = new SoundOutput();

  constructor(select: HTMLSelectElement, tell: (message: ToWorker) => void) {
    select.addEventListener('change', () => {
      // Browsers let a page sound because somebody has just used it: not later.
      if (select.value === '') this.#sound.stop();
      else this.#sound.start();
      tell({ type: 'listen', side: select.value || undefined });
    });
  }

  play({ samples, sampleRate, timestampUs }: FromWorker & { type: 'sound' }): void {
    this.#sound.play(samples, sampleRate, timestampUs);
  }
}
