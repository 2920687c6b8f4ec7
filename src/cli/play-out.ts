/** Smooth output: media frames of a track, each at its time. In: a track and its schedule. Out: the frames, when due. */
import type { Frame, IncomingTrack } from '../index.ts';
import { type PlayoutSchedule, systemClock } from './pace.ts';

/** Bytes held until they are due; beyond it the oldest leaves at once. */
const HELD_BYTES_MAX = 67_108_864;
const NEVER_ABORTED: AbortSignal = new AbortController().signal;

/**
 * Frames are read as they come and held here: a track drops what its reader leaves waiting for longer than the latency,
 * and to wait that long is what play-out is about.
 */
export async function* playOut(track: IncomingTrack, schedule: PlayoutSchedule): AsyncGenerator<Frame> {
  const held: { readonly frame: Frame; readonly dueUs: number }[] = [];
  let heldBytes = 0;
  let isOver = false;
  let failure: unknown;
  let wake = (): void => {};
  const read = async (): Promise<void> => {
    try {
      for await (const frame of track) {
        held.push({ frame, dueUs: schedule.dueUs(frame.timestamp, systemClock.nowUs()) });
        heldBytes += frame.data.length;
        wake();
      }
    } catch (error) {
      failure = error;
    }
    isOver = true;
    wake();
  };
  void read();
  for (;;) {
    const next = held.shift();
    if (next !== undefined) {
      if (heldBytes <= HELD_BYTES_MAX) await systemClock.waitUntil(next.dueUs, NEVER_ABORTED);
      heldBytes -= next.frame.data.length;
      yield next.frame;
    } else if (isOver) {
      if (failure !== undefined) throw failure;
      return;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
