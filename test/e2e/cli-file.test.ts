/** A file through the command line, over real sockets that lose, reorder and repeat datagrams. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { root } from '../helpers/checkout.ts';
import { buildCli, endPrograms, millrace, portOf } from '../helpers/cli.ts';

const CLIP = join(root, 'demo/media/clip.mpegts');
const FAULTS = 'loss=5%,reorder=2%,duplicate=1%';
let folder: string;

beforeAll(async () => {
  await buildCli();
  folder = mkdtempSync(join(tmpdir(), 'millrace-file-'));
});
afterEach(endPrograms);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file sent with --pace off', () => {
  it('arrives byte for byte through loss, reordering and duplication in both directions', async () => {
    const out = join(folder, 'clip.out');
    const receiver = millrace(['receive', 'millrace://:0', `file:${out}`, '--inject', `${FAULTS},seed=1`]);
    const port = await portOf(receiver);
    const uri = `millrace://127.0.0.1:${port}`;
    const sender = millrace(['send', '--pace', 'off', `file:${CLIP}`, uri, '--inject', `${FAULTS},seed=2`]);
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
    expect(readFileSync(out).equals(readFileSync(CLIP))).toBe(true);
    expect(existsSync(`${out}.part`)).toBe(false);
  });

  it('arrives at a receiver that calls a listening sender', async () => {
    const out = join(folder, 'called.out');
    const sender = millrace(['send', '--pace', 'off', `file:${CLIP}`, 'millrace://:0', '--inject', FAULTS]);
    const port = await portOf(sender);
    const receiver = millrace(['receive', `millrace://127.0.0.1:${port}`, `file:${out}`, '--inject', FAULTS]);
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
    expect(readFileSync(out).equals(readFileSync(CLIP))).toBe(true);
  });

  it('of any bytes and odd length arrives on stdout, from stdin', async () => {
    const bytes = new Uint8Array(1_000_003);
    new SeededRandom(7).fill(bytes);
    const receiver = millrace(['receive', 'millrace://:0', '-']);
    const port = await portOf(receiver);
    const sender = millrace(['send', '--pace', 'off', '-', `millrace://127.0.0.1:${port}`]);
    sender.child.stdin.end(bytes);
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
    expect(received.stdout.equals(bytes)).toBe(true);
  });

  it('stays NAME.part when the sender is interrupted, and whatever had the name stays', async () => {
    const out = join(folder, 'old.out');
    writeFileSync(out, 'old');
    const receiver = millrace(['receive', 'millrace://:0', `file:${out}`]);
    const port = await portOf(receiver);
    const sender = millrace(['send', '--pace', 'off', '-', `millrace://127.0.0.1:${port}`]);
    sender.child.stdin.write(new Uint8Array(100_000));
    await sender.says(/^READY /m);
    await receiver.says(/^READY /m);
    sender.kill('SIGINT');
    const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
    expect(sent.code, sent.stderr).toBe(0);
    expect(received.signal, received.stderr).toBe(null);
    expect(readFileSync(out, 'utf8')).toBe('old');
    expect(existsSync(`${out}.part`)).toBe(true);
  });
});
