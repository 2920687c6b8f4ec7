/**
 * What the doctor measures with: numbered app datagrams at a steady rate or as fast as the path takes them, and what is
 * seen of them at the other end. In: a connection. Out: loss, runs of loss, reordering, jitter, rate.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from './connection.ts';

/** Number (4) and send time in us (8). */
const HEADER_BYTES = 12;
const STEADY_BYTES = 100;
const STEADY_INTERVAL_MS = 10;
/** Bytes that wait to be sent while the path is filled: enough for 4 ms at 100 Mbit/s. */
const FILL_BYTES = 65_536;
/** A probe that has waited so long says nothing of the path. */
const MAX_AGE_MS = 200;
/** Numbers of one measurement: 5 s of filling at 250 Mbit/s. */
export const PROBES_MAX = 131_072;

/** What arrived of one measurement. */
export interface ProbeResult {
  received: number;
  /** Numbers missing below the highest that arrived, and runs of them. */
  lost: number;
  lossRatio: number;
  burstMean: number;
  /** Arrived behind a higher number. */
  reordered: number;
  /** Delay variation: how much later than the earliest, ms, half and 95 % of them stayed below. */
  jitterP50Ms: number;
  jitterP95Ms: number;
  /** Of the datagrams' bytes, in the second half of the time: a policer's bucket, or a queue, has been filled by then. */
  bitsPerSecond: number;
}

/** Notes numbered datagrams as they arrive. */
export class ProbeReceiver {
  readonly #seen: Uint8Array = new Uint8Array(PROBES_MAX);
  readonly #delaysUs: number[] = [];
  #highest = -1;
  #received = 0;
  #reordered = 0;
  readonly #arrivedUs: number[] = [];
  readonly #sizes: number[] = [];

  onDatagram(bytes: Uint8Array, nowUs: number): void {
    if (bytes.length < HEADER_BYTES) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const number = view.getUint32(0);
    if (number >= PROBES_MAX || this.#seen[number] !== 0) return;
    this.#seen[number] = 1;
    this.#received++;
    this.#arrivedUs.push(nowUs);
    this.#sizes.push(bytes.length);
    if (number < this.#highest) this.#reordered++;
    else this.#highest = number;
    this.#delaysUs.push(nowUs - view.getFloat64(4));
  }

  result(): ProbeResult {
    let lost = 0;
    let runs = 0;
    for (let i = 0; i < this.#highest; i++) {
      if (this.#seen[i] !== 0) continue;
      lost++;
      if (i === 0 || this.#seen[i - 1] !== 0) runs++;
    }
    const sorted = this.#delaysUs.sort((a, b) => a - b);
    const above = (share: number): number =>
      ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) - (sorted[0] ?? 0)) /
      1e3;
    return {
      received: this.#received,
      lost,
      lossRatio: this.#highest < 0 ? 0 : lost / (this.#highest + 1),
      burstMean: runs === 0 ? 0 : lost / runs,
      reordered: this.#reordered,
      jitterP50Ms: above(0.5),
      jitterP95Ms: above(0.95),
      bitsPerSecond: this.#sustainedBps(),
    };
  }

  /** What arrived behind the first datagram of the second half, over the time that took. */
  #sustainedBps(): number {
    const firstUs = this.#arrivedUs[0] ?? 0;
    const lastUs = this.#arrivedUs.at(-1) ?? 0;
    const half = this.#arrivedUs.findIndex((atUs) => atUs >= (firstUs + lastUs) / 2);
    // One datagram alone makes no rate.
    const from = half + 1 < this.#arrivedUs.length ? half : 0;
    const spanUs = lastUs - (this.#arrivedUs[from] ?? lastUs);
    if (spanUs <= 0) return 0;
    let bytes = 0;
    for (let i = from + 1; i < this.#sizes.length; i++) bytes += this.#sizes[i] as number;
    return Math.round((bytes * 8e6) / spanUs);
  }
}

function probe(number: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number);
  view.setFloat64(4, performance.now() * 1e3);
  return bytes;
}

/** What one side made of a measurement. */
export interface ProbesSent {
  /** Numbers given. */
  sent: number;
  /** Of these, how many waited too long and never left: they are missing at the other end, and not lost by the path. */
  unsent: number;
}

/**
 * What was seen of probes of which some never left: those are missing, and not lost. Which ones they were only their sender
 * knows, so the mean run of losses is bounded by what is left to be lost.
 */
export function withoutUnsent(result: ProbeResult, { sent, unsent }: Readonly<ProbesSent>): ProbeResult {
  if (unsent === 0) return result;
  const lost = Math.max(0, Math.min(result.lost, sent - unsent - result.received));
  const lossRatio = lost === 0 ? 0 : lost / (lost + result.received);
  return { ...result, lost, lossRatio, burstMean: Math.min(result.burstMean, lost) };
}

/** A hundred small datagrams a second: loss and delay as a call has them. */
export async function sendSteadily(connection: Connection, durationMs: number): Promise<ProbesSent> {
  const startedAt = performance.now();
  const probes: ProbesSent = { sent: 0, unsent: 0 };
  while (performance.now() - startedAt < durationMs) {
    // Timers are late now and then: what is due by now goes out now.
    const due = Math.min(PROBES_MAX, (performance.now() - startedAt) / STEADY_INTERVAL_MS);
    while (probes.sent <= due) {
      const { settled } = connection.datagrams.send(probe(probes.sent++, STEADY_BYTES), {
        maxAge: MAX_AGE_MS,
      });
      void settled.then((outcome) => {
        if (outcome === 'expired' || outcome === 'dropped') probes.unsent++;
      });
    }
    await sleep(STEADY_INTERVAL_MS);
  }
  return probes;
}

/** As many full datagrams as rate control lets go. What still waits at the end says nothing. */
export async function sendGreedily(connection: Connection, durationMs: number): Promise<ProbesSent> {
  const startedAt = performance.now();
  let number = 0;
  let waiting = 0;
  while (performance.now() - startedAt < durationMs && number < PROBES_MAX) {
    const size = Math.max(HEADER_BYTES, Math.min(1_150, connection.datagrams.maxDatagramSize));
    while (waiting < FILL_BYTES && number < PROBES_MAX) {
      waiting += size;
      const { settled } = connection.datagrams.send(probe(number++, size), { maxAge: 5_000 });
      void settled.then(() => {
        waiting -= size;
      });
    }
    await sleep(1);
  }
  return { sent: number, unsent: 0 };
}
