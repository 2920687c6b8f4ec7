import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { type RepairFrame, SourceSymbolHeader, type SymbolFrame } from '../../src/wire/symbol.ts';
import { fixedPolicy } from '../helpers/fixed-policy.ts';
import { PLAIN, ROOM, SenderProbe, type Sent, trackAck } from '../helpers/track-sender.ts';

const MS = MILLISECOND;

describe('what a caller may send', () => {
  test('is at most 16 MiB, with integer microseconds', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    expect(() => sender.send(new Uint8Array(16_777_217), PLAIN, 0)).toThrow(RangeError);
    expect(() => sender.send(new Uint8Array(1), { timestampUs: 0.5 }, 0)).toThrow(TypeError);
    expect(() => sender.send(new Uint8Array(1), { timestampUs: 0, durationUs: -1 }, 0)).toThrow(RangeError);
    expect(sender.send(new Uint8Array(16_777_216), PLAIN, 0)).toBe(0);
    sender.end();
    expect(() => sender.send(new Uint8Array(1), PLAIN, 0)).toThrow('ended');
  });

  test('is copied: the caller may reuse its buffer at once', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    const data = new Uint8Array(100).fill(7);
    sender.send(data, PLAIN, 0);
    data.fill(0);
    const symbol = probe.write(0)?.symbol as SymbolFrame;
    expect(symbol.bytes.subarray(-100)).toEqual(new Uint8Array(100).fill(7));
  });
});

describe('symbols', () => {
  test('are of equal size, fit with a REPAIR of the same block, and are numbered when they leave', () => {
    const probe = new SenderProbe(fixedPolicy(1));
    const { sender } = probe;
    sender.send(new Uint8Array(16_667), PLAIN, 0);
    expect(sender.nextSymbolId).toBe(0);
    const sent = probe.writeAll(0);
    expect(sender.nextSymbolId).toBe(15);
    const header = new SourceSymbolHeader();
    const sizes = sent.slice(0, 15).map(({ symbol }) => {
      expect(header.parse((symbol as SymbolFrame).bytes)).toBe(0);
      return header.dataBytes;
    });
    expect(new Set(sizes.slice(0, 14)).size).toBe(1);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(16_667);
    const repair = sent[15]?.repair as RepairFrame;
    expect([repair.first, repair.stride, repair.k, repair.row]).toEqual([0, 1, 15, 0]);
    for (const { bytes } of sent) expect(bytes).toBeLessThanOrEqual(ROOM);
  });

  test.each([0, 1, 1_147, 1_148, 1_149, 73_000, 1_200_000])(
    'carry a media frame of %i bytes whole',
    (size) => {
      const probe = new SenderProbe();
      const { sender } = probe;
      const data = Uint8Array.from({ length: size }, (_, i) => i * 7);
      sender.send(data, { timestampUs: -5, keyFrame: true, durationUs: 9 }, 65_535_000 + 7_000);
      const sent = probe.writeAll(65_542_000);
      const back = new Uint8Array(size);
      const header = new SourceSymbolHeader();
      for (const { symbol, bytes } of sent) {
        const source = (symbol as SymbolFrame).bytes;
        expect(bytes).toBeLessThanOrEqual(ROOM);
        expect(header.parse(source)).toBe(0);
        if (header.index === 0)
          expect([header.flags, header.timestampUs, header.durationUs]).toEqual([5, -5, 9]);
        expect(header.sendTimeMs).toBe(6);
        back.set(source.subarray(header.dataAt, header.dataAt + header.dataBytes), header.offset);
      }
      expect(Buffer.compare(back, data)).toBe(0);
    },
  );

  test('are cut anew if packets became smaller before the first left', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    probe.path.maxPayloadBytes = 1_423;
    sender.send(new Uint8Array(10_000).fill(3), PLAIN, 0);
    probe.path.maxPayloadBytes = 800;
    const sent = probe.writeAll(0);
    expect(sent.every(({ symbol }) => symbol?.isPart === false)).toBe(true);
    expect(Math.max(...sent.map(({ bytes }) => bytes))).toBeLessThanOrEqual(800);
  });

  test('of a large media frame are protected by interleaved blocks of at most 100', () => {
    const probe = new SenderProbe(fixedPolicy(6));
    const { sender } = probe;
    sender.send(new Uint8Array(290 * 1_100), PLAIN, 0);
    const repairs = probe.writeAll(0).filter(({ repair }) => repair !== undefined);
    expect(repairs).toHaveLength(6);
    const blocks = repairs.map(({ repair }) => [repair?.first, repair?.stride, repair?.row]);
    expect(blocks).toEqual([
      [0, 3, 0],
      [0, 3, 1],
      [1, 3, 0],
      [1, 3, 1],
      [2, 3, 0],
      [2, 3, 1],
    ]);
  });

  test('of a media frame of more than 4096 get no repair, which a receiver would refuse; they are resent', () => {
    const mostBytes = 4_710_400;
    const symbolsAndRepairs = (bytes: number): [number, number] => {
      const probe = new SenderProbe(fixedPolicy(50));
      const { sender } = probe;
      sender.send(new Uint8Array(bytes), PLAIN, 0);
      const sent = probe.writeAll(0);
      probe.lose(sent[7], 10 * MS);
      expect(probe.write(10 * MS)?.symbol?.symbolId).toBe(7);
      return [sender.nextSymbolId, sent.length - sender.nextSymbolId];
    };
    const [symbols, repairs] = symbolsAndRepairs(mostBytes);
    expect([symbols, repairs > 0]).toEqual([4_096, true]);
    expect(symbolsAndRepairs(mostBytes + 1)).toEqual([4_097, 0]);
  });

  test('do not squeeze into the end of a packet', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(3_000), PLAIN, 0);
    expect(probe.write(0, 600)).toBeUndefined();
    expect(sender.nextSymbolId).toBe(0);
    expect(sender.hasData(0)).toBe(true);
    expect(probe.write(0)).toBeDefined();
  });
});

