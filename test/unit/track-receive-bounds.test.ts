/** What one peer can make the receivers of a connection hold. */
import { describe, expect, test } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { SLACK_BYTES_MAX } from '../../src/base/slack.ts';
import { HeldBudget } from '../../src/track/held.ts';
import {
  FRAME_HELD_BYTES,
  HELD_BYTES_MAX,
  HELD_FRAMES_MAX,
  PIECE_HELD_BYTES,
} from '../../src/track/limits.ts';
import type { SymbolDecoder } from '../../src/track/types.ts';
import { SourceSymbolHeader } from '../../src/wire/symbol.ts';
import { bytesInUse } from '../helpers/memory.ts';
import { ANNOUNCEMENT, one, ReceiverProbe, symbolsOf } from '../helpers/track-symbols.ts';

/** One holder alone. */
const ALONE_BYTES_MAX = HELD_BYTES_MAX / 2;
const DATAGRAM_BYTES = 1_452;
const SYMBOLS = 65_535;

/** The fields of a symbol that are not those of a media frame of one empty symbol, sent at 0. */
type Fields = Partial<
  Pick<SourceSymbolHeader, 'frameLength' | 'index' | 'count' | 'frameId' | 'timestampUs'>
>;

/** Keeps and rebuilds nothing, where exact figures are asked for. */
const NO_DECODER: SymbolDecoder = {
  heldBytes: 0,
  onSymbol: () => {},
  onRepair: () => 0,
  takeRebuilt: () => {},
  dropBelow: () => {},
  keepAtMost: () => {},
};

/** A symbol with zeros for data, at the front of memory of its own: a datagram of `bufferBytes` if that is more. */
function zeros(fields: Fields, bufferBytes = 0): Uint8Array {
  const header = Object.assign(new SourceSymbolHeader(), fields);
  const size = header.size + header.dataBytes;
  const symbol = new Uint8Array(Math.max(size, bufferBytes)).subarray(0, size);
  header.write(new Writer().reset(symbol));
  return symbol;
}

/** Symbols of one byte of media frames that never end. */
function feedCrumbs(probe: ReceiverProbe, symbols: number, bufferBytes: number): void {
  for (let i = 0; i < symbols; i++) {
    const frameId = Math.floor(i / (SYMBOLS - 1));
    const index = i % (SYMBOLS - 1);
    const symbol = zeros({ frameLength: SYMBOLS, index, count: SYMBOLS, frameId }, bufferBytes);
    probe.symbol(frameId * SYMBOLS + index, symbol, 0);
  }
}

describe('frames without order that wait until they are due', () => {
  const TIMED = { delivery: 'timed', order: 'none', latencyUs: 60 * SECOND } as const;
  const LARGE_BYTES = 60_000;
  const ROOM_FRAMES = Math.floor(ALONE_BYTES_MAX / (LARGE_BYTES + FRAME_HELD_BYTES + PIECE_HELD_BYTES));
  const FIRST_20 = Array.from({ length: 20 }, (_, id) => id);

  test('are handed out early, the first due first, when their bytes are too many', () => {
    const probe = new ReceiverProbe(TIMED, true, NO_DECODER);
    for (let id = 0; id < ROOM_FRAMES + 20; id++)
      probe.symbol(id, zeros({ frameId: id, timestampUs: id, frameLength: LARGE_BYTES }), id);
    expect(probe.ids).toEqual(FIRST_20);
    expect(probe.receiver.statistics.evictedFrames).toBe(20);
    expect(probe.receiver.statistics.frames).toMatchObject({ onTime: 20, lost: 0 });
    probe.run(61 * SECOND);
    expect(probe.frames).toHaveLength(ROOM_FRAMES + 20);
    expect(probe.held.bytes).toBe(0);
  });

  test('are handed out early, whatever their bytes, when they are too many', () => {
    const probe = new ReceiverProbe(TIMED);
    for (let id = 0; id < HELD_FRAMES_MAX + 20; id++)
      probe.symbol(id, zeros({ frameId: id, timestampUs: id }), id);
    expect(probe.ids).toEqual(FIRST_20);
  });

  test('leave when they are due, in whatever order they came, those due at once as they were sent', () => {
    const probe = new ReceiverProbe({ ...TIMED, latencyUs: 100 * MILLISECOND });
    const dueMs = [40, 10, 30, 10, 0, 20];
    dueMs.forEach((ms, frameId) => {
      probe.symbol(frameId, zeros({ frameId, timestampUs: ms * MILLISECOND }), 0);
    });
    probe.run(SECOND);
    expect(probe.ids).toEqual([4, 1, 3, 5, 2, 0]);
  });
});

describe('the memory of media frames that never end', () => {
  // Beside what is counted, the decoder's window of 4096 symbols.
  const MOST_BYTES = ALONE_BYTES_MAX + SLACK_BYTES_MAX + 4_096 * DATAGRAM_BYTES;

  test('is counted, however small their symbols are', () => {
    const probe = new ReceiverProbe();
    const before = bytesInUse();
    feedCrumbs(probe, 600_000, 0);
    expect(probe.held.bytes).toBeGreaterThan(ALONE_BYTES_MAX / 2);
    expect(bytesInUse() - before).toBeLessThan(MOST_BYTES);
    probe.receiver.stop();
  });

  test('does not keep the datagrams alive that small symbols came in', () => {
    const probe = new ReceiverProbe();
    const before = bytesInUse();
    feedCrumbs(probe, 80_000, DATAGRAM_BYTES);
    expect(probe.held.slack.bytes).toBeLessThanOrEqual(SLACK_BYTES_MAX);
    expect(bytesInUse() - before).toBeLessThan(MOST_BYTES);
    probe.receiver.stop();
  });

  test('is given back when they are too old for whatever may be announced', () => {
    const probe = new ReceiverProbe(undefined, true, NO_DECODER);
    feedCrumbs(probe, 10_000, 0);
    probe.run(59 * SECOND);
    expect(probe.held.bytes).toBeGreaterThan(10_000);
    probe.run(61 * SECOND);
    expect(probe.held.bytes).toBe(0);
    probe.receiver.announce(ANNOUNCEMENT, 61 * SECOND);
    probe.symbol(SYMBOLS, one(1, 61 * SECOND), 61 * SECOND);
    expect(probe.ids).toEqual([1]);
  });
});

