/** The demo's page in a real browser: both sides play, loss hurts TCP only, windows come and go, and nothing stays behind. */
import { readdirSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { emulatorObstacle } from '../../bench/kernel/emulator/emulator.ts';
import { endPrograms } from '../helpers/cli.ts';
import {
  canBrowse,
  FOREIGN_HOST,
  launch,
  open,
  pixels,
  report,
  type Sides,
  SMALL,
  startDemo,
  until,
  whyNot,
} from '../helpers/demo.ts';
import { descendantsOf, isAlive } from '../helpers/processes.ts';

const obstacle = await emulatorObstacle();
const kernelName = obstacle === undefined ? '' : ` (not here: ${obstacle})`;

/** Network devices of this machine, outside namespaces. */
function devices(): readonly string[] {
  return process.platform === 'linux'
    ? readdirSync('/sys/class/net').filter((name) => /tun|mill/.test(name))
    : [];
}

describe.skipIf(!canBrowse)(`the demo page${whyNot}`, { timeout: 400_000 }, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launch();
  });
  afterEach(endPrograms);
  afterAll(() => browser.close());

  /** Opens the page and sees both sides play; later, ends the demo with Ctrl-C and sees that nothing is left. */
  async function watch(network: 'model' | 'kernel', meanwhile: (page: Page) => Promise<void>): Promise<void> {
    const before = devices();
    const { program, url } = await startDemo('--network', network);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const started = descendantsOf(program.child.pid as number);
    const { page, complaints } = await open(browser, `${url}?source=canvas&loss=0.05&rtt=150&${SMALL}`);
    await until(page, 'pictures on both sides', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 10 && millrace.framesDecoded > 10;
    });
    for (const side of ['tcp', 'millrace']) {
      const shown = await pixels(page, side);
      await expect.poll(() => pixels(page, side)).not.toEqual(shown);
    }
    await meanwhile(page);
    expect(complaints).toEqual([]);
    await page.close();
    program.kill('SIGINT');
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
    await expect.poll(() => started.filter(isAlive)).toEqual([]);
    expect(devices()).toEqual(before);
  }

  it('shows moving pictures on both sides, and 5 % loss at 150 ms freezes TCP while millrace plays', async () => {
    await watch('model', async (page) => {
      // A stretch in which TCP stood still and millrace went on. On a busy machine both stand now and then.
      let from = (await report(page)) as Sides;
      await until(page, 'TCP to freeze and millrace to play', ({ tcp, millrace }) => {
        const tcpMs = tcp.freezeMs - from.tcp.freezeMs;
        const millraceMs = millrace.freezeMs - from.millrace.freezeMs;
        if (millraceMs > tcpMs) from = { tcp, millrace };
        const isPlaying = millrace.framesDecoded > from.millrace.framesDecoded + 15;
        return isPlaying && tcp.freezes >= from.tcp.freezes + 2 && tcpMs > 3 * millraceMs;
      });
    });
  });

  it.skipIf(obstacle !== undefined)(
    `does so over this kernel’s TCP, and leaves nothing behind${kernelName}`,
    async () => {
      await watch('kernel', async (page) => {
        expect(await page.textContent('#description')).toContain('this kernel’s TCP');
        // The page's network is the emulator's: packets are lost there, and repaired.
        await until(page, 'losses and repair', ({ millrace: { figures } }) => {
          return (figures.packetsLost ?? 0) > 5 && (figures.framesFec ?? 0) + (figures.framesResent ?? 0) > 5;
        });
      });
    },
  );

  it('lets a second window take over, and goes on when a window is closed and opened again', async () => {
    const { url } = await startDemo('--network', 'model');
    const address = `${url}?loss=0&rtt=40&${SMALL}`;
    const plays = ({ tcp, millrace }: Sides): boolean => tcp.framesDecoded > 5 && millrace.framesDecoded > 5;
    const { page: first } = await open(browser, address);
    await until(first, 'the first window', plays);
    const { page: second } = await open(browser, address);
    await second.getByText('open in another window').waitFor();
    await second.getByRole('button', { name: 'Use it here' }).click();
    await first.getByText('Another window has taken the demo over').waitFor();
    await until(second, 'the second window', plays);
    await first.close();
    await second.close();
    const { page: third } = await open(browser, address);
    await until(third, 'the window that was opened again', plays);
    await third.close();
  });

  it('shows a clip where there is no WebCodecs, as on plain http from another machine', async () => {
    const { url } = await startDemo('--network', 'model');
    const foreign = url.replace('127.0.0.1', FOREIGN_HOST);
    const { page } = await open(browser, `${foreign}?loss=0&rtt=40`);
    await until(page, 'the clip on both sides', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 10 && millrace.framesDecoded > 10;
    });
    expect(await page.evaluate('isSecureContext')).toBe(false);
    expect(await page.textContent('#sentence')).toContain('no WebCodecs');
    await page.close();
  });
});