describe('a lost symbol', () => {
  test('is resent once per loss, nearest deadline first and before new symbols', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(3_000), PLAIN, 0);
    const [first, second] = probe.writeAll(0) as [Sent, Sent];
    sender.send(new Uint8Array(100), PLAIN, 10 * MS);
    probe.activations = 0;
    probe.lose(second, 30 * MS);
    probe.lose(first, 30 * MS);
    expect(probe.activations).toBeGreaterThan(0);
    const resent = probe.writeAll(30 * MS);
    expect(resent.map(({ symbol }) => [symbol?.symbolId, symbol?.isResent])).toEqual([
      [0, true],
      [1, true],
      [3, false],
    ]);
    probe.lose(first, 31 * MS);
    expect(sender.hasData(31 * MS)).toBe(false);
    probe.lose(resent[0], 70 * MS);
    expect(probe.write(70 * MS)?.symbol?.symbolId).toBe(0);
  });

  test('is not resent once its deadline has passed', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(100), PLAIN, 0);
    const sent = probe.write(0) as Sent;
    probe.lose(sent, 99 * MS);
    expect(sender.hasData(99 * MS)).toBe(true);
    expect(sender.hasData(100 * MS)).toBe(false);
    expect(sender.statistics.symbolsResent).toBe(0);
  });

  test('is not resent when the first copy arrives after all', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(100), PLAIN, 0);
    const sent = probe.write(0) as Sent;
    probe.lose(sent, 50 * MS);
    probe.ack(sent, 51 * MS);
    expect(sender.hasData(51 * MS)).toBe(false);
    expect(probe.settled).toEqual([[0, 'acknowledged']]);
    expect(sender.statistics.frames.onTime).toBe(1);
  });

  test('is not resent when TRACK_ACK says that its frame is complete', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(3_000), PLAIN, 0);
    const [first, ...others] = probe.writeAll(0) as [Sent, ...Sent[]];
    for (const { b, c } of others) sender.onAcked(b, c, 40 * MS);
    probe.lose(first, 41 * MS);
    expect(sender.onTrackAck(trackAck([[0, 3]]), 41 * MS)).toBe(0);
    expect(sender.hasData(41 * MS)).toBe(false);
    expect(probe.settled).toEqual([[0, 'recovered']]);
  });

  test('is not resent when TRACK_ACK came before its loss was known', () => {
    const probe = new SenderProbe();
    probe.sender.send(new Uint8Array(3_000), PLAIN, 0);
    const [first, ...others] = probe.writeAll(0);
    for (const sent of others) probe.ack(sent, 40 * MS);
    probe.sender.onTrackAck(trackAck([[0, 3]]), 40 * MS);
    expect(probe.settled).toEqual([]);
    probe.lose(first, 41 * MS);
    expect(probe.sender.hasData(41 * MS)).toBe(false);
    expect(probe.settled).toEqual([[0, 'recovered']]);
  });

  test('is resent only as often as the receiver still needs symbols', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(8_000), PLAIN, 0);
    const sent = probe.writeAll(0);
    for (const { b, c } of sent.slice(0, 3)) sender.onLost(b, c, 40 * MS);
    for (const { b, c } of sent.slice(3)) sender.onAcked(b, c, 40 * MS);
    sender.onTrackAck(trackAck([], [[0, 2]]), 40 * MS);
    expect(probe.writeAll(40 * MS)).toHaveLength(2);
    sender.onTrackAck(trackAck([], [[0, 3]]), 41 * MS);
    expect(probe.writeAll(41 * MS)).toHaveLength(1);
  });

  test('waits a moment for repair in flight that may rebuild it, and no longer', () => {
    const probe = new SenderProbe(fixedPolicy(1));
    const { sender } = probe;
    sender.send(new Uint8Array(3_000), PLAIN, 0);
    const sent = probe.writeAll(0);
    expect(sent).toHaveLength(4);
    probe.lose(sent[0], 41 * MS);
    expect(sender.hasData(41 * MS)).toBe(false);
    expect(sender.nextDeadline()).toBe(45 * MS);
    probe.activations = 0;
    sender.handleTimeout(45 * MS);
    expect(probe.activations).toBe(1);
    expect(probe.write(45 * MS)?.symbol?.symbolId).toBe(0);
  });

  test('no longer waits for repair that is lost too', () => {
    const probe = new SenderProbe(fixedPolicy(1));
    const { sender } = probe;
    sender.send(new Uint8Array(3_000), PLAIN, 0);
    const sent = probe.writeAll(0);
    probe.lose(sent[0], 41 * MS);
    expect(sender.hasData(41 * MS)).toBe(false);
    probe.lose(sent[3], 42 * MS);
    expect(probe.write(42 * MS)?.symbol?.symbolId).toBe(0);
  });

  test('goes in two parts when it no longer fits; each part is resent alone', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(1_100).fill(9), PLAIN, 0);
    const whole = probe.write(0) as Sent;
    probe.path.maxPayloadBytes = 700;
    probe.lose(whole, 10 * MS);
    const [one, two] = [probe.write(10 * MS, 700), probe.write(10 * MS, 700)] as [Sent, Sent];
    expect(probe.write(10 * MS, 700)).toBeUndefined();
    expect([one.symbol?.isPart, two.symbol?.isPart]).toEqual([true, true]);
    expect((one.symbol as SymbolFrame).bytes.length + (two.symbol as SymbolFrame).bytes.length).toBe(
      (whole.symbol as SymbolFrame).bytes.length,
    );
    probe.ack(one, 50 * MS);
    probe.lose(two, 50 * MS);
    const again = probe.write(50 * MS, 700) as Sent;
    expect(again.symbol?.partOffset).toBe(two.symbol?.partOffset);
    expect(probe.settled).toEqual([]);
    probe.ack(again, 90 * MS);
    expect(probe.settled).toEqual([[0, 'acknowledged']]);
  });

  test('at the tail is what a probe resends', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(100), PLAIN, 0);
    probe.write(0);
    expect(sender.probe(39 * MS)).toBe(false);
    expect(sender.probe(50 * MS)).toBe(true);
    expect(probe.write(50 * MS)?.symbol).toMatchObject({ symbolId: 0, isResent: true });
    expect(sender.probe(51 * MS)).toBe(false);
  });
});