describe('frames that wait for the application', () => {
  test('are bounded in number, however small they are: the oldest go', () => {
    const probe = new ReceiverProbe({}, false, NO_DECODER);
    const most = Math.floor(ALONE_BYTES_MAX / FRAME_HELD_BYTES);
    for (let id = 0; id < most + 20; id++) probe.symbol(id, zeros({ frameId: id }), 0);
    expect(probe.receiver.readableFrames).toBe(most);
    expect(probe.receiver.statistics.framesDroppedSlow).toBe(20);
    expect(probe.receiver.poll()?.skipped).toBe(20);
  });
});

describe('the tracks of one connection', () => {
  const LARGE = { frameLength: 1_000_000, count: 20 };

  /** Fills a receiver with 150 media frames of a million bytes, the last symbol of each missing. */
  function fill(probe: ReceiverProbe): void {
    for (let frameId = 0; frameId < 150; frameId++) {
      for (let index = 0; index < LARGE.count - 1; index++)
        probe.symbol(frameId * LARGE.count + index, zeros({ ...LARGE, frameId, index }), 0);
    }
  }

  test('hold no more together than is allowed, and leave room for one more', () => {
    const held = new HeldBudget();
    for (let track = 0; track < 6; track++) {
      fill(new ReceiverProbe({}, true, undefined, held));
      expect(held.bytes).toBeLessThan(HELD_BYTES_MAX);
    }
    const probe = new ReceiverProbe({}, true, undefined, held);
    for (const [index, symbol] of symbolsOf(0, 4, 0).entries()) probe.symbol(index, symbol, 0);
    expect(probe.ids).toEqual([0]);
  });

  test('count what their decoders keep, which forget half of it where that is too much', () => {
    const held = new HeldBudget();
    for (let track = 0; track < 6; track++) {
      let heldBytes = 0;
      const decoder: SymbolDecoder = {
        ...NO_DECODER,
        get heldBytes() {
          return heldBytes;
        },
        onSymbol: () => {
          heldBytes += 1_000_000;
        },
        keepAtMost: (bytes) => {
          heldBytes = bytes;
        },
      };
      const probe = new ReceiverProbe({}, true, decoder, held);
      for (let id = 0; id < 200; id++) {
        probe.symbol(id, one(id, 0), 0);
        expect(held.bytes).toBeLessThan(HELD_BYTES_MAX);
      }
      expect(probe.ids).toHaveLength(200);
    }
  });

  test('give back what they held when they are stopped, or are forgotten before all was read', () => {
    const stopped = new ReceiverProbe({});
    fill(stopped);
    stopped.part(SYMBOLS, one(0, 0), 0, 5, 0);
    stopped.receiver.stop();
    expect(stopped.held.bytes).toBe(0);
    const ended = new ReceiverProbe({}, false);
    for (let id = 0; id < 30; id++) ended.symbol(id, zeros({ frameId: id }, DATAGRAM_BYTES), 0);
    ended.receiver.onEnd(30, 30, 0);
    expect(ended.held.bytes).toBe(30 * FRAME_HELD_BYTES);
    ended.receiver.detach();
    ended.drain();
    expect(ended.frames).toHaveLength(30);
    expect([ended.held.bytes, ended.held.slack.bytes]).toEqual([0, 0]);
  });

  test.each([1, 2, 3, 4])(
    'hold nothing once all has been read, whatever was lost, late or given up (seed %i)',
    (seed) => {
      const random = new SeededRandom(seed);
      const chance = (ratio: number): boolean => random.unit() < ratio;
      const probe = new ReceiverProbe();
      const announceAt = Math.floor(random.unit() * 100);
      let first = 0;
      for (let frameId = 0; frameId < 400; frameId++) {
        const now = frameId * 10 * MILLISECOND;
        if (frameId === announceAt) {
          const delivery = chance(0.5) ? 'timed' : 'asap';
          const order = chance(0.5) ? 'none' : 'send';
          probe.receiver.announce({ ...ANNOUNCEMENT, delivery, order }, now);
        }
        const symbols = symbolsOf(frameId, 1 + Math.floor(random.unit() * 4), now);
        for (const [index, symbol] of symbols.entries()) {
          if (chance(0.1)) continue;
          if (chance(0.1)) probe.part(first + index, symbol, 0, 8, now);
          else probe.symbol(first + index, symbol, now + (chance(0.1) ? SECOND : 0));
        }
        if (chance(0.05)) probe.receiver.onSkip(first, symbols.length, now);
        first += symbols.length;
        if (chance(0.5)) probe.run(now);
      }
      probe.receiver.onEnd(first, 400, 5 * SECOND);
      probe.run(100 * SECOND);
      expect(probe.receiver.isFinished).toBe(true);
      expect([probe.held.bytes, probe.held.slack.bytes]).toEqual([0, 0]);
    },
  );
});
