/** How long a receiver waits for a media frame that is coming in as its deadline passes: asap, in send order, 120 ms. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { BlockEncoder } from '../../src/fec/encoder.ts';
import { ReferenceCodec } from '../../src/fec/reference-codec.ts';
import { one, ReceiverProbe, symbolsOf } from '../helpers/track-symbols.ts';

const MS = MILLISECOND;
const OWD = 20 * MS;

describe('a receiver in send order', () => {
  test('gives no frame up between two of its symbols that come one after the other, for 10 ms at the most', () => {
    // All of it is resent: the first symbol comes 2 ms before the deadline, each other 1 ms later.
    const handedOut = (count: number): number[] => {
      const probe = new ReceiverProbe({});
      const symbols = symbolsOf(1, count, 10 * MS);
      probe.symbol(0, one(0, 0), OWD);
      probe.symbol(1 + count, one(2, 20 * MS), OWD + 20 * MS);
      symbols.forEach((symbol, i) => {
        const now = OWD + (128 + i) * MS;
        probe.run(now);
        probe.symbol(1 + i, symbol, now, true);
      });
      return probe.ids;
    };
    expect(handedOut(2)).toEqual([0, 1, 2]);
    expect(handedOut(11)).toEqual([0, 1, 2]);
    expect(handedOut(16)).toEqual([0, 2]);
  });

  test('gives no frame up of which nothing has come while the repair symbols for it come one after the other', () => {
    const handedOut = (firstRepairUs: number, firstCovered: number): number[] => {
      const probe = new ReceiverProbe({});
      for (let id = 0; id < 4; id++) probe.symbol(id, one(id, (1 + id) * 10 * MS), OWD + (1 + id) * 10 * MS);
      // Of frame 4, sent at 50 ms, all six symbols are lost.
      const symbols = symbolsOf(4, 6, 50 * MS);
      probe.symbol(10, one(5, 60 * MS), OWD + 60 * MS);
      const rows = new BlockEncoder(new ReferenceCodec()).encode(symbols, 0, 6);
      rows.forEach((row, i) => {
        const now = firstRepairUs + i * MS;
        probe.run(now);
        probe.repair(firstCovered, 6, i, row.slice(), now);
      });
      return probe.ids;
    };
    const deadlineUs = OWD + (50 + 120) * MS;
    expect(handedOut(deadlineUs - 3 * MS, 4)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(handedOut(deadlineUs + 3 * MS, 4)).toEqual([0, 1, 2, 3, 5]);
    // Repair for what comes later is none for it.
    expect(handedOut(deadlineUs - 3 * MS, 10)).toEqual([0, 1, 2, 3, 5]);
  });

  test('waits for the first frame after a pause, missing altogether, as long as for any other', () => {
    const probe = new ReceiverProbe({});
    let id = 0;
    let sentAtUs = 0;
    const send = (count: number): void => {
      for (let i = 0; i < count; i++, sentAtUs += 20 * MS) {
        probe.run(OWD + sentAtUs);
        probe.symbol(id, one(id++, sentAtUs), OWD + sentAtUs);
      }
    };
    send(10);
    for (let spurt = 0; spurt < 5; spurt++) {
      sentAtUs += 2_000 * MS;
      send(10);
    }
    sentAtUs += 2_000 * MS;
    const lostId = id++;
    const lostAtUs = sentAtUs;
    sentAtUs += 20 * MS;
    send(3);
    // Its deadline is 120 ms after it was sent.
    probe.run(OWD + lostAtUs + 115 * MS);
    probe.symbol(lostId, one(lostId, lostAtUs), OWD + lostAtUs + 115 * MS, true);
    expect(probe.frames.at(-4)).toMatchObject({ frameId: lostId, how: 'resent' });
    expect(probe.ids).toEqual(Array.from({ length: id }, (_, i) => i));
  });

  test('gives a frame up at its deadline when its symbols have stopped to come', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, symbolsOf(0, 3, 0)[0] as Uint8Array, OWD);
    probe.symbol(3, one(1, 10 * MS), OWD + 10 * MS);
    probe.symbol(1, symbolsOf(0, 3, 0)[1] as Uint8Array, OWD + 117 * MS, true);
    probe.run(OWD + 120 * MS);
    expect(probe.ids).toEqual([1]);
  });
});
