/** Hosts that are not served now and then: what a busy machine does to a connection, in virtual time. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND, NEVER, type Protocol } from '../../src/base/protocol.ts';
import { type CellResult, type CellSpec, runCell } from '../../src/lab/cell.ts';
import type { CarriedPacket, Link } from '../../src/sim/link.ts';
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

describe('a way that stands still for 55 ms each 2 s, between key frames', () => {
  test.each([0, 0.05])(
    'is taken for no queue by video at a round trip of 150 ms, loss %d, seed 1',
    (ratio) => {
      let drains = 0;
      const { result } = runCell(cellOf(ratio, 1, 12_000), {
        onStart: ({ sim, network, startedAtUs }) => {
          for (const link of [network.up, network.down])
            for (let atMs = 4_600; atMs < 12_000; atMs += 2_007)
              holdUp(sim, link, startedAtUs + atMs * MILLISECOND, 55 * MILLISECOND);
        },
        sampleEveryMs: 10,
        onSample: ({ millrace }) => {
          if (millrace?.client.connection.state.controller.state === 'drain') drains++;
        },
      });
      expect(drains).toBe(0);
      const { steady } = result.sources[0] as CellResult['sources'][0];
      expect(steady.onTime).toBeGreaterThanOrEqual(steady.frames - 1);
    },
  );
});

/** What would enter `link` from an instant on waits for so long, and then enters at once, in order. */
function holdUp(sim: Simulator, link: Link, atUs: number, lengthUs: number): void {
  const held: CarriedPacket[] = [];
  let isHeld = false;
  link.addTap((packet) => {
    if (isHeld) held.push({ ...packet });
    return !isHeld;
  });
  sim.schedule(atUs, () => {
    isHeld = true;
  });
  sim.schedule(atUs + lengthUs, () => {
    isHeld = false;
    for (const { payload, sizeBytes, address } of held) link.send(payload as Uint8Array, sizeBytes, address);
  });
}

/** With hosts that pause for up to 20 ms. */
function video(ratio: number, seed: number, durationMs: number): CellResult {
  const { result } = runCell(cellOf(ratio, seed, durationMs), { pair: { pauses: PAUSES } });
  expect(result.faults).toEqual([]);
  return result;
}

/** 4 Mbit/s over 20 Mbit/s. */
function cellOf(ratio: number, seed: number, durationMs: number): CellSpec {
  const link: LinkOptions = { delayMs: 75, rateBps: 20e6, queue: { ms: 100 }, loss: { kind: 'iid', ratio } };
  const workload = { video: { bitrateBps: 4e6 } };
  return {
    transport: 'millrace',
    network: symmetric(link),
    workload,
    latencyMs: 120,
    durationMs,
    seed,
  };
}
