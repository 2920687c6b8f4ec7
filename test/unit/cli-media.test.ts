import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MediaUnit } from '../../src/cli/framing.ts';
import type { InputContext } from '../../src/cli/input-context.ts';
import { checkInput, runInput } from '../../src/cli/media-input.ts';
import { type MediaOutput, openOutput } from '../../src/cli/media-output.ts';
import { type Clock, systemClock } from '../../src/cli/pace.ts';
import { checkTestFrame } from '../../src/cli/test-media.ts';
import { RtpClock } from '../../src/cli/udp-media.ts';
import { parseMediaUri } from '../../src/cli/uri.ts';
import { freePort } from '../helpers/free-port.ts';
import { outgoing } from '../helpers/outgoing-unit.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const clip = new URL('../../demo/media/clip.mpegts', import.meta.url);

/** A clock that jumps to whatever is waited for. */
class JumpingClock implements Clock {
  atUs = 0;
  nowUs(): number {
    return this.atUs;
  }
  async waitUntil(atUs: number): Promise<void> {
    this.atUs = Math.max(this.atUs, atUs);
  }
}

function context(change: Partial<InputContext> = {}): InputContext {
  return {
    framing: undefined,
    bitrate: undefined,
    pace: undefined,
    frameBytes: () => 1128,
    targetBps: () => 0,
    stdin: Readable.from([]),
    clock: new JumpingClock(),
    note: () => {},
    signal: new AbortController().signal,
    ...change,
  };
}

async function read(uri: string, change: Partial<InputContext> = {}): Promise<MediaUnit[]> {
  const units: MediaUnit[] = [];
  await runInput(parseMediaUri(uri), context(change), (unit) => void units.push(unit));
  return units;
}

const GREETING = Buffer.from('is anybody there?');

/** What a UDP input hears. Greetings are kept apart: they only show that its socket is bound. */
class Ear {
  readonly units: MediaUnit[] = [];
  #isBound = false;
  readonly hear = (unit: MediaUnit): void => {
    if (GREETING.equals(unit.data)) this.#isBound = true;
    else this.units.push(unit);
  };

