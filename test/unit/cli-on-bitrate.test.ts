import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BitrateNews, BitrateWatch, openBitrateListener } from '../../src/cli/on-bitrate.ts';
import { parseBitrateTarget } from '../../src/cli/option-values.ts';

let folder = '';
const notes: string[] = [];
const note = (line: string): void => void notes.push(line);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-bitrate-'));
  notes.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

function news(bitsPerSecond: number, track = 'video'): BitrateNews {
  return { track, bitsPerSecond, maxFrameBytes: bitsPerSecond / 100 };
}

function linesOf(path: string): unknown[] {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('--on-bitrate', () => {
  it('is a command, a file descriptor or an address', () => {
    expect(parseBitrateTarget('fd:5')).toEqual({ kind: 'fd', fd: 5 });
    expect(parseBitrateTarget('http://127.0.0.1:8080/rate')).toMatchObject({ kind: 'http' });
    expect(parseBitrateTarget('python3 encoder.py 5004')).toEqual({
      kind: 'command',
      command: 'python3 encoder.py 5004',
    });
    for (const text of ['fd:x', ' ', 'http://'])
      expect(() => parseBitrateTarget(text)).toThrow('--on-bitrate');
  });

  it('starts a command once and writes each change to its stdin, which ends with the media', async () => {
    const out = join(folder, 'lines');
    const listener = openBitrateListener(
      { kind: 'command', command: `cat >> ${out}; echo end >> ${out}2` },
      note,
    );
    listener.tell(news(1_000_000));
    listener.tell(news(800_000));
    listener.tell(news(64_000, 'audio'));
    await listener.close();
    expect(linesOf(out)).toEqual([news(1_000_000), news(800_000), news(64_000, 'audio')]);
    expect(readFileSync(`${out}2`, 'utf8')).toBe('end\n');
    expect(notes).toEqual([]);
  });

  it('says once that a command has ended before the media, and goes on', async () => {
    const listener = openBitrateListener({ kind: 'command', command: 'exit 7' }, note);
    await expect.poll(() => notes).toEqual([expect.stringContaining('ended with code 7')]);
    listener.tell(news(1_000_000));
    await listener.close();
    expect(notes.length).toBe(1);
  });

  it('ends a command, and what it has started, that does not end by itself', async () => {
    const pid = join(folder, 'pid');
    const command = `sleep 1000 & echo $! > ${pid}; wait`;
    const listener = openBitrateListener({ kind: 'command', command }, note);
    await expect.poll(() => readFileSync(pid, { encoding: 'utf8', flag: 'a+' })).toMatch(/\d+\n/);
    await listener.close();
    const sleeper = Number(readFileSync(pid, 'utf8'));
    // Gone, or a zombie that nobody has reaped yet.
    const state = (): string => {
      try {
        return readFileSync(`/proc/${sleeper}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .slice(0, 1);
      } catch {
        return 'gone';
      }
    };
    await expect.poll(state).toMatch(/^(?:gone|Z)$/);
  });

  it('writes to a file descriptor', async () => {
    const path = join(folder, 'lines');
    const fd = openSync(path, 'w');
    const listener = openBitrateListener({ kind: 'fd', fd }, note);
    listener.tell(news(2_000_000));
    await listener.close();
    await expect.poll(() => readFileSync(path, 'utf8')).toBe(`${JSON.stringify(news(2_000_000))}\n`);
    closeSync(fd);
    expect(() => openBitrateListener({ kind: 'fd', fd: 1023 }, note)).toThrow('--on-bitrate fd:1023');
  });

  it('posts one change at a time, and of those that wait the newest of each track', async () => {
    const bodies: BitrateNews[] = [];
    let answer = (): void => {};
    const server = createServer((request, response) => {
      let text = '';
      request.on('data', (part) => {
        text += part;
      });
      request.on('end', () => {
        bodies.push(JSON.parse(text));
        answer = () => response.end();
        if (bodies.length > 1) response.end();
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    const listener = openBitrateListener({ kind: 'http', url: `http://127.0.0.1:${port}/` }, note);
    listener.tell(news(3_000_000));
    await expect.poll(() => bodies.length).toBe(1);
    for (const bps of [2_000_000, 1_000_000, 900_000]) listener.tell(news(bps));
    listener.tell(news(50_000, 'audio'));
    answer();
    await listener.close();
    expect(bodies).toEqual([news(3_000_000), news(900_000), news(50_000, 'audio')]);
    expect(notes).toEqual([]);
    server.close();
  });

  it('posts with the credentials of the address, and prints neither them nor its query', async () => {
    const heard: unknown[] = [];
    const server = createServer((request, response) => {
      heard.push([request.headers.authorization, request.url]);
      response.statusCode = 401;
      response.end();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    const url = `http://encoder:p%40ss:word@127.0.0.1:${port}/rate?token=t0ken`;
    const listener = openBitrateListener({ kind: 'http', url }, note);
    listener.tell(news(1_000_000));
    await listener.close();
    server.close();
    const authorization = `Basic ${Buffer.from('encoder:p@ss:word').toString('base64')}`;
    expect(heard).toEqual([[authorization, '/rate?token=t0ken']]);
    expect(notes).toEqual([`--on-bitrate http://127.0.0.1:${port}/rate: status 401`]);
  });

  it('says once that nobody answers', async () => {
    const listener = openBitrateListener({ kind: 'http', url: 'http://127.0.0.1:9/' }, note);
    listener.tell(news(1_000_000));
    listener.tell(news(500_000, 'audio'));
    await listener.close();
    expect(notes).toEqual([expect.stringContaining('http://127.0.0.1:9/')]);
  });
});

describe('what is told', () => {
  it('is a rise of 3 %, or any fall, of what the slowest receiver gets', () => {
    const told: BitrateNews[] = [];
    let bps = 1_000_000;
    const listener = { tell: (line: BitrateNews) => void told.push(line), close: async () => {} };
    const watch = new BitrateWatch<number>(
      listener,
      (key) => `track ${key}`,
      () => (bps === 0 ? undefined : { bitsPerSecond: bps, maxFrameBytes: 1 }),
    );
    for (bps of [1_000_000, 1_020_000, 1_030_000, 1_029_000, 0, 1_029_000, 2_000_000]) watch.look(7);
    expect(told.map(({ bitsPerSecond }) => bitsPerSecond)).toEqual([
      1_000_000, 1_030_000, 1_029_000, 2_000_000,
    ]);
    expect(told[0]?.track).toBe('track 7');
  });
});
