/** What one run of a scenario leaves behind: rates in bins of 50 ms, queue delays, media frames. */

/** Width of a bin. */
export const BIN_MS = 50;

/** Sums over time. */
export class Bins {
  readonly values: Float64Array;

  constructor(seconds: number) {
    this.values = new Float64Array(Math.ceil((seconds * 1000) / BIN_MS) + 1);
  }

  add(atUs: number, value: number): void {
    const bin = Math.floor(atUs / (BIN_MS * 1000));
    if (bin < this.values.length) this.values[bin] = (this.values[bin] as number) + value;
  }

  /** Bits per second over [fromS, toS), of bins that hold bytes. */
  rate(fromS: number, toS: number): number {
    return (8 * this.sum(fromS, toS)) / (toS - fromS);
  }

  sum(fromS: number, toS: number): number {
    const to = Math.round((toS * 1000) / BIN_MS);
    let total = 0;
    for (let bin = Math.round((fromS * 1000) / BIN_MS); bin < to; bin++) total += this.values[bin] ?? 0;
    return total;
  }
}

/** One media frame: when it was given to the track, and when it could be read (NaN: never). */
export interface FrameTimes {
  readonly sentAtUs: number;
  readonly readAtUs: number;
}

export interface FlowResult {
  readonly name: string;
  readonly startS: number;
  readonly endS: number;
  /** Wire bytes, IP headers included: offered to the bottleneck, and through it. */
  readonly sent: Bins;
  readonly through: Bins;
  /** Packets of the same. */
  readonly sentPackets: Bins;
  readonly throughPackets: Bins;
  /** Wire bytes of datagrams that only probe, and of those that a probe filled. */
  readonly probe: Bins;
  /** Media bytes made by the encoder. */
  readonly media: Bins;
  /** Target of the controller at the end of each bin, bits per second; NaN where there was none. */
  readonly target: Float64Array;
  /** Each packet's time in the bottleneck's queue: when it left the queue (us), how long it waited (us). */
  readonly waits: { readonly atUs: number[]; readonly us: number[] };
  readonly frames: readonly FrameTimes[];
  /** Least one-way delay plus the latency of the tracks, us: later is too late. */
  readonly deadlineUs: number;
}

export interface TcpResult {
  readonly through: Bins;
}

export interface RunResult {
  readonly seed: number;
  readonly seconds: number;
  readonly flows: readonly FlowResult[];
  readonly tcp: readonly TcpResult[];
  /** Bottleneck forward, bits per second at a time. */
  readonly capacityBps: (atS: number) => number;
}
