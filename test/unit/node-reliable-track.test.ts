/** A reliable track above a stream whose packets and acknowledgements the test carries itself. */
import { describe, expect, it } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import type { Connection as Core } from '../../src/connection/connection.ts';
import { OutgoingTrack, type TrackHost } from '../../src/node/outgoing-track.ts';
import { SendCredit } from '../../src/stream/flow.ts';
import { SendStream } from '../../src/stream/send.ts';
import { ChunkPool } from '../../src/stream/send-buffer.ts';
import { frameCounts } from '../../src/track/types.ts';
import { longestShift } from '../helpers/longest-shift.ts';

const PACKET_BYTES = 1200;

/** A track, its stream, and what has left in order of leaving. */
function makeTrack() {
  const credit = new SendCredit();
  credit.limit = 1e9;
  const host = {
    credit,
    chunks: new ChunkPool(),
    counters: { sentBytes: 0, resentBytes: 0, receivedBytes: 0, duplicateBytes: 0 },
    activate() {},
    wantsReset() {},
    onStreamBlocked() {},
    onConnectionBlocked() {},
    onWritable: () => track.onStreamMoved(),
    onSendDone() {},
  };
  const stream = new SendStream(0, host as never, 1e9, 0, 1);
  const trackHost: TrackHost = { core: {} as Core, reliableSent: frameCounts(), wake() {}, now: () => 0 };
  const track = new OutgoingTrack(0, Number.POSITIVE_INFINITY, trackHost, stream, true);
  const sent: { offset: number; length: number }[] = [];
  const record = {
    note: (_kind: number, _id: number, offset: number, lengthAndEnd: number) => {
      sent.push({ offset, length: lengthAndEnd >> 1 });
    },
  };
  /** Lets everything leave. */
  const sendAll = (): void => {
    const packet = new Uint8Array(PACKET_BYTES);
    while (stream.writeFrame(new Writer().reset(packet), record as never, 0) > 0);
  };
  return { track, stream, sent, sendAll };
}

describe('a reliable track', () => {
  it('is ready for more when all has left, though its first packet is lost again and again', async () => {
    const { track, stream, sent, sendAll } = makeTrack();
    while (track.queuedBytes < 5_000_000) track.send(new Uint8Array(65_536));
    let isReady = false;
    void track.ready.then(() => {
      isReady = true;
    });
    await Promise.resolve();
    expect(isReady).toBe(false);
    sendAll();
    for (const { offset, length } of sent.slice(1)) stream.onFrameAcked(offset, length, false);
    await Promise.resolve();
    expect(track.queuedBytes).toBeGreaterThan(5_000_000);
    expect(isReady).toBe(true);
  });

  it('never moves what waits, however many media frames that are', async () => {
    const { track, stream, sent, sendAll } = makeTrack();
    const longest = await longestShift(() => {
      for (let i = 0; i < 40_000; i++) track.send(new Uint8Array(20));
      sendAll();
      for (const { offset, length } of sent) stream.onFrameAcked(offset, length, false);
    });
    expect(track.queuedBytes).toBe(0);
    expect(longest).toBeLessThan(1000);
  });

  it('settles each media frame with the acknowledgement of its last byte', () => {
    const { track, stream, sent, sendAll } = makeTrack();
    const handles = [1, 2, 3].map(() => track.send(new Uint8Array(3000)));
    sendAll();
    for (const { offset, length } of sent.slice(0, -1)) stream.onFrameAcked(offset, length, false);
    expect(handles.map(({ outcome }) => outcome)).toEqual(['acknowledged', 'acknowledged', undefined]);
    const last = sent.at(-1) as { offset: number; length: number };
    stream.onFrameAcked(last.offset, last.length, false);
    expect(handles[2]?.outcome).toBe('acknowledged');
  });
});
