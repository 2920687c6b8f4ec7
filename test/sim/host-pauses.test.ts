/** Hosts that are not served now and then: what a busy machine does to a connection, in virtual time. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND, NEVER, type Protocol } from '../../src/base/protocol.ts';
import { type CellResult, runCell } from '../../src/lab/cell.ts';
import { ProtocolHost } from '../../src/sim/protocol-host.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { type LinkOptions, symmetric } from '../../src/sim.ts';

const PAUSES = { meanGapMs: 50, minMs: 1, maxMs: 20 };

/** Notes when datagrams and timeouts come. */
class Diary implements Protocol<never> {
  readonly lines: { readonly what: 'datagram' | 'timeout'; readonly atUs: number }[] = [];
  #dueUs = 2 * MILLISECOND;
  handleDatagram(_datagram: Uint8Array, _path: number, atUs: number): void {
    this.lines.push({ what: 'datagram', atUs });
  }
  handleTimeout(atUs: number): void {
    this.lines.push({ what: 'timeout', atUs });
    this.#dueUs = NEVER;
  }
  pollTransmit(): number {
    return 0;
  }
  pollTimeout(): number {
    return this.#dueUs;
  }
  pollEvent(): undefined {
    return undefined;
  }
}

describe('a host that pauses', () => {
  test('reads what has arrived when the pause ends, before its timers, and loses what its buffer does not hold', () => {
    const sim = new Simulator({ seed: 1 });
    const diary = new Diary();
    const pauses = { meanGapMs: 0.001, minMs: 30, maxMs: 30, bufferBytes: 1000 };
    const host = new ProtocolHost(sim, diary, { pauses });
    host.addPath({ send() {} });
    host.start();
    for (const atMs of [1, 5, 9])
      sim.schedule(atMs * MILLISECOND, () => host.receive(new Uint8Array(400), 428, 0));
    sim.run(31 * MILLISECOND);
    expect(diary.lines.map(({ what }) => what)).toEqual(['datagram', 'datagram', 'timeout']);
    expect(new Set(diary.lines.map(({ atUs }) => atUs)).size).toBe(1);
    expect(diary.lines[0]?.atUs).toBeGreaterThanOrEqual(30 * MILLISECOND);
    expect(host.statistics.overflowed).toBe(1);
  });

  test('does the same whenever the seed is the same', () => {
    expect(video(0.05, 7, 4_000).traceHash).toBe(video(0.05, 7, 4_000).traceHash);
  });

  test.each([0.05, 0.1])('keeps video on time at a round trip of 150 ms and a loss of %d, seed 5', (loss) => {
    const { steady } = video(loss, 5, 20_000).sources[0] as CellResult['sources'][0];
    expect(steady.onTime).toBeGreaterThanOrEqual(steady.frames - 2);
  });
});

/** 4 Mbit/s over 20 Mbit/s, with hosts that pause for up to 20 ms. */
function video(ratio: number, seed: number, durationMs: number): CellResult {
  const link: LinkOptions = { delayMs: 75, rateBps: 20e6, queue: { ms: 100 }, loss: { kind: 'iid', ratio } };
  const workload = { video: { bitrateBps: 4e6 } };
  const spec = {
    transport: 'millrace',
    network: symmetric(link),
    workload,
    latencyMs: 120,
    durationMs,
    seed,
  } as const;
  const { result } = runCell(spec, { pair: { pauses: PAUSES } });
  expect(result.faults).toEqual([]);
  return result;
}
