/** Streams as applications see them, above two cores in virtual time. */
import type { ReadableStream, ReadableStreamDefaultReader, WritableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import { type LibraryPair, libraryPair } from '../helpers/library-pair.ts';
import { bytesInUse } from '../helpers/memory.ts';

/** More than the windows let through while nobody reads. */
const TOO_MUCH = new Uint8Array(8 * 1024 * 1024);

/** The next stream that the server has for its application. */
async function taken({ server }: LibraryPair): Promise<ReadableStream<Uint8Array>> {
  return (await server.streams.incomingUnidirectional[Symbol.asyncIterator]().next()).value;
}

/** Drops what a stream says of its end. */
function ignore(promise: Promise<unknown>): void {
  promise.catch(() => {});
}

describe('writer.abort', () => {
  it('resets the stream at once though a write waits for credit', async () => {
    const link = libraryPair(1);
    const writer = link.client.streams.createUnidirectional({}).getWriter();
    const written = expect(writer.write(TOO_MUCH)).rejects.toMatchObject({ streamErrorCode: 7 });
    await link.run(200);
    const reader = (await taken(link)).getReader();
    const aborted = writer.abort({ streamErrorCode: 7 });
    await link.run(50);
    await written;
    await expect(aborted).resolves.toBeUndefined();
    await expect(reader.read()).rejects.toMatchObject({
      code: 'ERR_MILLRACE_STREAM_RESET',
      wireCode: 7,
    });
    expect(link.pair.client.connection.streams.count).toBe(0);
  });

  it('resets the stream at once though its close waits for the peer', async () => {
    const link = libraryPair(2);
    const writer = link.client.streams.createUnidirectional({}).getWriter();
    void writer.write(TOO_MUCH.subarray(0, 100));
    await link.run(50);
    const reader = (await taken(link)).getReader();
    const closed = expect(writer.close()).rejects.toMatchObject({ streamErrorCode: 7 });
    // As the standard has it for a close that fails under way.
    const aborted = expect(writer.abort({ streamErrorCode: 7 })).rejects.toMatchObject({
      streamErrorCode: 7,
    });
    await link.run(50);
    await Promise.all([closed, aborted]);
    await expect(reader.read()).rejects.toMatchObject({ wireCode: 7 });
    expect(link.pair.client.connection.streams.count).toBe(0);
  });

  it('takes a code that no frame carries for 0', async () => {
    const link = libraryPair(3);
    const writer = link.client.streams.createUnidirectional({}).getWriter();
    void writer.write(TOO_MUCH.subarray(0, 100));
    await link.run(50);
    const reader = (await taken(link)).getReader();
    ignore(writer.abort({ streamErrorCode: 2 ** 60 }));
    await link.run(50);
    await expect(reader.read()).rejects.toMatchObject({ wireCode: 0 });
  });
});

/** One stream from its first byte to its end. */
type Life = (writable: WritableStream<Uint8Array>, link: LibraryPair) => Promise<void>;

const LIVES: readonly (readonly [string, Life])[] = [
  [
    'read to its end',
    async (writable, link) => {
      const writer = writable.getWriter();
      ignore(writer.write(new Uint8Array(10)));
      ignore(writer.close());
      for await (const _ of await taken(link));
    },
  ],
  [
    'cancelled by its reader',
    async (writable, link) => {
      ignore(writable.getWriter().write(new Uint8Array(10)));
      await (await taken(link)).cancel();
    },
  ],
  [
    'aborted by its writer before anybody took it',
    async (writable, link) => {
      const writer = writable.getWriter();
      ignore(writer.write(new Uint8Array(10)));
      await link.run(20);
      ignore(writer.abort());
    },
  ],
];

describe('a stream at the end of its connection', () => {
  const sent = Uint8Array.from({ length: 300 }, (_, i) => i);

  /** The reader of a stream of which so much has arrived, and that has not ended. */
  async function readerOf(link: LibraryPair): Promise<ReadableStreamDefaultReader> {
    const writer = link.client.streams.createUnidirectional({}).getWriter();
    ignore(writer.write(sent));
    ignore(writer.closed);
    await link.run(50);
    return (await taken(link)).getReader();
  }

  async function close(link: LibraryPair): Promise<void> {
    link.client.end.connection.close(true, 0, '', link.pair.sim.now);
    link.client.end.host.pump();
    await link.run(50);
  }

  it('gives what has arrived, and then fails', async () => {
    const link = libraryPair(6);
    const reader = await readerOf(link);
    await close(link);
    await expect(reader.read()).resolves.toEqual({ done: false, value: sent });
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_MILLRACE_CLOSED' });
  });

  it('fails at once when all that has arrived was read', async () => {
    const link = libraryPair(7);
    const reader = await readerOf(link);
    await reader.read();
    const over = expect(reader.closed).rejects.toMatchObject({ code: 'ERR_MILLRACE_CLOSED' });
    await close(link);
    await over;
  });
});

describe('a stream that was', () => {
  const BATCH = 50;

  /** Opens as many streams as fit at once, lives their lives, and lets the last packets arrive. */
  async function batch(link: LibraryPair, life: Life): Promise<void> {
    const lives = Array.from({ length: BATCH }, () =>
      life(link.client.streams.createUnidirectional({}), link),
    );
    await link.run(60);
    await Promise.all(lives);
    await link.run(60);
  }

  it.each(LIVES)('%s leaves nothing behind at either end', async (_, life) => {
    const link = libraryPair(4);
    for (let i = 0; i < 10; i++) await batch(link, life);
    const before = bytesInUse();
    for (let i = 0; i < 40; i++) await batch(link, life);
    // A reader or a writer that stays costs 2 to 3 kB; code that is compiled meanwhile, on a busy machine, half a MB in all.
    expect((bytesInUse() - before) / (40 * BATCH)).toBeLessThan(1_000);
    expect(link.pair.server.connection.streams.count).toBe(0);
  });

  it('reset before it was taken is not among incoming streams', async () => {
    const link = libraryPair(5);
    for (let i = 0; i < 3; i++) {
      const given = link.client.streams.createBidirectional({});
      const writer = given.writable.getWriter();
      ignore(writer.write(new Uint8Array(10)));
      await link.run(20);
      ignore(writer.abort());
      ignore(given.readable.cancel());
      await link.run(50);
    }
    const kept = link.client.streams.createBidirectional({});
    ignore(kept.writable.getWriter().write(Uint8Array.of(42)));
    await link.run(50);
    const { value } = await link.server.streams.incomingBidirectional[Symbol.asyncIterator]().next();
    expect(value.id).toBe(kept.id);
  });
});
