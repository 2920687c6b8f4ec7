/** Plays the samples that a side's player decoded, one block after the other. In: blocks as they come. Out: sound. */

/** What is collected before the first block plays, seconds: it takes up the jitter of the path. */
const AHEAD_SECONDS = 0.06;
/** Further ahead than this the sound would lag behind the picture: what does not fit is left out. */
const AHEAD_SECONDS_MAX = 0.3;

export class SoundOutput {
  #context: AudioContext | undefined;
  #nextAt = 0;

  /** Call it from a click: browsers let no page begin to sound by itself. */
  start(): void {
    this.#context ??= new AudioContext();
    void this.#context.resume();
    this.#nextAt = 0;
  }

  stop(): void {
    void this.#context?.suspend();
  }

  play(samples: Float32Array<ArrayBuffer>, sampleRate: number): void {
    const context = this.#context;
    if (context?.state !== 'running') return;
    if (this.#nextAt < context.currentTime) this.#nextAt = context.currentTime + AHEAD_SECONDS;
    if (this.#nextAt > context.currentTime + AHEAD_SECONDS_MAX) return;
    const buffer = context.createBuffer(1, samples.length, sampleRate);
    buffer.copyToChannel(samples, 0);
    const node = context.createBufferSource();
    node.buffer = buffer;
    node.connect(context.destination);
    node.start(this.#nextAt);
    this.#nextAt += buffer.duration;
  }
}
