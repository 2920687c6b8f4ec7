/**
 * F14 on real sockets: one side has ended its half of a stream, and four megabytes follow the other way, over a relay that
 * loses, delays and copies datagrams; the last copies come long after everything has ended.
 */
import { afterEach, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { type Connection, connect, listen } from '../../src/index.ts';
import { type Carry, UdpRelay } from '../helpers/udp-relay.ts';
import { patternAt } from './stream-run.ts';

const PASSPHRASE = 'correct horse battery';
const PIECE_BYTES = 16_384;
const BYTES = 256 * PIECE_BYTES;
const LATE_MS = 300;
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Two in a hundred are lost, five come out of order, five come once more long afterwards. */
function badPath(seed: number): { carry: Carry; copies: () => number } {
  const random = new SeededRandom(seed);
  const timers = new Set<NodeJS.Timeout>();
  let copies = 0;
  const later = (run: () => void, ms: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  };
  open.push(() => timers.forEach(clearTimeout));
  const carry: Carry = (forward) => {
    const chance = random.unit();
    if (chance < 0.02) return;
    if (chance < 0.07) {
      later(forward, 10);
      return;
    }
    forward();
    if (chance >= 0.12) return;
    copies++;
    later(() => {
      copies--;
      forward();
    }, LATE_MS);
  };
  return { carry, copies: () => copies };
}

/** Answers so many requests, each once it has ended, with the pattern. */
async function serve(called: Connection, requests: number): Promise<void> {
  let left = requests;
  for await (const { readable, writable } of called.incomingBidirectionalStreams) {
    let asked = 0;
    for await (const piece of readable) asked += piece.length;
    const writer = writable.getWriter();
    for (let at = 0; asked === 1 && at < BYTES; at += PIECE_BYTES) {
      await writer.write(patternAt(at, PIECE_BYTES));
    }
    await writer.close();
    if (--left === 0) return;
  }
}

/** Asks, ends its half at once, and compares what follows. Returns the bytes that were right. */
async function request(caller: Connection, bytes: number): Promise<number> {
  const { readable, writable } = await caller.createBidirectionalStream();
  const writer = writable.getWriter();
  await writer.write(new Uint8Array(bytes));
  await writer.close();
  let received = 0;
  for await (const piece of readable) {
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      const part = piece.subarray(at, at + PIECE_BYTES);
      if (Buffer.compare(part, patternAt(received, part.length)) !== 0) return received;
      received += part.length;
    }
  }
  return received;
}

test('F14: all bytes follow the end of the other half, and late copies of its packets disturb nothing (seed 1)', {
  timeout: 600_000,
}, async () => {
  const listener = await listen({ host: '127.0.0.1', passphrase: PASSPHRASE });
  open.push(() => listener.close());
  const { carry, copies } = badPath(1);
  const relay = await UdpRelay.open(listener.address.port, carry);
  open.push(() => relay.close());
  const caller = await connect(
    { host: '127.0.0.1', port: relay.port, resource: '' },
    { passphrase: PASSPHRASE },
  );
  open.push(() => caller.close());
  const { value: called } = await listener[Symbol.asyncIterator]().next();
  const served = serve(called as Connection, 2);
  expect(await request(caller, 1)).toBe(BYTES);
  // Those of the handshake, of the request and of its end are among them.
  while (copies() > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await request(caller, 1)).toBe(BYTES);
  await served;
});
