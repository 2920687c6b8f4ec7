import { describe, expect, test } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import { Scheduler } from '../../src/connection/scheduler.ts';
import type { PacketRecord, Sender } from '../../src/wire/frame-source.ts';

const NO_RECORD: PacketRecord = { note() {} };

/** A sender with so many frames of one size. */
class Source implements Sender {
  readonly sendOrder: number;
  readonly weight: number;
  readonly frameBytes: number;
  frames: number;
  sentBytes = 0;

  constructor(
    sendOrder: number,
    weight: number,
    frameBytes: number,
    frames: number = Number.POSITIVE_INFINITY,
  ) {
    this.sendOrder = sendOrder;
    this.weight = weight;
    this.frameBytes = frameBytes;
    this.frames = frames;
  }

  hasData(): boolean {
    return this.frames > 0;
  }

  writeFrame(writer: Writer): number {
    if (writer.room < this.frameBytes) return 0;
    writer.zeros(this.frameBytes);
    this.frames--;
    this.sentBytes += this.frameBytes;
    return this.frameBytes;
  }
}

/** Fills `count` packets of `room` bytes as the transmitter does; returns how many were not empty. */
function fill(scheduler: Scheduler, count: number, room: number): number {
  let used = 0;
  for (let i = 0; i < count && scheduler.hasData(0); i++) {
    const writer = new Writer().reset(new Uint8Array(room));
    scheduler.beginPacket();
    while (writer.room > 0 && scheduler.writeFrame(writer, NO_RECORD, 0) > 0);
    if (writer.at > 0) used++;
  }
  return used;
}

