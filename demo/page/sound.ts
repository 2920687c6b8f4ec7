/**
 * Plays the samples that a side's player decoded, each block at its place in time: what is missing is a gap and shifts
 * nothing. In: blocks as they come, with their instants. Out: sound.
 */

/** What is collected before the first block plays, seconds: it takes up the jitter of the path. */
const AHEAD_SECONDS = 0.06;
/** Further ahead than this the sound would lag behind the picture. */
const AHEAD_SECONDS_MAX = 0.3;

export class SoundOutput {
  #context: AudioContext | undefined;
  /** The context's time at which a block of instant 0 would play; undefined before the first. */
  #zeroAt: number | undefined;

  /** Call it from a click: browsers let no page begin to sound by itself. */
  start(): void {
    this.#context ??= new AudioContext();
    void this.#context.resume();
    this.#zeroAt = undefined;
  }

  stop(): void {
    void this.#context?.suspend();
  }

  /** @param timestampUs Instant of the first sample, on the clock of whoever recorded it. */
  play(samples: Float32Array<ArrayBuffer>, sampleRate: number, timestampUs: number): void {
    const context = this.#context;
    if (context?.state !== 'running') return;
    const { currentTime } = context;
    const at = timestampUs / 1e6;
    this.#zeroAt ??= currentTime + AHEAD_SECONDS - at;
    const ahead = this.#zeroAt + at - currentTime;
    // It came too late for its place, or others now come sooner: the clock of the sound begins anew with this block.
    if (ahead < 0 || ahead > AHEAD_SECONDS_MAX) this.#zeroAt = currentTime + AHEAD_SECONDS - at;
    const buffer = context.createBuffer(1, samples.length, sampleRate);
    buffer.copyToChannel(samples, 0);
    const node = context.createBufferSource();
    node.buffer = buffer;
    node.connect(context.destination);
    node.start(this.#zeroAt + at);
  }
}