  /** Greets until it is heard. */
  async bound(output: MediaOutput): Promise<void> {
    while (!this.#isBound) {
      await output.write(outgoing(GREETING));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function openUdp(uri: string): Promise<MediaOutput> {
  return openOutput(parseMediaUri(uri), {
    framing: undefined,
    stdout: new PassThrough(),
    note: () => {},
    signal: new AbortController().signal,
  });
}

describe('input', () => {
  test('stdin that begins like MPEG-TS is ts, and arrives whole', async () => {
    const bytes = readFileSync(clip).subarray(0, 188 * 600);
    const stdin = Readable.from([bytes.subarray(0, 100), bytes.subarray(100, 5000), bytes.subarray(5000)]);
    const units = await read('-', { stdin });
    expect(Buffer.concat(units.map(({ data }) => data)).equals(bytes)).toBe(true);
    expect(units.some(({ keyFrame }) => keyFrame)).toBe(true);
  });

  test('stdin that is anything else is raw, and does not wait for more', async () => {
    const stdin = new PassThrough();
    const units: MediaUnit[] = [];
    const control = new AbortController();
    const input = runInput(
      parseMediaUri('-'),
      context({ stdin, clock: systemClock, signal: control.signal }),
      (unit) => void units.push(unit),
    );
    stdin.write('hello');
    await expect.poll(() => units.length).toBe(1);
    expect(Buffer.from((units[0] as MediaUnit).data).toString()).toBe('hello');
    stdin.write('again');
    await expect.poll(() => units.length).toBe(2);
    control.abort();
    await input;
  });

  test('u32 that ends inside a frame is an error with a code', async () => {
    const stdin = Readable.from([Buffer.from([0, 0, 0, 9, 1, 2])]);
    await expect(read('-', { stdin, framing: 'u32' })).rejects.toMatchObject({ code: 'ERR_MILLRACE_IO' });
  });

  test('a file of MPEG-TS takes its own time, at --bitrate that of the rate', async () => {
    const clock = new JumpingClock();
    const units = await read(`file:${clip.pathname}`, { clock });
    expect(Buffer.concat(units.map(({ data }) => data)).equals(readFileSync(clip))).toBe(true);
    expect(clock.atUs / 1e6).toBeCloseTo(10, 0);
    const fast = new JumpingClock();
    await read(`file:${clip.pathname}`, { clock: fast, bitrate: 14_000_000 });
    expect(fast.atUs / 1e6).toBeCloseTo(1, 0);
  });

  test('--pace off waits for whoever takes the media frames, not for the clock', async () => {
    const clock = new JumpingClock();
    let busy = 0;
    await runInput(parseMediaUri(`file:${clip.pathname}`), context({ clock, pace: 'off' }), async () => {
      expect(++busy).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      busy--;
    });
    expect(clock.atUs).toBe(0);
  });

  test('what cannot work is refused before anything is opened', async () => {
    const path = join(folder, 'a.bin');
    writeFileSync(path, 'x');
    const none = {};
    await expect(checkInput(parseMediaUri(`file:${path}`), { ...none, framing: 'u32' })).rejects.toThrow(
      /--bitrate/,
    );
    await expect(checkInput(parseMediaUri(`file:${path}x`), none)).rejects.toThrow(/no such file/);
    await expect(checkInput(parseMediaUri(`file:${folder}`), none)).rejects.toThrow(/directory/);
    await expect(checkInput(parseMediaUri('udp://:5004'), { ...none, pace: 'off' })).rejects.toThrow(
      /own time/,
    );
    await expect(checkInput(parseMediaUri('test:?speed=9'), none)).rejects.toThrow(/no parameter/);
    await expect(read(`file:${path}`)).rejects.toThrow(/no clock/);
  });

  test('test: makes frames at its rate that check out, with key frames, adapting when it may', async () => {
    const units = await read('test:?duration=4s&fps=30&gop=60', { bitrate: 2_000_000 });
    expect(units.length).toBe(120);
    const bits = units.reduce((sum, { data }) => sum + data.length * 8, 0);
    expect(bits / 4).toBeGreaterThan(1_990_000);
    expect(bits / 4).toBeLessThan(2_010_000);
    expect(units.map(({ keyFrame }) => keyFrame).filter(Boolean)).toHaveLength(2);
    for (const unit of units) expect(checkTestFrame(unit)).toBe(true);
    const damaged = Uint8Array.from((units[3] as MediaUnit).data);
    damaged[500] = (damaged[500] as number) ^ 1;
    expect(checkTestFrame({ data: damaged })).toBe(false);
    const slow = await read('test:?duration=1s', { targetBps: () => 400_000 });
    expect(slow.reduce((sum, { data }) => sum + data.length * 8, 0)).toBeLessThan(500_000);
  });

  test('udp keeps boundaries and order; a datagram of any kind is a media frame', async () => {
    const port = await freePort();
    const control = new AbortController();
    const ear = new Ear();
    const uri = `udp://127.0.0.1:${port}`;
    const input = runInput(parseMediaUri(uri), context({ signal: control.signal }), ear.hear);
    const output = await openUdp(uri);
    await ear.bound(output);
    const { units } = ear;
    for (let i = 0; i < 20; i++) await output.write(outgoing(Buffer.alloc(i * 70, i)));
    await expect.poll(() => units.length).toBe(20);
    expect(units.map(({ data }) => data.length)).toEqual(Array.from({ length: 20 }, (_, i) => i * 70));
    await output.finish(true);
    control.abort();
    await input;
  });

  test('a datagram that does not parse is left out, and said once; those after it are not', async () => {
    const port = await freePort();
    const control = new AbortController();
    const ear = new Ear();
    const uri = `udp://127.0.0.1:${port}`;
    const notes: string[] = [];
    const note = (line: string): void => void notes.push(line);
    const of = context({ framing: 'u32', signal: control.signal, note });
    const input = runInput(parseMediaUri(uri), of, ear.hear);
    const output = await openUdp(uri);
    const bad = Buffer.alloc(4, 255);
    const good = Buffer.from([0, 0, 0, 2, 7, 7]);
    await expect
      .poll(async () => {
        for (const data of [bad, bad, good]) await output.write(outgoing(data));
        return ear.units.length;
      })
      .toBeGreaterThan(1);
    for (const { data } of ear.units) expect([...data]).toEqual([7, 7]);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('left out');
    await output.finish(true);
    control.abort();
    await input;
  });

  test('RTP passes unchanged, marker bit and all; packets of one picture have one time', async () => {
    const port = await freePort();
    const control = new AbortController();
    const ear = new Ear();
    const uri = parseMediaUri(`rtp://127.0.0.1:${port}?clock=90000`);
    const input = runInput(uri, context({ signal: control.signal }), ear.hear);
    const output = await openUdp(`rtp://127.0.0.1:${port}`);
    await ear.bound(output);
    const { units } = ear;
    // Four pictures of three packets, the last of each with the marker bit (RFC 3550 §5.1).
    const packets = Array.from({ length: 12 }, (_, i) => {
      const packet = Buffer.alloc(100 + i, i);
      packet[0] = 0x80;
      packet[1] = 96 | (i % 3 === 2 ? 0x80 : 0);
      packet.writeUInt16BE(65_530 + i > 65_535 ? i - 6 : 65_530 + i, 2);
      packet.writeUInt32BE(Math.floor(i / 3) * 3000, 4);
      packet.writeUInt32BE(77, 8);
      return packet;
    });
    for (const packet of packets) await output.write(outgoing(packet));
    await expect.poll(() => units.length).toBe(12);
    expect(units.map(({ data }) => Buffer.from(data))).toEqual(packets);
    expect(units.map(({ timestampUs }) => timestampUs)).toEqual(
      packets.map((_, i) => Math.round(Math.floor(i / 3) * (1e6 / 30))),
    );
    await output.finish(true);
    control.abort();
    await input;
  });

  test('multicast reaches every member of the group on the interface that is named, and nobody else', async () => {
    const port = await freePort();
    const control = new AbortController();
    const groups = ['239.255.77.1', '239.255.77.1', '239.255.77.2'];
    const ears = groups.map(() => new Ear());
    const inputs = groups.map((group, i) => {
      const uri = parseMediaUri(`udp://${group}:${port}?iface=127.0.0.1`);
      return runInput(uri, context({ signal: control.signal }), (ears[i] as Ear).hear);
    });
    const outputs = await Promise.all(
      groups.map((group) => openUdp(`udp://${group}:${port}?iface=127.0.0.1&ttl=1`)),
    );
    const [output, , other] = outputs as [MediaOutput, MediaOutput, MediaOutput];
    for (const [i, ear] of ears.entries()) await ear.bound(outputs[i] as MediaOutput);
    for (let i = 0; i < 10; i++) await output.write(outgoing(Buffer.alloc(50 + i, i)));
    await other.write(outgoing('for the other group'));
    for (const { units } of ears.slice(0, 2)) await expect.poll(() => units.length).toBe(10);
    expect(ears[0]?.units.map(({ data }) => data.length)).toEqual(
      Array.from({ length: 10 }, (_, i) => 50 + i),
    );
    await expect
      .poll(() => ears[2]?.units.map(({ data }) => Buffer.from(data).toString()))
      .toEqual(['for the other group']);
    for (const each of outputs) await each.finish(true);
    control.abort();
    await Promise.all(inputs);
  });

  test('a picture of MPEG-TS goes out in datagrams of seven packets', async () => {
    const port = await freePort();
    const control = new AbortController();
    const ear = new Ear();
    const uri = `udp://127.0.0.1:${port}`;
    const input = runInput(parseMediaUri(uri), context({ signal: control.signal }), ear.hear);
    const output = await openUdp(uri);
    await ear.bound(output);
    const { units } = ear;
    const picture = readFileSync(clip).subarray(0, 188 * 400);
    await output.write(outgoing(picture));
    await expect.poll(() => units.length).toBe(58);
    expect(units.map(({ data }) => data.length)).toEqual([...new Array<number>(57).fill(1316), 188]);
    expect(Buffer.concat(units.map(({ data }) => data)).equals(picture)).toBe(true);
    await output.finish(true);
    control.abort();
    await input;
  });

  test('a udp port that is taken is an error that says so', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    await expect(read(`udp://127.0.0.1:${socket.address().port}`)).rejects.toThrow(/in use/);
    socket.close();
  });

  test('RTP timestamps become media time, over their wrap and a new source', () => {
    const packet = (timestamp: number, source: number): Uint8Array => {
      const bytes = Buffer.alloc(20);
      bytes[0] = 0x80;
      bytes.writeUInt32BE(timestamp, 4);
      bytes.writeUInt32BE(source, 8);
      return bytes;
    };
    const clock = new RtpClock(90_000);
    expect(clock.timestampUs(packet(0xffff_ffff - 899, 1))).toBe(0);
    expect(clock.timestampUs(packet(900, 1))).toBe(20_000);
    expect(clock.timestampUs(packet(0, 1))).toBe(10_000);
    expect(clock.timestampUs(packet(123, 2))).toBe(10_000);
    expect(clock.timestampUs(packet(123 + 90_000, 2))).toBe(1_010_000);
    expect(clock.timestampUs(new Uint8Array(11))).toBeUndefined();
  });
});
