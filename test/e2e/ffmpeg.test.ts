/** Real programs at both ends: ffmpeg sends live over UDP, millrace carries it across 5 % loss, ffmpeg decodes it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/checkout.ts';
import { buildCli, endPrograms, millrace, Program, portOf, sleep } from '../helpers/cli.ts';
import { freePort } from '../helpers/free-port.ts';

const CLIP = join(root, 'demo/media/clip.mpegts');
const SECONDS = 6;
const FPS = 30;
/** What ffmpeg says, at its most talkative, when something was lost or damaged. */
const DAMAGE =
  /^.*(?:continuity check failed|corrupt|error while decoding|concealing|non-existing|invalid (?:data|nal)|missing reference|no frame!).*$/gim;

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
// Under CI it is installed, so that its absence is a failure there.
const canRun = hasFfmpeg || process.env.CI === 'true';
const NAME = `ffmpeg -> udp -> millrace send -> 5 % loss -> millrace receive -> udp -> ffmpeg${canRun ? '' : ' (not run: ffmpeg is not installed)'}`;

beforeAll(async () => {
  if (canRun) await buildCli();
});
afterEach(endPrograms);

describe.skipIf(!canRun)(NAME, () => {
  it('has no continuity error and no decode error, and every frame', async () => {
    const [udpIn, udpOut] = [await freePort(), await freePort()];
    const player = new Program('ffmpeg', [
      ...['-nostdin', '-hide_banner', '-loglevel', 'debug', '-progress', 'pipe:1', '-f', 'mpegts'],
      ...[
        '-i',
        `udp://127.0.0.1:${udpOut}?buffer_size=4194304&fifo_size=100000&timeout=15000000`,
        '-map',
        '0',
        '-f',
        'null',
        '-',
      ],
    ]);
    const receiver = millrace([
      ...['receive', 'millrace://:0/live', `udp://127.0.0.1:${udpOut}`],
      ...['--latency', '1s', '--inject', 'loss=5%,seed=3'],
    ]);
    const sender = millrace([
      ...['send', `udp://127.0.0.1:${udpIn}`, `millrace://127.0.0.1:${await portOf(receiver)}/live`],
      ...['--latency', '1s', '--start-bitrate', '4M', '--inject', 'loss=5%,seed=4', '--stats-json', 'stderr'],
    ]);
    await Promise.all([sender.says(/^READY /m), receiver.says(/^READY /m)]);
    const camera = new Program('ffmpeg', [
      ...[
        '-nostdin',
        '-loglevel',
        'error',
        '-re',
        '-i',
        CLIP,
        '-t',
        `${SECONDS}`,
        '-c',
        'copy',
        '-f',
        'mpegts',
      ],
      `udp://127.0.0.1:${udpIn}?pkt_size=1316`,
    ]);
    const filmed = await camera.end();
    expect(filmed.code, filmed.stderr).toBe(0);
    // The last datagrams may still wait in the sender's socket.
    await sleep(1000);
    sender.kill('SIGINT');
    const sent = await sender.end();
    expect(sent.code, sent.stderr).toBe(0);
    // The receiver plays what it holds before it is done with this sender; then the player has everything.
    await receiver.says(/^received from /m);
    receiver.kill('SIGTERM');
    const received = await receiver.end();
    expect(received.code, received.stderr).toBe(0);
    // It ends by itself after 15 s of silence; an interrupted ffmpeg does not tell what it decoded last.
    const played = await player.end();
    expect(played.stderr.match(DAMAGE) ?? []).toEqual([]);
    const frames = [...played.stdout.toString().matchAll(/^frame=(\d+)/gm)].map((match) => Number(match[1]));
    expect(frames.at(-1)).toBeGreaterThanOrEqual(SECONDS * FPS - 2);
    const final = sent.stderr.match(/^\{.*"final":true.*\}$/m)?.[0] ?? '{}';
    // The loss was there: without repair the test would show nothing.
    const { framesFec, framesResent, framesLost } = JSON.parse(final);
    expect(framesFec + framesResent).toBeGreaterThan(0);
    expect(framesLost).toBe(0);
  });
});
