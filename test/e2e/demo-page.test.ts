/**
 * The demo's page in a real browser: both sides play, and loss hurts TCP only. Small pictures, few of them a second: the
 * browser encodes and decodes four videos, on a machine that runs other tests too.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../helpers/checkout.ts';
import { endPrograms, Program, sleep } from '../helpers/cli.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
// Under CI it is installed, so that its absence is a failure there.
const canRun = existsSync(CHROMIUM) || process.env.CI === 'true';
const NAME = `the demo page${canRun ? '' : ' (not run: chromium is not installed)'}`;
const SMALL = 'size=320x180&fps=15';

/** What `globalThis.millraceDemo` has for each side. */
interface Side {
  readonly framesDecoded: number;
  readonly freezes: number;
  readonly freezeMs: number;
  readonly latencyMsP95: number;
  readonly firstPictureMs?: number;
}
interface Sides {
  readonly tcp: Side;
  readonly millrace: Side;
}

async function startDemo(...args: readonly string[]): Promise<{ program: Program; url: string }> {
  const script = ['--import', 'tsx', join(root, 'demo/server.ts'), '--port', '0', '--no-open'];
  const program = new Program(process.execPath, [...script, ...args]);
  await program.says(/Ctrl-C ends the demo/);
  return { program, url: program.stdout.toString().trim() };
}

/** The last report of both sides; undefined before there is one. */
async function report(page: Page): Promise<Sides | undefined> {
  return await page.evaluate(() => {
    const { millraceDemo } = globalThis as unknown as { millraceDemo?: Partial<Sides> };
    return millraceDemo?.tcp === undefined ? undefined : (millraceDemo as Sides);
  });
}

/** Waits until a report satisfies the condition. */
async function until(page: Page, what: string, condition: (sides: Sides) => boolean): Promise<Sides> {
  let sides: Sides | undefined;
  for (let i = 0; i < 200; i++) {
    sides = await report(page);
    if (sides !== undefined && condition(sides)) return sides;
    await sleep(200);
  }
  throw new Error(`waited for ${what}: ${JSON.stringify(sides)}`);
}

/** A few pixels of what a side's canvas shows now. */
async function pixels(page: Page, side: string): Promise<string> {
  // As text: the types of this folder are Node's.
  return await page.evaluate(`(() => {
    const context = document.createElement('canvas').getContext('2d');
    context.drawImage(document.querySelector('canvas[data-side="${side}"]'), 0, 0, 64, 36);
    return context.getImageData(0, 0, 64, 36).data.join();
  })()`);
}

describe.skipIf(!canRun)(NAME, { timeout: 120_000 }, () => {
  let browser: Browser;
  /** Errors and warnings of the page's console; nothing may be there. */
  let complaints: string[];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--use-fake-ui-for-media-stream'],
    });
  });
  afterEach(endPrograms);
  afterAll(() => browser.close());

  async function open(url: string): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
    complaints = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(url);
    return page;
  }

  it('shows moving pictures on both sides, and 5 % loss at 150 ms freezes TCP while millrace plays', async () => {
    const { program, url } = await startDemo('--network', 'model');
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const page = await open(`${url}?source=canvas&loss=0.05&rtt=150&${SMALL}`);
    await until(page, 'pictures on both sides', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 10 && millrace.framesDecoded > 10;
    });
    for (const side of ['tcp', 'millrace']) {
      const before = await pixels(page, side);
      await expect.poll(() => pixels(page, side), { timeout: 10_000 }).not.toBe(before);
    }
    // A stretch in which TCP froze twice and millrace not once; a busy machine may need more than one attempt.
    let from = (await report(page)) as Sides;
    await until(page, 'TCP to freeze and millrace to play', ({ tcp, millrace }) => {
      if (millrace.freezes > from.millrace.freezes) from = { tcp, millrace };
      return tcp.freezes >= from.tcp.freezes + 2 && millrace.framesDecoded > from.millrace.framesDecoded + 15;
    });
    expect(complaints).toEqual([]);
    await page.close();
    program.kill('SIGINT');
    expect(await program.end()).toMatchObject({ code: 0, signal: null });
  });

  it('lets a second window take over, and goes on when a window is closed and opened again', async () => {
    const { url } = await startDemo('--network', 'model');
    const first = await open(`${url}?loss=0&rtt=40&${SMALL}`);
    await until(first, 'the first window', ({ millrace }) => millrace.framesDecoded > 5);
    const second = await open(`${url}?loss=0&rtt=40&${SMALL}`);
    await second.getByText('open in another window').waitFor();
    await second.getByRole('button', { name: 'Use it here' }).click();
    await first.getByText('Another window has taken the demo over').waitFor();
    await until(second, 'the second window', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 5 && millrace.framesDecoded > 5;
    });
    await first.close();
    await second.close();
    const third = await open(`${url}?loss=0&rtt=40&${SMALL}`);
    await until(third, 'the window that was opened again', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 5 && millrace.framesDecoded > 5;
    });
    await third.close();
  });

  it('shows a clip where there is no WebCodecs, and the test picture where there is no camera', async () => {
    const { url } = await startDemo('--network', 'model');
    const page = await browser.newPage();
    await page.addInitScript('delete globalThis.VideoEncoder');
    await page.goto(`${url}?loss=0&rtt=40`);
    await until(page, 'the clip on both sides', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 10 && millrace.framesDecoded > 10;
    });
    expect(await page.textContent('#sentence')).toContain('no WebCodecs');
    await page.close();
    const other = await open(`${url}?source=camera&loss=0&rtt=40&${SMALL}`);
    await other.getByText('No camera was found: showing the test picture').waitFor();
    await until(other, 'the test picture', ({ millrace }) => millrace.framesDecoded > 5);
    await other.close();
  });
});
