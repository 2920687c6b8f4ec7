/** Encoders that follow the path: real programs, real sockets, a bottleneck whose rate changes in between. */
import { execFile, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runLadderInput } from '../../src/cli/ladder-input.ts';
import { parseLadder } from '../../src/cli/ladder-spec.ts';
import { ContinuityCounters } from '../../src/cli/ts-units.ts';
import { Ladder } from '../../src/rate/ladder.ts';
import { RenditionSwitch } from '../../src/rate/rendition-switch.ts';
import { root } from '../helpers/checkout.ts';
import { buildCli, endPrograms, millrace, type Program, portOf } from '../helpers/cli.ts';
import { freePort } from '../helpers/free-port.ts';
import { RateRelay } from '../helpers/rate-relay.ts';

const isCi = process.env.CI === 'true';
// Under CI it is installed, so that its absence is a failure there.
const hasFfmpeg = isCi || spawnSync('ffmpeg', ['-version']).status === 0;
const PYTHON = '/usr/bin/python3';
const hasGstreamer =
  spawnSync(PYTHON, ['-c', "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst"])
    .status === 0 && spawnSync('gst-inspect-1.0', ['--exists', 'x264enc']).status === 0;
const RECIPE = join(root, 'docs/recipes/gst-x264.py');

/** What ffmpeg says, at its most talkative, when something was lost or damaged. */
const DAMAGE =
  /^.*(?:continuity check failed|corrupt|error while decoding|concealing|non-existing|non monoton|invalid (?:data|nal)).*$/gim;

/** The height of every picture so far, in order. The relay goes on meanwhile: it lives in this process. */
async function heightsOf(path: string): Promise<number[]> {
  const args = [
    '-v',
    'quiet',
    '-select_streams',
    'v',
    '-show_entries',
    'frame=height',
    '-of',
    'csv=p=0',
    path,
  ];
  // Of a file that is empty yet it says that it is no video.
  const run = promisify(execFile)('ffprobe', args, { maxBuffer: 1e8 });
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return [...stdout.matchAll(/^(\d+)/gm)].map(([, height]) => Number(height));
}

let folder = '';
let relay: RateRelay | undefined;
beforeAll(buildCli);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-bitrate-'));
});
afterEach(async () => {
  await endPrograms();
  relay?.close();
  relay = undefined;
  rmSync(folder, { recursive: true });
});

/** A receiver, a bottleneck before it, and a sender. */
async function send(
  output: string,
  rateBps: number,
  args: readonly string[],
): Promise<{ receiver: Program; sender: Program; relay: RateRelay }> {
  const receiver = millrace(['receive', 'millrace://127.0.0.1:0/live?mode=listen', output]);
  relay = await RateRelay.open(await portOf(receiver), rateBps);
  const sender = millrace(['send', ...args, `millrace://127.0.0.1:${relay.port}/live`, '--latency', '1s']);
  await sender.says(/^READY /m);
  return { receiver, sender, relay };
}

/** What was lost on the way down leaves a file incomplete. */
function writtenTo(path: string): string {
  return existsSync(path) ? path : `${path}.part`;
}

