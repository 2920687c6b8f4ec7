/**
 * When media frames of a file may leave: by their clock or at a bitrate. Pure schedules (media frames in, media frames
 * with a due time out) and one clock that waits for them. Source: docs/cli.md (files in real time by PCR, or at --bitrate).
 */
import { framingError, type MediaUnit } from './framing.ts';

/** A media frame and when it is due, us after the start. */
export interface DueUnit {
  readonly unit: MediaUnit;
  readonly dueUs: number;
}

/** Turns media frames into due media frames; it may hold some back until it knows their time. */
export interface Schedule {
  push(unit: MediaUnit, emit: (due: DueUnit) => void): void;
  end(emit: (due: DueUnit) => void): void;
}

/** Evenly, at a constant rate. */
export class BitrateSchedule implements Schedule {
  readonly #bitrateBps: number;
  #sentBytes = 0;

  constructor(bitrateBps: number) {
    this.#bitrateBps = bitrateBps;
  }

  push(unit: MediaUnit, emit: (due: DueUnit) => void): void {
    const dueUs = Math.round((this.#sentBytes * 8e6) / this.#bitrateBps);
    this.#sentBytes += unit.data.length;
    // Without a clock of its own, the schedule is the media time.
    if (unit.timestampUs === undefined) unit.timestampUs = dueUs;
    emit({ unit, dueUs });
  }

  end(): void {}
}

/** More than this without a clock: there is none. */
const HELD_BYTES_MAX = 8_388_608;

/**
 * By the clock in the media. Media frames between two clock values are spread over the interval by their bytes: a
 * multiplexer's own constant rate between PCRs.
 */
export class ClockSchedule implements Schedule {
  readonly #name: string;
  #held: MediaUnit[] = [];
  #heldBytes = 0;
  #originUs: number | undefined;
  /** Media time of the last clock value, and us per byte in the interval before it. */
  #lastUs = 0;
  #usPerByte = 0;

  /** @param name What the input is called in messages. */
  constructor(name: string) {
    this.#name = name;
  }

  push(unit: MediaUnit, emit: (due: DueUnit) => void): void {
    if (unit.timestampUs !== undefined) this.#advance(unit.timestampUs, emit);
    this.#held.push(unit);
    this.#heldBytes += unit.data.length;
    if (this.#heldBytes > HELD_BYTES_MAX) {
      if (this.#originUs === undefined) throw this.#noClock();
      this.#release(this.#usPerByte, emit);
    }
  }

  end(emit: (due: DueUnit) => void): void {
    if (this.#held.length > 0 && this.#originUs === undefined) throw this.#noClock();
    this.#release(this.#usPerByte, emit);
  }

  /** A clock value: everything held lies between the last one and this one. */
  #advance(timeUs: number, emit: (due: DueUnit) => void): void {
    if (this.#originUs === undefined) {
      this.#originUs = timeUs;
      this.#lastUs = timeUs;
      this.#release(0, emit);
      return;
    }
    // Time that goes back (records of several tracks) goes out at once.
    if (timeUs > this.#lastUs && this.#heldBytes > 0)
      this.#usPerByte = (timeUs - this.#lastUs) / this.#heldBytes;
    this.#release(timeUs > this.#lastUs ? this.#usPerByte : 0, emit);
    this.#lastUs = Math.max(this.#lastUs, timeUs);
  }

  #release(usPerByte: number, emit: (due: DueUnit) => void): void {
    const originUs = this.#originUs ?? 0;
    const held = this.#held;
    let timeUs = this.#lastUs;
    this.#held = [];
    this.#heldBytes = 0;
    for (const unit of held) {
      unit.timestampUs ??= Math.round(timeUs);
      emit({ unit, dueUs: Math.round(timeUs - originUs) });
      timeUs += unit.data.length * usPerByte;
    }
    this.#lastUs = timeUs;
  }

  #noClock(): Error {
    return framingError(`${this.#name} has no clock to go by: give --bitrate RATE or --pace off`);
  }
}

/** A monotonic clock in us and a way to wait; tests bring their own. */
export interface Clock {
  nowUs(): number;
  /** Resolves at `atUs` or a little later, or early when `signal` fires. */
  waitUntil(atUs: number, signal: AbortSignal): Promise<void>;
}

/** Timers fire at least 1.1 ms late: what is due sooner goes now. */
const GRAIN_US = 1_500;

export const systemClock: Clock = {
  nowUs: () => Math.round(performance.now() * 1000),
  waitUntil: (atUs, signal) => {
    const delayUs = atUs - systemClock.nowUs();
    if (delayUs < GRAIN_US || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, Math.floor(delayUs / 1000));
      signal.addEventListener('abort', finish);
    });
  },
};

/**
 * Media time of live input whose clock shows in some media frames only (MPEG-TS): in between, time passes as it does
 * here. Without any clock, the time of arrival.
 */
export class LiveTimeline {
  #clockUs = 0;
  #arrivedUs = 0;

  /** @param clockUs Media time that the media frame itself gives, if any. @returns Its media time, us. */
  timeOf(clockUs: number | undefined, arrivedUs: number): number {
    if (clockUs === undefined) return this.#clockUs + arrivedUs - this.#arrivedUs;
    this.#clockUs = clockUs;
    this.#arrivedUs = arrivedUs;
    return clockUs;
  }
}
