/** Two stream sets, one transfer at a time: what an application sees. */
import { describe, expect, it } from 'vitest';
import type { ReceiveStream } from '../../src/stream/receive.ts';
import type { SendStream } from '../../src/stream/send.ts';
import { byteAt, StreamPair, testBytes } from '../helpers/stream-pair.ts';

/** Reads all there is and checks every byte against the test pattern. Returns the bytes read. */
function readAll(receive: ReceiveStream, from = 0): number {
  let at = from;
  for (let piece = receive.read(); piece !== undefined; piece = receive.read()) {
    for (const byte of piece)
      if (byte !== byteAt(receive.id, at++)) throw new Error(`wrong byte at ${at - 1}`);
  }
  return at - from;
}

/** Keeps writing `size` test bytes as the stream takes them, then ends it. */
function feed(send: SendStream, size: number): () => void {
  let written = 0;
  return () => {
    while (written < size) {
      const taken = send.write(testBytes(send.id, written, Math.min(3000, size - written)));
      if (taken === 0) return;
      written += taken;
    }
    send.finish();
  };
}

describe('a stream', () => {
  it('carries bytes and its end, and both ends forget it', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    expect(send.write(testBytes(send.id, 0, 5000))).toBe(5000);
    send.finish();
    pair.run();
    const receive = pair.server.log.opened[0]?.receive as ReceiveStream;
    expect(receive.isFinished).toBe(false);
    expect(readAll(receive)).toBe(5000);
    expect(receive.isFinished).toBe(true);
    expect(pair.client.log.count(`finished ${send.id}`)).toBe(1);
    expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
    expect(send.bufferedBytes).toBe(0);
  });

  it('ends without a byte, and the reader is told', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    send.finish();
    pair.run();
    const receive = pair.server.log.opened[0]?.receive as ReceiveStream;
    expect(pair.server.log.lines).toContain(`readable ${send.id}`);
    // Kept until it was looked at: an application that is told of it later must find it.
    expect(pair.server.set.get(send.id)).toBeDefined();
    expect(receive.read()).toBeUndefined();
    expect(receive.isFinished).toBe(true);
    expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
  });

  it('half-closes: the answer flows after the question has ended', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('bidirectional') as SendStream;
    send.write(testBytes(send.id, 0, 100));
    send.finish();
    pair.run();
    const answer = pair.server.log.opened[0];
    expect(readAll(answer?.receive as ReceiveStream)).toBe(100);
    expect(pair.server.set.count).toBe(1);
    answer?.send?.write(testBytes(send.id, 0, 200));
    answer?.send?.finish();
    const receive = pair.client.set.get(send.id)?.receive as ReceiveStream;
    pair.run();
    expect(readAll(receive)).toBe(200);
    expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
  });

  it('moves more than every window through a lossy, reordering, duplicating link (seed 7)', () => {
    const link = { seed: 7, lossRatio: 0.2, duplicateRatio: 0.1, ackLossRatio: 0.1, jitterUs: 30_000 };
    const pair = new StreamPair(link);
    const send = pair.client.set.open('unidirectional') as SendStream;
    const more = feed(send, 300_000);
    let read = 0;
    pair.check = () => {
      more();
      const receive = pair.server.log.opened[0]?.receive;
      if (receive !== undefined) read += readAll(receive, read);
    };
    pair.run();
    expect(read).toBe(300_000);
    expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
    expect(pair.client.set.counters.sentBytes).toBe(300_000);
    expect(pair.client.set.counters.resentBytes).toBeGreaterThan(30_000);
  });

  it('takes what fits and tells the writer when to go on', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    const taken = send.write(new Uint8Array(2_000_000));
    expect(taken).toBe(512 * 1024);
    expect(send.writableBytes).toBe(0);
    expect(send.write(new Uint8Array(1))).toBe(0);
    pair.check = () => {
      for (const stream of pair.server.log.opened) while (stream.receive?.read() !== undefined);
    };
    pair.run();
    expect(pair.client.log.count(`writable ${send.id}`)).toBe(1);
    expect(send.writableBytes).toBe(512 * 1024);
  });

  it('copies what it is given: the caller may reuse its buffer', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    const bytes = testBytes(send.id, 0, 300);
    send.write(bytes);
    bytes.fill(0);
    pair.run();
    expect(readAll(pair.server.log.opened[0]?.receive as ReceiveStream)).toBe(300);
  });

  it('refuses a write after its end, and a value that is no bytes', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    expect(() => send.write('text' as unknown as Uint8Array)).toThrow(TypeError);
    expect(() => send.reset(-1)).toThrow(RangeError);
    send.finish();
    expect(() => send.write(new Uint8Array(1))).toThrow(TypeError);
  });

  it('wakes the reader once for each time it found nothing', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    send.write(testBytes(send.id, 0, 4000));
    pair.run();
    expect(pair.server.log.count(`readable ${send.id}`)).toBe(1);
    const receive = pair.server.log.opened[0]?.receive as ReceiveStream;
    expect(readAll(receive)).toBe(4000);
    send.write(testBytes(send.id, 4000, 10));
    pair.run();
    expect(pair.server.log.count(`readable ${send.id}`)).toBe(2);
  });
});

