import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { TransportError } from '../../src/base/errors.ts';
import { describeError, exitCodeOf, isBrokenPipe, UsageError } from '../../src/cli/errors.ts';
import { humanLine, jsonLine, NO_COUNTERS, STATS_KEYS, StatsReporter } from '../../src/cli/stats.ts';

function sink(): { stream: NodeJS.WriteStream; text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (data) => {
    text += data;
  });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => text };
}

describe('statistics', () => {
  test('have exactly these keys in JSON, for ever', () => {
    expect(STATS_KEYS).toEqual([
      'tUs',
      'rttMs',
      'lossRatio',
      'burstMean',
      'targetBps',
      'sentBytes',
      'wireBytes',
      'framesSent',
      'framesOnTime',
      'framesFec',
      'framesResent',
      'framesLate',
      'framesLost',
      'rejected',
    ]);
    expect(Object.keys(JSON.parse(jsonLine(7, NO_COUNTERS, false)))).toEqual([...STATS_KEYS]);
    expect(Object.keys(JSON.parse(jsonLine(7, NO_COUNTERS, true)))).toEqual([...STATS_KEYS, 'final']);
    expect(JSON.parse(jsonLine(7, NO_COUNTERS, true)).final).toBe(true);
  });

  test('never hold what JSON cannot', () => {
    const line = JSON.parse(
      jsonLine(1, { ...NO_COUNTERS, targetBps: Number.POSITIVE_INFINITY, rttMs: Number.NaN }, false),
    );
    expect(line).toMatchObject({ targetBps: 0, rttMs: 0 });
    expect(jsonLine(1, NO_COUNTERS, true)).not.toContain('\n');
  });

  test('for people fit one line', () => {
    const line = humanLine({
      ...NO_COUNTERS,
      rttMs: 41.23,
      lossRatio: 0.048,
      targetBps: 4e6,
      sentBytes: 1,
      framesSent: 60,
      framesOnTime: 52,
      framesFec: 8,
    });
    expect(line).toContain('rtt 41.2 ms');
    expect(line).toContain('loss 4.8 %');
    expect(line).toContain('target 4.00 Mbit/s');
    expect(line).toContain('frames 60: 52 on time, 8 fec');
    expect(line).not.toContain('\n');
  });

  test('end with one final line for each peer, and with one where nobody ever came', async () => {
    const nobody = sink();
    await new StatsReporter(nobody.stream, undefined, { kind: 'stderr' }).close();
    expect(
      nobody
        .text()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).final),
    ).toEqual([true]);

    const one = sink();
    const reporter = new StatsReporter(one.stream, undefined, { kind: 'stderr' });
    const peer = { name: 'h:1', counters: () => ({ ...NO_COUNTERS, framesSent: 9 }) };
    reporter.add(peer);
    reporter.remove(peer);
    await reporter.close();
    const lines = one
      .text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ framesSent: 9, final: true });
    expect(lines[0].peer).toBeUndefined();
  });

  test('come at the interval', async () => {
    const out = sink();
    const reporter = new StatsReporter(out.stream, 20, undefined);
    reporter.add({ name: 'h:1', counters: () => NO_COUNTERS });
    await expect.poll(() => out.text().split('\n').length).toBeGreaterThan(3);
    await reporter.close();
  });
});

describe('errors', () => {
  test('are one line with a code and what to do, without secrets', () => {
    const line = describeError(
      new TransportError(
        'ERR_MILLRACE_TIMEOUT',
        'no answer from\n millrace://h:1?passphrase=hunter2hunter2 in 5 s',
      ),
    );
    expect(line).toMatch(/^millrace: ERR_MILLRACE_TIMEOUT: no answer from .*\*\*\*; check host/);
    expect(line).not.toContain('\n');
    expect(line).not.toContain('hunter2');
    expect(describeError(new UsageError('write it so'))).toBe('millrace: write it so');
    expect(describeError(new TypeError('x'))).toBe('millrace: ERR_MILLRACE_INTERNAL: x');
  });

  test('have exit code 2 for usage and 1 for everything else', () => {
    expect(exitCodeOf(new UsageError(''))).toBe(2);
    expect(exitCodeOf(new TransportError('ERR_MILLRACE_REFUSED', ''))).toBe(1);
    expect(exitCodeOf(new Error())).toBe(1);
    expect(isBrokenPipe(Object.assign(new Error(), { code: 'EPIPE' }))).toBe(true);
    expect(isBrokenPipe(new Error())).toBe(false);
  });
});
