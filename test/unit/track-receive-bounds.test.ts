/** What one peer can make the receiver of a track hold. */
import { describe, expect, test } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import { MILLISECOND, type Micros, SECOND } from '../../src/base/protocol.ts';
import { HELD_BYTES_MAX, HELD_FRAMES_MAX } from '../../src/track/limits.ts';
import { SourceSymbolHeader } from '../../src/wire/symbol.ts';
import { ReceiverProbe } from '../helpers/track-symbols.ts';

/** A media frame of one symbol of `dataBytes`, sent at 0. */
function whole(frameId: number, timestampUs: Micros, dataBytes: number): Uint8Array {
  const header = new SourceSymbolHeader();
  header.frameLength = dataBytes;
  header.frameId = frameId;
  header.timestampUs = timestampUs;
  const symbol = new Uint8Array(header.size + dataBytes);
  header.write(new Writer().reset(symbol));
  return symbol;
}

describe('frames without order that wait until they are due', () => {
  const TIMED = { delivery: 'timed', order: 'none', latencyUs: 60 * SECOND } as const;
  const LARGE_BYTES = 60_000;
  const ROOM_FRAMES = Math.floor(HELD_BYTES_MAX / LARGE_BYTES);

  test('are handed out early, the first due first, when their bytes are too many', () => {
    const probe = new ReceiverProbe(TIMED);
    for (let id = 0; id < ROOM_FRAMES + 20; id++) probe.symbol(id, whole(id, id, LARGE_BYTES), id);
    expect(probe.ids).toEqual(Array.from({ length: 20 }, (_, id) => id));
    expect(probe.receiver.statistics.evictedFrames).toBe(20);
    expect(probe.receiver.statistics.frames).toMatchObject({ onTime: 20, lost: 0 });
    probe.run(61 * SECOND);
    expect(probe.frames).toHaveLength(ROOM_FRAMES + 20);
  });

  test('are handed out early, whatever their bytes, when they are too many', () => {
    const probe = new ReceiverProbe(TIMED);
    for (let id = 0; id < HELD_FRAMES_MAX + 20; id++) probe.symbol(id, whole(id, id, 0), id);
    expect(probe.ids).toEqual(Array.from({ length: 20 }, (_, id) => id));
  });

  test('leave when they are due, in whatever order they came, those due at once as they were sent', () => {
    const probe = new ReceiverProbe({ ...TIMED, latencyUs: 100 * MILLISECOND });
    const dueMs = [40, 10, 30, 10, 0, 20];
    dueMs.forEach((ms, id) => {
      probe.symbol(id, whole(id, ms * MILLISECOND, 0), 0);
    });
    probe.run(SECOND);
    expect(probe.ids).toEqual([4, 1, 3, 5, 2, 0]);
  });
});
