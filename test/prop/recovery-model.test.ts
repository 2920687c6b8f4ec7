/** Loss recovery against a model that remembers every packet in a Map and computes everything the slow way. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { ackOf, type Range, RecoveryRig } from '../helpers/recovery-rig.ts';

const PACKET_BYTES = 1200;

interface Script {
  readonly seed: number;
  readonly lossRatio: number;
  readonly reorderMs: number;
  readonly ackEvery: number;
  readonly packets: number;
  readonly rangesMax: number;
}

const scripts: fc.Arbitrary<Script> = fc.record({
  seed: fc.nat(1_000_000),
  lossRatio: fc.constantFrom(0, 0.02, 0.2, 0.6),
  reorderMs: fc.constantFrom(0, 3, 40),
  ackEvery: fc.integer({ min: 1, max: 40 }),
  packets: fc.integer({ min: 1, max: 1500 }),
  rangesMax: fc.constantFrom(1, 4, 64),
});

/** Ranges of the highest numbers in `received`, at most `max`. */
function rangesOf(received: ReadonlySet<number>, max: number): Range[] {
  const ranges: [number, number][] = [];
  for (const n of [...received].sort((a, b) => b - a)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[0] === n + 1) last[0] = n;
    else if (ranges.length < max) ranges.push([n, n]);
    else break;
  }
  return ranges;
}

it('every packet is resolved once, bytes add up, and no acked packet stays lost', () => {
  fc.assert(
    fc.property(scripts, (script) => {
      const random = new SeededRandom(script.seed);
      const rig = new RecoveryRig({ random: random.fork() });
      const received = new Set<number>();
      const told = new Set<number>();
      const arrivals: { at: number; packetNumber: number }[] = [];
      const sent: number[] = [];
      let now = 0;
      let sinceAck = 0;
      const turn = (): void => {
        if (rig.recovery.nextDeadline() <= now) rig.recovery.onTimeout(now);
        for (let i = 0; i < arrivals.length; ) {
          const arrival = arrivals[i] as { at: number; packetNumber: number };
          if (arrival.at > now) {
            i++;
            continue;
          }
          arrivals.splice(i, 1);
          received.add(arrival.packetNumber);
          sinceAck++;
        }
        if (sinceAck >= script.ackEvery) {
          sinceAck = 0;
          const ranges = rangesOf(received, script.rangesMax);
          expect(rig.recovery.onAckReceived(ackOf(ranges), now)).toBe(0);
          for (const [start, end] of ranges) for (let n = start; n <= end; n++) told.add(n);
        }
        const resolved = rig.samples.length + rig.controllerLost.length;
        expect(rig.recovery.bytesInFlight).toBe((sent.length - resolved) * PACKET_BYTES);
      };
      for (let i = 0; i < script.packets; i++, now += 1000) {
        const packetNumber = rig.send(now);
        sent.push(packetNumber);
        const at = now + 20_000 + Math.floor(random.unit() * script.reorderMs * 1000);
        if (random.unit() >= script.lossRatio) arrivals.push({ at, packetNumber });
        turn();
      }
      // Long enough for everything to be acked or declared lost; a last packet that arrives ends every doubt.
      for (let i = 0; i < 400; i++, now += 5000) {
        if (i % 4 === 0) {
          const packetNumber = rig.send(now);
          sent.push(packetNumber);
          arrivals.push({ at: now + 20_000, packetNumber });
        }
        turn();
      }
      const ackedTokens = new Set(rig.acked);
      expect(ackedTokens.size).toBe(rig.acked.length);
      expect(new Set(rig.lost).size).toBe(rig.lost.length);
      expect(new Set(rig.controllerLost).size).toBe(rig.controllerLost.length);
      for (const n of rig.spurious) expect(rig.controllerLost).toContain(n);
      // Whatever an ACK named has been returned as acked, unless it came so late that it had been forgotten.
      for (const n of told) expect(ackedTokens.has(n) || rig.lost.includes(n)).toBe(true);
      for (const n of rig.acked) expect(told.has(n)).toBe(true);
      const { statistics } = rig.recovery;
      expect(statistics.lost).toBe(rig.controllerLost.length - rig.spurious.length);
    }),
    { numRuns: 60, seed: 20_261_121 },
  );
});