describe('the scheduler', () => {
  test.each([
    ['small frames', 100],
    ['frames of a packet of 1200 bytes', 1171],
    ['frames of a packet of 1452 bytes', 1423],
  ])('shares packets by weight 1 : 2 : 5 among senders of one order: %s', (_, bytes) => {
    const scheduler = new Scheduler();
    const sources = [1, 2, 5].map((weight) => new Source(0, weight, bytes));
    for (const source of sources) scheduler.activate(source);
    fill(scheduler, 8000, 1423);
    const total = sources.reduce((sum, source) => sum + source.sentBytes, 0);
    for (const source of sources) {
      expect(source.sentBytes / total).toBeCloseTo(source.weight / 8, 2);
    }
  });

  test('with different frame sizes, of which the larger often do not fit, nobody gets less than three quarters of its share', () => {
    const scheduler = new Scheduler();
    const sources = [300, 700, 1400].map((bytes) => new Source(0, 3, bytes));
    for (const source of sources) scheduler.activate(source);
    fill(scheduler, 6000, 1423);
    const total = sources.reduce((sum, source) => sum + source.sentBytes, 0);
    for (const source of sources) expect(source.sentBytes / total).toBeGreaterThan(0.25);
  });

  test('serves a higher send order first, whatever the weights', () => {
    const scheduler = new Scheduler();
    const low = new Source(0, 255, 1000, 10);
    const high = new Source(1, 1, 1000, 10);
    scheduler.activate(low);
    scheduler.activate(high);
    fill(scheduler, 9, 1000);
    expect([high.frames, low.frames]).toEqual([1, 10]);
    fill(scheduler, 2, 1000);
    expect([high.frames, low.frames]).toEqual([0, 9]);
    high.frames = 1;
    scheduler.activate(high);
    fill(scheduler, 1, 1000);
    expect([high.frames, low.frames]).toEqual([0, 9]);
  });

  test('fills the rest of a packet with whatever fits, also from a lower order', () => {
    const scheduler = new Scheduler();
    const high = new Source(1, 1, 800, 3);
    const low = new Source(0, 1, 100, 3);
    scheduler.activate(low);
    scheduler.activate(high);
    expect(fill(scheduler, 1, 1171)).toBe(1);
    expect([high.frames, low.frames]).toEqual([2, 0]);
  });

  test('a sender whose frame fits no packet costs the others neither their turns nor their shares', () => {
    const scheduler = new Scheduler();
    const stuck = new Source(0, 255, 5000);
    const [first, second] = [new Source(0, 1, 1000), new Source(0, 3, 1000)];
    for (const source of [stuck, first, second]) scheduler.activate(source);
    expect(fill(scheduler, 4000, 1171)).toBe(4000);
    expect(stuck.sentBytes).toBe(0);
    expect(first.sentBytes / (first.sentBytes + second.sentBytes)).toBeCloseTo(0.25, 2);
  });

  test('a sender whose frame did not fit behind others begins the next packet', () => {
    const scheduler = new Scheduler();
    const [small, large] = [new Source(0, 1, 200), new Source(0, 1, 1100)];
    scheduler.activate(small);
    scheduler.activate(large);
    // 5 x 200: the sixth, and the large frame, do not fit; then the large one has its packet.
    fill(scheduler, 2, 1171);
    expect(large.sentBytes).toBe(1100);
  });

  test('two thousand senders that come and go all get their turn', () => {
    const scheduler = new Scheduler();
    const sources = Array.from({ length: 2000 }, (_, i) => new Source(i % 3, 1 + (i % 7), 500, 3));
    for (const source of sources) scheduler.activate(source);
    for (const source of sources) if (source.frames > 0 && source.sendOrder === 1) scheduler.remove(source);
    fill(scheduler, 10_000, 1171);
    for (const source of sources) expect(source.frames).toBe(source.sendOrder === 1 ? 3 : 0);
    expect(scheduler.hasData(0)).toBe(false);
    for (const source of sources.slice(0, 10)) {
      source.frames = 1;
      scheduler.activate(source);
    }
    fill(scheduler, 100, 1171);
    expect(sources.slice(0, 10).every((source) => source.frames === 0)).toBe(true);
  });

  test('a sender removed while others have their turn leaves nobody out', () => {
    const scheduler = new Scheduler();
    const sources = [0, 1, 2, 3].map(() => new Source(0, 1, 1171));
    for (const source of sources) scheduler.activate(source);
    fill(scheduler, 3, 1171);
    scheduler.remove(sources[1] as Source);
    const before = sources.map((source) => source.sentBytes);
    fill(scheduler, 300, 1171);
    const gained = sources.map((source, i) => (source.sentBytes - (before[i] as number)) / 1171);
    expect(gained[1]).toBe(0);
    for (const i of [0, 2, 3]) expect(Math.abs((gained[i] as number) - 100)).toBeLessThanOrEqual(2);
  });

  test.each(['hasData', 'writeFrame'] as const)(
    'a sender that ends when it is asked, by %s, costs no other its turn',
    (by) => {
      const scheduler = new Scheduler();
      /** Its last frame is too late by then: it ends, and is forgotten, while it is asked for data. */
      class Ending extends Source {
        override hasData(): boolean {
          scheduler.remove(this);
          return false;
        }
      }
      const [ending, other] = [new Ending(0, 1, 100, 1), new Source(0, 1, 100, 3)];
      scheduler.activate(ending);
      scheduler.activate(other);
      const writer = new Writer().reset(new Uint8Array(1_000));
      if (by === 'hasData') expect(scheduler.hasData(0)).toBe(true);
      while (scheduler.writeFrame(writer, NO_RECORD, 0) > 0);
      expect(other.sentBytes).toBe(300);
      scheduler.activate(new Ending(0, 1, 100, 1));
      expect(scheduler.hasData(0)).toBe(false);
    },
  );

  test('forgets the send orders of senders that have ended: a later one is compared with none of them', () => {
    let comparisons = 0;
    // Numbers that count how often they are looked at.
    const order = (value: number): number => {
      const counted: unknown = {
        valueOf: () => {
          comparisons++;
          return value;
        },
      };
      return counted as number;
    };
    const scheduler = new Scheduler();
    for (let i = 0; i < 1000; i++) {
      const ended = new Source(order(i), 1, 100);
      scheduler.activate(ended);
      scheduler.remove(ended);
    }
    comparisons = 0;
    scheduler.activate(new Source(order(-1), 1, 100));
    expect(fill(scheduler, 3, 1000)).toBe(3);
    expect(comparisons).toBe(0);
  });

  test('asks those of a lower order though the last of a higher one ends while it is asked', () => {
    const scheduler = new Scheduler();
    const ending = new Source(1, 1, 100, 1);
    ending.hasData = () => {
      scheduler.remove(ending);
      return false;
    };
    const low = new Source(0, 1, 100, 10);
    const lowest = new Source(-1, 1, 100, 10);
    for (const source of [low, lowest, ending]) scheduler.activate(source);
    const writer = new Writer().reset(new Uint8Array(1000));
    scheduler.beginPacket();
    expect(scheduler.writeFrame(writer, NO_RECORD, 0)).toBe(100);
    expect([low.frames, lowest.frames]).toEqual([9, 10]);
    scheduler.activate(ending);
    expect(scheduler.hasData(0)).toBe(true);
  });
});
