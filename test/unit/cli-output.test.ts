import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openOutput } from '../../src/cli/media-output.ts';
import { parseMediaUri } from '../../src/cli/uri.ts';
import { outgoing } from '../helpers/outgoing-unit.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('output', () => {
  const note: string[] = [];
  const options = {
    framing: undefined,
    stdout: new PassThrough(),
    note: (line: string) => void note.push(line),
    signal: new AbortController().signal,
  };

  test('a file gets its name only when everything arrived', async () => {
    const path = join(folder, 'out.ts');
    const whole = await openOutput(parseMediaUri(`file:${path}`), options);
    await whole.write(outgoing('abc'));
    await whole.write(outgoing('def'));
    expect(existsSync(path)).toBe(false);
    await whole.finish(true);
    expect(readFileSync(path, 'utf8')).toBe('abcdef');
    expect(existsSync(`${path}.part`)).toBe(false);

    const partial = await openOutput(parseMediaUri(`file:${path}`), options);
    await partial.write(outgoing('xyz'));
    await partial.finish(false);
    expect(readFileSync(path, 'utf8')).toBe('abcdef');
    expect(readFileSync(`${path}.part`, 'utf8')).toBe('xyz');
    expect(note.at(-1)).toContain('out.ts.part');
  });

  test('a file that cannot be made says why', async () => {
    await expect(openOutput(parseMediaUri(`file:${folder}/no/such/out.ts`), options)).rejects.toThrow(
      /no such file/,
    );
  });

  test('stdout is written with back-pressure, u32 with lengths', async () => {
    const pieces: Buffer[] = [];
    const stdout = new Writable({
      highWaterMark: 10,
      write: (chunk, _encoding, done) => {
        pieces.push(chunk);
        setTimeout(done, 1);
      },
    });
    const output = await openOutput(parseMediaUri('-'), { ...options, framing: 'u32', stdout });
    for (let i = 0; i < 5; i++) await output.write(outgoing(Buffer.alloc(20, i)));
    await output.finish(true);
    expect(Buffer.concat(pieces).length).toBe(5 * 24);
    expect(stdout.writableLength).toBe(0);
  });

  test('every track that waits for a slow output goes on, and nothing of it stays on stdout', async () => {
    const pieces: Buffer[] = [];
    const stdout = new Writable({
      highWaterMark: 10,
      write: (chunk: Buffer, _encoding, done) => {
        pieces.push(chunk);
        setImmediate(done);
      },
    });
    const output = await openOutput(parseMediaUri('-'), { ...options, framing: 'record', stdout });
    const track = async (fill: number): Promise<void> => {
      for (let i = 0; i < 5; i++) await output.write(outgoing(Buffer.alloc(20, fill)));
    };
    await Promise.all([track(1), track(2), track(3)]);
    await output.finish(true);
    expect(Buffer.concat(pieces).length).toBe(15 * (24 + 20));
    expect([stdout.listenerCount('error'), stdout.listenerCount('drain')]).toEqual([0, 0]);
  });

  test('a named pipe is written once somebody reads it, or not at all when the signal fires', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const control = new AbortController();
    const waiting = openOutput(parseMediaUri(`file:${path}`), { ...options, signal: control.signal });
    control.abort();
    await expect(waiting).rejects.toThrow(/aborted/);
    const opened = openOutput(parseMediaUri(`file:${path}`), options);
    const read = text(createReadStream(path));
    const output = await opened;
    await output.write(outgoing('abc'));
    await output.finish(true);
    expect(await read).toBe('abc');
    expect(existsSync(path)).toBe(true);
  });

  test('a reader of stdout that goes away is told apart from a failure', async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error(), { code: 'EPIPE' })),
    });
    const output = await openOutput(parseMediaUri('-'), { ...options, stdout });
    await Promise.resolve(output.write(outgoing('x'))).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(Promise.resolve(output.write(outgoing('y')))).rejects.toMatchObject({ code: 'EPIPE' });
    await output.finish(false);
  });

  test('a media frame that fits no datagram is left out and said once', async () => {
    note.length = 0;
    const output = await openOutput(parseMediaUri('udp://127.0.0.1:9'), options);
    await output.write(outgoing(Buffer.alloc(65_508)));
    await output.write(outgoing(Buffer.alloc(65_508)));
    await output.finish(true);
    expect(note).toHaveLength(1);
  });

  test('test: finds what is not its own', async () => {
    const output = await openOutput(parseMediaUri('test:'), options);
    await output.write(outgoing('something else entirely'));
    await expect(output.finish(true)).rejects.toThrow(/1 media frame/);
  });
});
