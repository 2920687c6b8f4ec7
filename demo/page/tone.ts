/**
 * The sound of the test picture: a soft chord, and a beep at the beginning of each second of the clock. In: time.
 * Out: 20 ms of samples at a time, as `AudioData` with the instant of the first sample in us.
 */

export const SAMPLE_RATE = 48_000;
const BLOCK_SAMPLES = 960;
const BLOCK_MS = 20;
const BEEP_SECONDS = 0.08;

export class ToneSource {
  onSound: (sound: AudioData) => void = () => {};
  #timer: ReturnType<typeof setInterval> | undefined;
  #madeMs = 0;

  start(): void {
    this.#madeMs = performance.now();
    // Timers are not exact: each call makes as many blocks as are due.
    this.#timer = setInterval(() => this.#make(performance.now()), BLOCK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #make(nowMs: number): void {
    // After a pause of the whole machine, the present matters.
    if (nowMs - this.#madeMs > 500) this.#madeMs = nowMs - BLOCK_MS;
    while (this.#madeMs + BLOCK_MS <= nowMs) {
      const sound = new AudioData({
        format: 'f32-planar',
        sampleRate: SAMPLE_RATE,
        numberOfChannels: 1,
        numberOfFrames: BLOCK_SAMPLES,
        timestamp: Math.round(this.#madeMs * 1_000),
        data: samplesFrom((performance.timeOrigin + this.#madeMs) / 1_000),
      });
      this.onSound(sound);
      sound.close();
      this.#madeMs += BLOCK_MS;
    }
  }
}

function samplesFrom(seconds: number): Float32Array<ArrayBuffer> {
  const samples = new Float32Array(BLOCK_SAMPLES);
  // Phases of whole seconds only: a second of 1970 is too large a number for a sine.
  const start = seconds % 3_600;
  for (let i = 0; i < BLOCK_SAMPLES; i++) {
    const at = start + i / SAMPLE_RATE;
    const turn = 2 * Math.PI * at;
    const chord = 0.03 * (Math.sin(turn * 220) + Math.sin(turn * 275) + Math.sin(turn * 330));
    samples[i] = chord + (at % 1 < BEEP_SECONDS ? 0.25 * Math.sin(turn * 880) : 0);
  }
  return samples;
}