describe('a reset', () => {
  it('drops what was buffered, reaches the reader and frees both ends', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    send.write(testBytes(send.id, 0, 5000));
    pair.run(0);
    send.reset(42);
    expect(send.write(new Uint8Array(1))).toBe(0);
    pair.run();
    expect(pair.server.log.lines).toContain(`reset ${send.id} 42`);
    const receive = pair.server.log.opened[0]?.receive as ReceiveStream;
    expect(receive.read()).toBeUndefined();
    expect([receive.resetCode, receive.isFinished, receive.readableBytes]).toEqual([42, false, 0]);
    expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
    expect(pair.client.log.count(`finished ${send.id}`)).toBe(0);
  });

  it('is sent again when its packet is lost (seed 3)', () => {
    const pair = new StreamPair({ seed: 3, lossRatio: 0.8 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    send.reset(5);
    pair.run();
    expect(pair.server.log.count(`reset ${send.id} 5`)).toBe(1);
    expect(pair.client.set.count).toBe(0);
  });

  it('answers a stop with the same code, and the credit of dropped bytes comes back', () => {
    const pair = new StreamPair({ seed: 1 });
    // More than the whole connection's window goes through streams whose reader never reads.
    for (let round = 0; round < 10; round++) {
      const send = pair.client.set.open('unidirectional') as SendStream;
      expect(send).toBeDefined();
      send.write(testBytes(send.id, 0, 8000));
      pair.run(pair.now + 30_000);
      pair.server.log.opened[round]?.receive?.stop(9);
      pair.run();
      expect(pair.client.log.count(`stopped ${send.id} 9`)).toBe(1);
      expect(send.resetCode).toBe(9);
      expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
    }
  });

  it('comes too late once everything has arrived: the reader gets all bytes', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('unidirectional') as SendStream;
    send.write(testBytes(send.id, 0, 700));
    send.finish();
    pair.run(10_000);
    send.reset(1);
    pair.run();
    const receive = pair.server.log.opened[0]?.receive as ReceiveStream;
    expect(receive.resetCode).toBeUndefined();
    expect(readAll(receive)).toBe(700);
    expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
  });
});

describe('stream limits', () => {
  it('refuse an open, and let it through when an earlier stream has ended at both ends', () => {
    const pair = new StreamPair({ seed: 1 });
    const streams = [0, 1, 2, 3].map(() => pair.client.set.open('bidirectional') as SendStream);
    expect(pair.client.set.open('bidirectional')).toBeUndefined();
    for (const stream of streams) stream.finish();
    pair.run(60_000);
    expect(pair.client.set.open('bidirectional')).toBeUndefined();
    pair.server.log.opened[0]?.send?.finish();
    pair.run(120_000);
    pair.client.set.get(0)?.receive?.read();
    expect(pair.client.set.get(0)).toBeUndefined();
    pair.run(180_000);
    expect(pair.client.log.count('canOpen bidirectional')).toBe(0);
    pair.server.log.opened[0]?.receive?.read();
    pair.run();
    expect(pair.client.log.count('canOpen bidirectional')).toBe(1);
    expect(pair.client.set.open('bidirectional')?.id).toBe(32);
    expect(pair.client.set.open('bidirectional')).toBeUndefined();
  });

  it('carry 1024 streams through four slots (seed 11)', () => {
    const pair = new StreamPair({ seed: 11, lossRatio: 0.1 });
    let opened = 0;
    pair.check = () => {
      while (opened < 1024) {
        const send = pair.client.set.open('unidirectional');
        if (send === undefined) break;
        opened++;
        send.write(testBytes(send.id, 0, 50));
        send.finish();
      }
      for (const stream of pair.server.log.opened.splice(0)) {
        if (stream.receive?.isDone !== true) {
          readAll(stream.receive as ReceiveStream);
          if (!stream.receive?.isFinished) pair.server.log.opened.push(stream);
        }
      }
    };
    pair.run();
    expect(opened).toBe(1024);
    expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
  });

  it('count streams of tracks apart, without a frame, and never surface them', () => {
    const pair = new StreamPair({ seed: 1 });
    const first = pair.client.set.open('track') as SendStream;
    const second = pair.client.set.open('track') as SendStream;
    expect([first.id, second.id]).toEqual([6, 14]);
    expect(pair.client.set.open('track')).toBeUndefined();
    first.write(testBytes(first.id, 0, 10));
    first.finish();
    pair.run();
    expect(pair.server.log.opened).toEqual([]);
    expect(pair.server.log.trackStreams.map((stream) => stream.id)).toEqual([6]);
    expect(pair.client.log.count('canOpen track')).toBe(1);
    // The reader has not read yet: the ending counts all the same, at both ends.
    const third = pair.client.set.open('track') as SendStream;
    expect(third.id).toBe(22);
    third.finish();
    pair.run();
    expect(pair.server.log.trackStreams.map((stream) => stream.id)).toEqual([6, 14, 22]);
  });
});

describe('a closed set', () => {
  it('sends nothing more, asks for nothing, and lets what has arrived be read', () => {
    const pair = new StreamPair({ seed: 1 });
    const send = pair.client.set.open('bidirectional') as SendStream;
    send.write(testBytes(send.id, 0, 9000));
    pair.run(30_000);
    const answer = pair.server.log.opened[0];
    answer?.send?.write(new Uint8Array(9000));
    pair.server.set.close();
    pair.client.set.close();
    expect([pair.client.active.size, pair.server.active.size]).toEqual([0, 0]);
    expect(readAll(answer?.receive as ReceiveStream)).toBe(6000);
    for (const end of [pair.client, pair.server]) {
      expect(end.poll(pair.now)).toBeUndefined();
      expect(end.set.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
      expect(end.set.open('unidirectional')).toBeUndefined();
    }
    expect([send.write(new Uint8Array(1)), send.bufferedBytes, send.writableBytes]).toEqual([0, 0, 0]);
  });
});
