/** The queue behind the API's async iterators: what readers that come and go get of it. */
import { expect, test } from 'vitest';
import { AsyncQueue } from '../../src/node/deferred.ts';

test('a reader that leaves takes nothing from the next', async () => {
  const queue = new AsyncQueue<number>();
  const first = queue[Symbol.asyncIterator]();
  const second = queue[Symbol.asyncIterator]();
  const waiting = first.next();
  const others = second.next();
  await first.return?.();
  expect(await waiting).toEqual({ value: undefined, done: true });
  queue.push(1);
  queue.push(2);
  expect(await others).toEqual({ value: 1, done: false });
  expect(await first.next()).toEqual({ value: undefined, done: true });
  expect(await second.next()).toEqual({ value: 2, done: false });
});

test('leaving a loop does not end the queue', async () => {
  const queue = new AsyncQueue<number>();
  for (const item of [1, 2, 3]) queue.push(item);
  const seen: number[] = [];
  for await (const item of queue) {
    seen.push(item);
    if (item === 1) break;
  }
  queue.end();
  for await (const item of queue) seen.push(item);
  expect(seen).toEqual([1, 2, 3]);
});

test('an end with an error is told once, behind the last item', async () => {
  const queue = new AsyncQueue<number>();
  const reader = queue[Symbol.asyncIterator]();
  queue.push(1);
  queue.end(new Error('gone'));
  expect(await reader.next()).toEqual({ value: 1, done: false });
  await expect(reader.next()).rejects.toThrow('gone');
  expect(await reader.next()).toEqual({ value: undefined, done: true });
});
