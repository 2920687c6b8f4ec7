/** The demo in a real browser: its server started, its page opened, its reports waited for. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { root } from './checkout.ts';
import { PASSPHRASE, Program, sleep } from './cli.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Under CI it is installed, so that its absence is a failure there. */
export const canBrowse: boolean = existsSync(CHROMIUM) || process.env.CI === 'true';
/** For the name of a suite. */
export const whyNot: string = canBrowse ? '' : ' (not run: chromium is not installed)';
/** Small pictures, few of them a second: the browser encodes and decodes four videos, beside other tests. */
export const SMALL = 'size=160x90&fps=15';
/** A name that is not this machine's own: to the browser, plain http from there is not to be trusted with cameras. */
export const FOREIGN_HOST = 'demo.test';
/** Nothing here takes longer on a machine that works, however busy: three programs and a browser start. */
const PATIENCE_MS = 180_000;

/** What `globalThis.millraceDemo` has for each side. */
export interface Side {
  readonly framesDecoded: number;
  readonly freezes: number;
  readonly freezeMs: number;
  readonly latencyMsP95: number;
  readonly soundSamples: number;
  /** Of the program that sends. */
  readonly figures: Readonly<Record<string, number>>;
}
export interface Sides {
  readonly tcp: Side;
  readonly millrace: Side;
}

export async function launch(...args: readonly string[]): Promise<Browser> {
  const common = [
    '--no-sandbox',
    '--use-fake-ui-for-media-stream',
    `--host-resolver-rules=MAP ${FOREIGN_HOST} 127.0.0.1`,
  ];
  return await chromium.launch({ executablePath: CHROMIUM, args: [...common, ...args] });
}

export async function startDemo(
  ...args: readonly string[]
): Promise<{ readonly program: Program; readonly url: string }> {
  const script = ['--import', 'tsx', join(root, 'demo/server.ts'), '--port', '0', '--no-open'];
  const program = new Program(process.execPath, [...script, ...args]);
  await program.says(/Ctrl-C ends the demo/, PATIENCE_MS);
  return { program, url: program.stdout.toString().trim() };
}

/** A sender or a receiver on its own. Returns when stderr matches, with the address of its page. */
export async function startEnd(
  name: 'sender' | 'receiver',
  args: readonly string[],
  ready: RegExp,
): Promise<{ readonly url: string; readonly match: RegExpMatchArray }> {
  const script = ['--import', 'tsx', join(root, `demo/${name}.ts`), '--serve', '127.0.0.1:0'];
  const env = { MILLRACE_PASSPHRASE: PASSPHRASE };
  const program = new Program(process.execPath, [...script, ...args], env);
  const match = await program.says(ready, PATIENCE_MS);
  return { url: program.stdout.toString().trim(), match };
}

/** Opens an address in a window of its own; `complaints` are the errors and warnings of its console. */
export async function open(
  browser: Browser,
  url: string,
): Promise<{ readonly page: Page; readonly complaints: readonly string[] }> {
  const page = await browser.newPage({ viewport: { width: 1_000, height: 900 }, ignoreHTTPSErrors: true });
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  return { page, complaints };
}

/** The last report of both sides; undefined before there is one. */
export async function report(page: Page): Promise<Partial<Sides>> {
  return ((await page.evaluate('globalThis.millraceDemo')) ?? {}) as Partial<Sides>;
}

/** Waits until a report of both sides satisfies the condition. */
export async function until(page: Page, what: string, condition: (sides: Sides) => boolean): Promise<Sides> {
  return (await untilReport(page, what, (sides) => {
    const { tcp, millrace } = sides;
    return tcp !== undefined && millrace !== undefined && condition({ tcp, millrace });
  })) as Sides;
}

/** The same for a page that may have one side only. */
export async function untilReport(
  page: Page,
  what: string,
  condition: (sides: Partial<Sides>) => boolean,
): Promise<Partial<Sides>> {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const sides = await report(page);
    if (condition(sides)) return sides;
    if (Date.now() > giveUpAt) throw new Error(`waited for ${what}: ${JSON.stringify(sides)}`);
    await sleep(200);
  }
}

/** A few pixels of what a side's canvas shows now: 64 x 36, red, green, blue, and opacity of each. */
export async function pixels(page: Page, side: string): Promise<readonly number[]> {
  // As text: the types of this folder are Node's.
  return await page.evaluate(`(() => {
    const context = document.createElement('canvas').getContext('2d');
    context.drawImage(document.querySelector('canvas[data-side="${side}"]'), 0, 0, 64, 36);
    return [...context.getImageData(0, 0, 64, 36).data];
  })()`);
}
