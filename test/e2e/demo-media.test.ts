/** The demo's media in a real browser: camera, H.264, sound, https, and sender and receiver on pages of their own. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endPrograms } from '../helpers/cli.ts';
import {
  canBrowse,
  FOREIGN_HOST,
  launch,
  open,
  pixels,
  SMALL,
  startDemo,
  startEnd,
  until,
  untilReport,
  whyNot,
} from '../helpers/demo.ts';

/** Notes how long and how loud the sound is that the page plays. */
const NOTE_SOUND = `
  globalThis.played = { seconds: 0, loudest: 0 };
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...args) {
    played.seconds += this.buffer.duration;
    for (const sample of this.buffer.getChannelData(0)) played.loudest = Math.max(played.loudest, Math.abs(sample));
    return start.apply(this, args);
  };`;

/** Is this browser able to encode H.264? It depends on how it was built. */
const HAS_H264 = `VideoEncoder.isConfigSupported({ codec: 'avc1.42e01f', width: 320, height: 180 })
  .then(({ supported }) => supported, () => false)`;

describe.skipIf(!canBrowse)(`the demo’s media${whyNot}`, { timeout: 400_000 }, () => {
  /** With a camera that shows a moving pattern, mostly green. */
  let browser: Browser;

  beforeAll(async () => {
    browser = await launch('--use-fake-device-for-media-stream');
  });
  afterEach(endPrograms);
  afterAll(() => browser.close());

  /** Share of the picture that is plainly green, 0..1. */
  async function greenShare(page: Parameters<typeof pixels>[0]): Promise<number> {
    const values = await pixels(page, 'millrace');
    let green = 0;
    for (let at = 0; at < values.length; at += 4) {
      const [red = 0, green_ = 0, blue = 0] = values.slice(at, at + 3);
      if (green_ > red + 60 && green_ > blue + 60) green++;
    }
    return (4 * green) / values.length;
  }

  it('shows the camera when it is chosen, and the test picture when that is', {
    timeout: 240_000,
  }, async () => {
    const { url } = await startDemo('--network', 'model');
    const { page, complaints } = await open(browser, `${url}?source=camera&loss=0&rtt=40&${SMALL}`);
    await until(page, 'pictures', ({ millrace }) => millrace.framesDecoded > 5);
    await expect.poll(() => greenShare(page), { interval: 250 }).toBeGreaterThan(0.4);
    await page.locator('#source').selectOption('canvas');
    await expect.poll(() => greenShare(page), { interval: 250 }).toBeLessThan(0.2);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('says that there is no camera, and shows the test picture', async () => {
    const without = await launch();
    const { url } = await startDemo('--network', 'model');
    const { page } = await open(without, `${url}?source=camera&loss=0&rtt=40&${SMALL}`);
    await page.getByText('No camera was found: showing the test picture').waitFor();
    await until(page, 'the test picture', ({ millrace }) => millrace.framesDecoded > 5);
    expect(await page.inputValue('#source')).toBe('canvas');
    await without.close();
  });

  it('plays H.264 where the browser has it, and the sound of the side that is chosen with the keyboard', async () => {
    const { url } = await startDemo('--network', 'model');
    const { page, complaints } = await open(browser, `${url}?loss=0&rtt=40&codec=h264&${SMALL}`);
    await page.addInitScript(NOTE_SOUND);
    await page.reload();
    const codec = (await page.evaluate(HAS_H264)) ? 'h264' : 'vp8';
    const sides = await until(page, 'pictures', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 5 && millrace.framesDecoded > 5;
    });
    expect(await page.inputValue('#codec')).toBe(codec);
    expect([sides.tcp.soundSamples, sides.millrace.soundSamples]).toEqual([0, 0]);
    await page.locator('#listen').focus();
    await page.keyboard.press('m');
    // A second and more of it, at 48,000 samples a second.
    await until(page, 'a second of sound', ({ millrace }) => millrace.soundSamples > 48_000);
    const played = (await page.evaluate('played')) as { seconds: number; loudest: number };
    expect(played.seconds).toBeGreaterThan(0.5);
    // A soft chord, at least.
    expect(played.loudest).toBeGreaterThan(0.02);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('plays live pictures by https on a page from another machine', async () => {
    const { url } = await startDemo('--network', 'model', '--host', '127.0.0.1');
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/$/);
    const foreign = url.replace('127.0.0.1', FOREIGN_HOST);
    const { page } = await open(browser, `${foreign}?loss=0&rtt=40&${SMALL}`);
    await until(page, 'pictures on both sides', ({ tcp, millrace }) => {
      return tcp.framesDecoded > 5 && millrace.framesDecoded > 5;
    });
    expect(await page.evaluate('isSecureContext')).toBe(true);
    await page.close();
  });

  it('sends from one page and plays on another; a second window takes over for good', async () => {
    const receiver = await startEnd(
      'receiver',
      ['--host', '127.0.0.1', '--port', '0'],
      /LISTENING .*:(\d+)$/m,
    );
    const target = `millrace://127.0.0.1:${receiver.match[1]}/live`;
    const sender = await startEnd('sender', [target], /^connected to /m);
    const { page: studio } = await open(browser, `${sender.url}?${SMALL}`);
    const { page: first } = await open(browser, receiver.url);
    await untilReport(first, 'pictures', ({ millrace }) => (millrace?.framesDecoded ?? 0) > 5);
    await first.getByText(/Playing, \d+ pictures a second/).waitFor();
    await studio.getByText(/Sending; the path takes/).waitFor();
    const { page: second } = await open(browser, receiver.url);
    await untilReport(second, 'pictures', ({ millrace }) => (millrace?.framesDecoded ?? 0) > 5);
    await first.getByText('Another window has taken over; load this page again to take it back').waitFor();
    await untilReport(second, 'more pictures', ({ millrace }) => (millrace?.framesDecoded ?? 0) > 30);
    for (const page of [studio, first, second]) await page.close();
  });
});
