/** How other programs drive millrace: media frames over pipes, none merged, split, reordered or held back. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { buildCli, endPrograms, millrace, type Program, portOf } from '../helpers/cli.ts';

beforeAll(buildCli);
afterEach(endPrograms);

const SEED = 11;

async function pair(framing: string): Promise<{ sender: Program; receiver: Program }> {
  const receiver = millrace(['receive', 'millrace://:0', '-', '--framing', framing]);
  const uri = `millrace://127.0.0.1:${await portOf(receiver)}`;
  const sender = millrace(['send', '-', uri, '--framing', framing, '--latency', '2s']);
  await Promise.all([sender.says(/^READY /m), receiver.says(/^READY /m)]);
  return { sender, receiver };
}

function u32(frame: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(frame.length);
  return Buffer.concat([head, frame]);
}

function record(
  frame: Uint8Array,
  track: number,
  flags: number,
  timestampUs: number,
  sequence: number,
): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32BE(frame.length);
  head[4] = track;
  head[5] = flags;
  head.writeBigUInt64BE(BigInt(timestampUs), 8);
  head.writeBigUInt64BE(BigInt(sequence), 16);
  return Buffer.concat([head, frame]);
}

describe('--framing u32', () => {
  it(`carries media frames of 0, 1 and 200,000 bytes as they are (seed ${SEED})`, async () => {
    const random = new SeededRandom(SEED);
    const frames = [0, 1, 3, 1000, 1200, 200_000, 0, 5].map((size) => {
      const frame = new Uint8Array(size);
      random.fill(frame);
      return frame;
    });
    const { sender, receiver } = await pair('u32');
    const wanted = Buffer.concat(frames.map(u32));
    sender.child.stdin.end(wanted);
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
    expect(received.stdout.equals(wanted)).toBe(true);
  });

  it('gives each media frame out without waiting for the next one', async () => {
    const { sender, receiver } = await pair('u32');
    let wanted = Buffer.alloc(0);
    for (let i = 0; i < 5; i++) {
      const frame = u32(Buffer.from(`frame ${i}`));
      wanted = Buffer.concat([wanted, frame]);
      sender.child.stdin.write(frame);
      await receiver.writes(wanted.length);
      expect(receiver.stdout.equals(wanted)).toBe(true);
    }
    sender.child.stdin.end();
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect([sent.code, received.code]).toEqual([0, 0]);
  });

  it('an input that ends inside a media frame is exit 1 and says so', async () => {
    const { sender } = await pair('u32');
    sender.child.stdin.end(Buffer.of(0, 0, 0, 9, 1, 2));
    const sent = await sender.end();
    expect(sent.code, sent.stderr).toBe(1);
    expect(sent.stderr).toMatch(/^millrace: ERR_MILLRACE_IO: .+$/m);
  });
});

describe('--framing record', () => {
  it('carries several tracks over one pipe, with flags and timestamps', async () => {
    const { sender, receiver } = await pair('record');
    const input: Buffer[] = [];
    for (let i = 0; i < 6; i++) {
      input.push(record(Buffer.from(`video ${i}`), 0, i === 0 ? 1 : 2, 33_333 * i, i));
      input.push(record(Buffer.from(`audio ${i}`), 7, 0, 33_333 * i + 5, i));
    }
    sender.child.stdin.end(Buffer.concat(input));
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
    // Tracks never wait for one another, so only each track's own order is promised.
    const output = split(received.stdout);
    for (const track of [0, 7]) {
      expect(output.filter((unit) => unit[4] === track)).toEqual(input.filter((unit) => unit[4] === track));
    }
    expect(output).toHaveLength(input.length);
  });
});

function split(bytes: Buffer): Buffer[] {
  const units: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 24 + bytes.readUInt32BE(at);
    units.push(bytes.subarray(at, end));
    at = end;
  }
  return units;
}
