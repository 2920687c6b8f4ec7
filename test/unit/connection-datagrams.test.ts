/** The queue of app datagrams by itself. */
import { expect, test } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import { DATAGRAM_QUEUE_BYTES_MAX, DatagramQueue } from '../../src/connection/datagrams.ts';
import { longestShift } from '../helpers/longest-shift.ts';

function makeQueue() {
  const outcomes = new Map<number, string>();
  const queue = new DatagramQueue(
    5,
    () => {},
    (id, outcome) => outcomes.set(id, outcome),
  );
  const sent: number[] = [];
  const record = { note: (_kind: number, id: number) => void sent.push(id) };
  const sendAll = (): void => {
    const packet = new Uint8Array(1200);
    while (queue.writeFrame(new Writer().reset(packet), record as never, 0) > 0);
  };
  return { queue, outcomes, sent, sendAll };
}

test('empty messages wait in bounded number: the oldest are dropped', () => {
  const { queue, outcomes, sent, sendAll } = makeQueue();
  for (let i = 0; i < 20_000; i++) queue.send(new Uint8Array(0), 1000, 0);
  sendAll();
  expect(sent.length).toBeLessThan(DATAGRAM_QUEUE_BYTES_MAX / 100);
  expect(sent.at(-1)).toBe(19_999);
  expect(outcomes.size + sent.length).toBe(20_000);
});

test('what waits never moves, however many messages that are', async () => {
  const { queue, sent, sendAll } = makeQueue();
  const longest = await longestShift(() => {
    for (let i = 0; i < 8000; i++) queue.send(new Uint8Array(1), 1000, 0);
    sendAll();
  });
  expect(sent).toHaveLength(8000);
  expect(longest).toBeLessThan(1000);
});

test('what fits a smaller packet keeps its order, the rest is dropped', () => {
  const { queue, outcomes, sent, sendAll } = makeQueue();
  for (let i = 0; i < 20; i++) queue.send(new Uint8Array(i % 2 === 0 ? 100 : 1100), 1000, 0);
  queue.dropAbove(500);
  expect([...outcomes.keys()]).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  sendAll();
  expect(sent).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
});
