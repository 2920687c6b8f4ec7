/** Whatever goes wrong is one line with a code that says what to do, exit 1 or 2, and no half-written file. */
import { createSocket, type Socket } from 'node:dgram';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ca, server, untrusted } from '../helpers/certificates.ts';
import { root } from '../helpers/checkout.ts';
import {
  buildCli,
  type Ended,
  endPrograms,
  errorLines,
  millrace,
  type Program,
  portOf,
} from '../helpers/cli.ts';

const CLIP = `file:${join(root, 'demo/media/clip.mpegts')}`;
let folder: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  await buildCli();
  folder = mkdtempSync(join(tmpdir(), 'millrace-errors-'));
  for (const [name, { cert, key }] of Object.entries({ server, untrusted })) {
    writeFileSync(join(folder, `${name}.cert`), cert);
    writeFileSync(join(folder, `${name}.key`), key);
  }
  writeFileSync(join(folder, 'ca.cert'), ca);
  writeFileSync(join(folder, 'wrong.txt'), 'another passphrase\n');
});
afterEach(async () => {
  await endPrograms();
  for (const socket of sockets.splice(0)) socket.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string): string {
  return join(folder, name);
}

/** A receiver that listens, and a certificate instead of the passphrase if there are options for one. */
async function listening(
  out: string,
  options: readonly string[] = [],
): Promise<{ receiver: Program; uri: string }> {
  const env = options.includes('--cert') ? {} : undefined;
  const receiver = millrace(['receive', 'millrace://:0/live', out, ...options], env);
  return { receiver, uri: `millrace://127.0.0.1:${await portOf(receiver)}/live` };
}

/** A UDP socket that answers datagrams with `answer`, or not at all. */
async function udpServer(answer?: (datagram: Buffer) => Uint8Array): Promise<number> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (datagram, { port, address }) => {
    if (answer !== undefined) socket.send(answer(datagram), port, address);
  });
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  return socket.address().port;
}

function expectOneLine(ended: Ended, exitCode: number, code: RegExp, text: RegExp): void {
  const lines = errorLines(ended);
  expect(lines, ended.stderr).toHaveLength(1);
  expect(lines[0]).toMatch(code);
  expect(lines[0]).toMatch(text);
  expect(ended.code, ended.stderr).toBe(exitCode);
  expect(ended.stderr).not.toMatch(/^ {4}at |node:internal|\.ts:\d|\.js:\d/m);
  expect(ended.stdout).toHaveLength(0);
}

/** A sender with the right credentials still gets its media through. */
async function expectStillServing(
  receiver: Program,
  uri: string,
  options: readonly string[],
  env?: Record<string, string>,
): Promise<void> {
  const sender = millrace(['send', '--pace', 'off', CLIP, uri, ...options], env);
  const [sent, received] = await Promise.all([sender.end(), receiver.end()]);
  expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
}

describe('credentials', () => {
  it('a wrong passphrase is named at the caller, and the listener goes on', async () => {
    const { receiver, uri } = await listening(`file:${file('passphrase.out')}`);
    const wrong = millrace(['send', CLIP, uri, '--passphrase-file', file('wrong.txt')]);
    expectOneLine(await wrong.end(), 1, /ERR_MILLRACE_PASSPHRASE/, /passphrase/);
    await receiver.says(/^millrace: ERR_MILLRACE_PASSPHRASE: .*passphrase.* \(caller 127\.0\.0\.1:\d+\)$/m);
    expect(existsSync(file('passphrase.out'))).toBe(false);
    await expectStillServing(receiver, uri, []);
    expect(existsSync(file('passphrase.out'))).toBe(true);
  });

  it('a passphrase against a certificate is named, and the listener goes on', async () => {
    const { receiver, uri } = await listening(`file:${file('cert.out')}`, [
      '--cert',
      file('server.cert'),
      '--key',
      file('server.key'),
    ]);
    expectOneLine(
      await millrace(['send', CLIP, uri]).end(),
      1,
      /ERR_MILLRACE_(PASSPHRASE|CERTIFICATE)/,
      /certificate|credentials/,
    );
    await expectStillServing(receiver, uri, ['--ca', file('ca.cert')], {});
  });

  it('a caller without passphrase against a listener with one is named', async () => {
    const { uri } = await listening(`file:${file('none.out')}`);
    const ended = await millrace(['send', CLIP, uri, '--ca', file('ca.cert')], {}).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_PASSPHRASE/, /passphrase/);
    expect(existsSync(file('none.out'))).toBe(false);
  });

  it('a certificate that the caller does not trust is named', async () => {
    const { uri } = await listening(`file:${file('untrusted.out')}`, [
      '--cert',
      file('untrusted.cert'),
      '--key',
      file('untrusted.key'),
    ]);
    const ended = await millrace(['send', CLIP, uri, '--ca', file('ca.cert')], {}).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_CERTIFICATE/, /certificate/);
  });

  it('a listener with none is told the ways', async () => {
    const ended = await millrace(['receive', 'millrace://:0', '-'], {}).end();
    expectOneLine(ended, 2, /millrace: /, /--passphrase-file.*--cert|--cert.*--passphrase-file/);
  });
});

