/** Whom a sender serves, and whom it turns away: above connections that only the test ends. */
import { describe, expect, it } from 'vitest';
import { TransportError } from '../../src/base/errors.ts';
import { Peers } from '../../src/cli/peers.ts';
import { BUSY_CODE, type Connection } from '../../src/index.ts';

const KEY = { input: 0, track: 0 };
const UNIT = { data: new Uint8Array(5), timestampUs: 0, keyFrame: false, discardable: false, track: 0 };

/** A receiver that takes so many tracks. */
function receiver(maxTracks = Number.POSITIVE_INFINITY) {
  let left = maxTracks;
  let finish: (info: unknown) => void = () => {};
  const closed = new Promise((resolve) => {
    finish = resolve;
  });
  const closes: { closeCode: number; reason: string }[] = [];
  const sent: Uint8Array[] = [];
  const createTrack = () => {
    if (left-- <= 0) throw new TransportError('ERR_MILLRACE_LIMIT', 'the peer takes no more tracks');
    const send = (data: Uint8Array): void => void sent.push(data);
    return Object.assign(new EventTarget(), { latency: 120, send, end: async () => {} });
  };
  const close = async (info: { closeCode: number; reason: string }): Promise<void> => {
    closes.push(info);
    finish(info);
  };
  const connection = {
    remoteAddress: { host: 'h', port: 1 },
    closed,
    createTrack,
    close,
    incomingTracks: [],
  };
  return { connection: connection as unknown as Connection, closes, sent };
}

function broadcast(announced: readonly (typeof KEY)[]): Peers {
  const reporter = { add() {}, remove() {} };
  return new Peers(reporter as never, () => ({ latency: 120 }), announced, 120, {
    onBitrate() {},
    note() {},
  });
}

describe('a receiver that takes no tracks', () => {
  it('is turned away where a track is announced at once, and counts as nobody', async () => {
    const peers = broadcast([KEY]);
    const { connection, closes } = receiver(0);
    await expect(peers.serve(connection)).rejects.toThrow('no more tracks');
    expect(closes).toEqual([{ closeCode: 1, reason: expect.stringContaining('no more tracks') }]);
    expect([peers.count, peers.hasServed]).toEqual([0, false]);
  });

  it('is turned away at its first media frame, and the others get theirs', async () => {
    const peers = broadcast([]);
    const [bad, good] = [receiver(0), receiver()];
    const isServed = peers.serve(bad.connection);
    void peers.serve(good.connection);
    void peers.send(KEY, UNIT);
    await expect(isServed).rejects.toThrow('no more tracks');
    expect(bad.closes).toEqual([{ closeCode: 1, reason: expect.stringContaining('no more tracks') }]);
    void peers.send(KEY, UNIT);
    expect([peers.count, good.sent.length, good.closes]).toEqual([1, 2, []]);
  });
});

describe('a receiver that comes while the others are told good-bye', () => {
  it('is told that it is too late', async () => {
    const peers = broadcast([KEY]);
    await peers.finish(false);
    expect(peers.isFinishing).toBe(true);
    const late = receiver();
    await peers.serve(late.connection);
    expect(late.closes).toEqual([{ closeCode: BUSY_CODE, reason: 'the media is over' }]);
    expect(peers.count).toBe(0);
  });
});