function linesOf(path: string): { track: string; bitsPerSecond: number; maxFrameBytes: number }[] {
  const lines = readFileSync(path, { encoding: 'utf8', flag: 'a+' }).split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

describe('--on-bitrate', () => {
  it('tells a command, started once, what fits, and again when the path gets worse', async () => {
    const [news, starts] = [join(folder, 'news'), join(folder, 'starts')];
    const {
      receiver,
      sender,
      relay: path,
    } = await send('test:', 4_000_000, [
      ...['test:#camera', '--start-bitrate', '2M', '--stats-json', 'stderr'],
      ...['--on-bitrate', `echo start >> ${starts}; cat > ${news}`],
    ]);
    await expect.poll(() => linesOf(news).some((line) => line.bitsPerSecond > 1_500_000)).toBe(true);
    path.rateBps = 500_000;
    await expect.poll(() => linesOf(news).at(-1)?.bitsPerSecond).toBeLessThan(600_000);
    sender.kill('SIGINT');
    const sent = await sender.end();
    expect(sent.code, sent.stderr).toBe(0);
    expect((await receiver.end()).code).toBe(0);
    expect(readFileSync(starts, 'utf8')).toBe('start\n');
    for (const line of linesOf(news)) {
      expect(Object.keys(line)).toEqual(['track', 'bitsPerSecond', 'maxFrameBytes']);
      expect(line.track).toBe('camera');
      expect(Number.isInteger(line.bitsPerSecond) && Number.isInteger(line.maxFrameBytes)).toBe(true);
    }
  });
});

describe.skipIf(!hasGstreamer)(
  `x264enc${hasGstreamer ? '' : ' (not run: GStreamer with x264enc is not installed)'}`,
  () => {
    it('changes its rate with the path', async () => {
      const udpPort = await freePort();
      const output = join(folder, 'out.mpegts');
      const {
        receiver,
        sender,
        relay: path,
      } = await send(`file:${output}`, 4_000_000, [
        ...[`udp://127.0.0.1:${udpPort}`, '--start-bitrate', '2M'],
        ...['--on-bitrate', `${PYTHON} ${RECIPE} ${udpPort}`],
      ]);
      const rates = (): number[] =>
        [...sender.stderr.matchAll(/^x264enc: (\d+) kbit\/s$/gm)].map(([, kbps]) => Number(kbps));
      await expect.poll(() => rates().some((kbps) => kbps > 1200)).toBe(true);
      // The encoder's pictures are on the way at that rate before the path gets worse.
      await expect.poll(() => path.passedBytes).toBeGreaterThan(200_000);
      path.rateBps = 600_000;
      await expect.poll(() => rates().at(-1)).toBeLessThan(600);
      // A second of pictures at the lower rate: the encoder is still at work, and they arrive.
      const before = (await heightsOf(writtenTo(output))).length;
      await expect
        .poll(async () => (await heightsOf(writtenTo(output))).length, { interval: 500 })
        .toBeGreaterThan(before + 30);
      sender.kill('SIGINT');
      const sent = await sender.end();
      expect(sent.code, sent.stderr).toBe(0);
      await receiver.end();
    });
  },
);

describe.skipIf(!hasFfmpeg)(`--ladder${hasFfmpeg ? '' : ' (not run: ffmpeg is not installed)'}`, () => {
  it('goes down to what fits when the path gets worse', async () => {
    const output = join(folder, 'out.mpegts');
    const {
      receiver,
      sender,
      relay: path,
    } = await send(`file:${output}`, 4_000_000, [
      ...['--ladder', '360p:1.5M,180p:250k', 'test:#video', '--start-bitrate', '3M'],
    ]);
    await sender.says(/^RENDITION 360p /m);
    const lastHeight = async (): Promise<number | undefined> => (await heightsOf(writtenTo(output))).at(-1);
    await expect.poll(lastHeight, { interval: 500 }).toBe(360);
    path.rateBps = 1_000_000;
    await sender.says(/^RENDITION 180p /m);
    await expect.poll(lastHeight, { interval: 500 }).toBe(180);
    sender.kill('SIGINT');
    const sent = await sender.end();
    expect(sent.code, sent.stderr).toBe(0);
    const received = await receiver.end();
    expect(received.code, received.stderr).toBe(0);
    const pictures = await heightsOf(writtenTo(output));
    expect(new Set(pictures)).toEqual(new Set([360, 180]));
    expect(pictures.at(-1)).toBe(180);
  });

  it('changes between renditions without a gap, a continuity error or a decode error', async () => {
    const output = join(folder, 'out.mpegts');
    const file = openSync(output, 'w');
    const steps = [1, 2].map((bps) => ({ minBps: bps, targetBps: bps, maxBps: bps, layerShares: [1] }));
    const ladder = new Ladder(steps, 0);
    const counters = new ContinuityCounters();
    const switches: number[] = [];
    const renditions = new RenditionSwitch<Uint8Array>(ladder, (data, rendition) => {
      if (switches.at(-1) !== rendition) switches.push(rendition);
      writeSync(file, counters.renumber(data));
    });
    await runLadderInput(
      'test:?duration=7s',
      parseLadder('360p:1.2M,180p:250k'),
      ({ data, track, timestampUs = 0, keyFrame }) => {
        ladder.wanted = Math.floor((timestampUs + 500_000) / 2_000_000) % 2;
        renditions.push(data, track, timestampUs, keyFrame, Math.round(performance.now() * 1000));
      },
      new AbortController().signal,
    );
    closeSync(file);
    expect(switches).toEqual([0, 1, 0, 1]);
    const heights = await heightsOf(output);
    const expected = [180, 360, 180, 360].flatMap((height, i) =>
      new Array<number>(i === 3 ? 30 : 60).fill(height),
    );
    expect(heights).toEqual(expected);
    // Through a pipe: in a file ffmpeg looks for the end first, and takes what it lands on for a damaged packet.
    const decoded = spawnSync(
      'ffmpeg',
      ['-hide_banner', '-loglevel', 'debug', '-i', 'pipe:0', '-vf', 'scale=64:36', '-f', 'null', '-'],
      { input: readFileSync(output), encoding: 'utf8', maxBuffer: 1e9 },
    );
    expect(decoded.status, decoded.stderr.slice(-2000)).toBe(0);
    expect(decoded.stderr.match(DAMAGE) ?? []).toEqual([]);
  });
});