describe('the other end', () => {
  it('an unknown host is named', async () => {
    const ended = await millrace(['send', CLIP, 'millrace://no.such.host.invalid:9000']).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_UNKNOWN_HOST/, /no\.such\.host\.invalid/);
  });

  it('a closed port is refused at once', async () => {
    const port = await udpServer();
    for (const socket of sockets.splice(0)) await new Promise<void>((resolve) => socket.close(resolve));
    const ended = await millrace(['send', CLIP, `millrace://127.0.0.1:${port}`]).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_REFUSED/, new RegExp(`${port}`));
  });

  it('a silent host ends in a timeout', async () => {
    const port = await udpServer();
    const ended = await millrace(['send', CLIP, `millrace://127.0.0.1:${port}`, '--timeout', '600ms']).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_TIMEOUT/, /0\.6 s/);
  });

  it('another version of the protocol is named', async () => {
    const port = await udpServer((datagram) => {
      const dcid = datagram.subarray(6, 6 + (datagram[5] as number));
      const scidAt = 7 + dcid.length;
      const scid = datagram.subarray(scidAt, scidAt + (datagram[scidAt - 1] as number));
      return Buffer.concat([
        Buffer.of(0xc0, 0, 0, 0, 0, scid.length),
        scid,
        Buffer.of(dcid.length),
        dcid,
        Buffer.of(0x6d, 0x72, 0x7f, 0xff),
      ]);
    });
    const ended = await millrace(['send', CLIP, `millrace://127.0.0.1:${port}`]).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_VERSION/, /version/);
  });

  it('a second publisher is told that the resource is busy, and the first goes on', async () => {
    const out = file('busy.out');
    const { receiver, uri } = await listening(`file:${out}`);
    const first = millrace(['send', '--pace', 'off', '-', uri]);
    first.child.stdin.write(new Uint8Array(50_000));
    await receiver.says(/^READY /m);
    expectOneLine(await millrace(['send', CLIP, uri]).end(), 1, /ERR_MILLRACE_BUSY/, /publisher/);
    first.child.stdin.end(new Uint8Array(50_000));
    const [sent, received] = await Promise.all([first.end(), receiver.end()]);
    expect([sent.code, received.code], sent.stderr + received.stderr).toEqual([0, 0]);
    expect(statSync(out).size).toBe(100_000);
  });

  it('a resource that the listener does not have is named', async () => {
    const { uri } = await listening(`file:${file('resource.out')}`);
    const ended = await millrace(['send', CLIP, uri.replace('/live', '/other')]).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_REJECTED/, /resource/);
  });
});

describe('what was typed', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a URI without a port', ['send', CLIP, 'millrace://host'], /port/],
    ['a URI of another kind', ['send', CLIP, 'srt://host:9000'], /millrace:\/\//],
    ['a port out of range', ['send', CLIP, 'millrace://host:99999'], /port/],
    ['an unknown option', ['send', CLIP, 'millrace://host:9000', '--latencie', '5'], /--latencie/],
    ['a value that is no time', ['send', CLIP, 'millrace://host:9000', '--latency', 'soon'], /latency/],
    ['an unknown parameter', ['send', CLIP, 'millrace://host:9000?colour=red'], /colour/],
    ['an unknown command', ['sned'], /sned/],
    ['a missing MEDIA', ['receive', 'millrace://:9000'], /MEDIA/],
  ];
  for (const [what, args, text] of cases) {
    it(`${what} is exit 2 and one line`, async () => {
      expectOneLine(await millrace(args).end(), 2, /millrace: /, text);
    });
  }

  it('secrets in a URI are not repeated', async () => {
    const ended = await millrace(['send', CLIP, 'millrace://host?passphrase=very-secret-words'], {}).end();
    expect(ended.code).toBe(2);
    expect(ended.stderr).not.toContain('very-secret-words');
  });
});

describe('inputs and outputs', () => {
  it('an input that cannot be read is named', async () => {
    const { uri } = await listening(`file:${file('input.out')}`);
    const ended = await millrace(['send', `file:${file('nothing-here')}`, uri]).end();
    expectOneLine(ended, 1, /ERR_MILLRACE_IO/, /nothing-here/);
    expect(existsSync(file('input.out'))).toBe(false);
  });

  it('an input that is a folder is named', async () => {
    const { uri } = await listening(`file:${file('input.out')}`);
    expectOneLine(
      await millrace(['send', `file:${folder}`, uri]).end(),
      1,
      /ERR_MILLRACE_IO/,
      /millrace-errors-/,
    );
  });

  it('an output that cannot be written is named at the receiver, and the sender learns that it failed', async () => {
    const { receiver, uri } = await listening(`file:${file('no/such/folder/out')}`);
    const sender = millrace(['send', '--pace', 'off', CLIP, uri]);
    expectOneLine(await receiver.end(), 1, /ERR_MILLRACE_IO/, /no\/such\/folder/);
    expectOneLine(await sender.end(), 1, /ERR_MILLRACE_PEER_CLOSED/, /receiver/);
  });

  it('a full device is named, and stays a device', async () => {
    const { receiver, uri } = await listening('file:/dev/full');
    const sender = millrace(['send', '--pace', 'off', CLIP, uri]);
    expectOneLine(await receiver.end(), 1, /ERR_MILLRACE_IO/, /the disk is full/);
    expectOneLine(await sender.end(), 1, /ERR_MILLRACE_PEER_CLOSED/, /receiver/);
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
    expect(existsSync('/dev/full.part')).toBe(false);
  });

  it('an output that is a folder is named, and the folder stays', async () => {
    mkdirSync(file('folder.out'));
    const { receiver, uri } = await listening(`file:${file('folder.out')}`);
    const sender = millrace(['send', '--pace', 'off', CLIP, uri]);
    expectOneLine(await receiver.end(), 1, /ERR_MILLRACE_IO/, /folder\.out/);
    await sender.end();
    expect(readdirSync(file('folder.out'))).toEqual([]);
  });
});
