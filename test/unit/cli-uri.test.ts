import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/cli/errors.ts';
import { redact } from '../../src/cli/redact.ts';
import { formatAddress, parseMediaUri, parseMillraceUri } from '../../src/cli/uri.ts';
import { runHere } from '../helpers/run-here.ts';

describe('millrace URI', () => {
  test('without a host listens, with a host calls, and mode overrides', () => {
    expect(parseMillraceUri('millrace://:9000')).toMatchObject({
      host: '',
      port: 9000,
      resource: '',
      mode: 'listen',
    });
    expect(parseMillraceUri('millrace://studio:9000/live/cam1')).toMatchObject({
      host: 'studio',
      port: 9000,
      resource: 'live/cam1',
      mode: 'call',
    });
    expect(parseMillraceUri('millrace://10.0.0.5:9000/a?mode=listen')).toMatchObject({
      host: '10.0.0.5',
      mode: 'listen',
    });
  });

  test('takes IPv6 in brackets, scopes included', () => {
    expect(parseMillraceUri('millrace://[::1]:9000/x').host).toBe('::1');
    expect(parseMillraceUri('millrace://[fe80::1%eth0]:9000').host).toBe('fe80::1%eth0');
    expect(formatAddress('::1', 9000)).toBe('[::1]:9000');
    expect(formatAddress('10.0.0.1', 9000)).toBe('10.0.0.1:9000');
  });

  test('decodes resource and parameters, and keeps mode out of them', () => {
    const uri = parseMillraceUri('MILLRACE://h:1/caf%C3%A9?latency=120&passphrase=a%26b%3Dc&mode=call');
    expect(uri.resource).toBe('café');
    expect([...uri.parameters]).toEqual([
      ['latency', '120'],
      ['passphrase', 'a&b=c'],
    ]);
  });

  test('port 0 is for listeners', () => {
    expect(parseMillraceUri('millrace://:0').port).toBe(0);
    expect(() => parseMillraceUri('millrace://h:0')).toThrow(/port 0/);
  });

  for (const [text, says] of [
    ['millrace://h', 'names no port'],
    ['millrace://h:', 'names no port'],
    ['millrace://h:70000', 'above 65535'],
    ['millrace://h:port', 'host and port'],
    ['millrace://::1:9000', 'brackets'],
    ['millrace:h:9000', 'not a millrace URI'],
    ['millrace://:9000?mode=call', 'calls nobody'],
    ['millrace://h:1?mode=both', 'listen or call'],
    ['millrace://h:1?latency=1&latency=2', 'twice'],
    ['millrace://h:1/a#b', 'labels belong to MEDIA'],
    ['millrace://u:p@h:1', 'credentials before the host'],
    ['millrace://h:1/%zz', 'write %25'],
    [`millrace://h:1/${'a'.repeat(513)}`, 'longer than 512'],
  ] as const) {
    test(`says what is wrong with ${text.slice(0, 40)}`, () => {
      expect(() => parseMillraceUri(text)).toThrow(UsageError);
      expect(() => parseMillraceUri(text)).toThrow(says);
    });
  }

  test('any text is split or refused in words, never crashes', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [parseMillraceUri, parseMediaUri]) {
          for (const prefix of ['', 'millrace://', 'udp://', 'file:', 'test:']) {
            try {
              parse(prefix + text);
            } catch (error) {
              expect(error).toBeInstanceOf(UsageError);
            }
          }
        }
      }),
      { seed: 11, numRuns: 500 },
    );
  });
});

describe('media URI', () => {
  test('knows its forms', () => {
    expect(parseMediaUri('-')).toEqual({ kind: 'stdio', label: '' });
    expect(parseMediaUri('-#cam 1')).toEqual({ kind: 'stdio', label: 'cam 1' });
    expect(parseMediaUri('file:a/b c.ts#main')).toEqual({ kind: 'file', path: 'a/b c.ts', label: 'main' });
    expect(parseMediaUri('file:///tmp/x.ts')).toMatchObject({ path: '/tmp/x.ts' });
    expect(parseMediaUri('file:100%.ts')).toMatchObject({ path: '100%.ts' });
    expect(parseMediaUri('file:what%23.ts')).toMatchObject({ path: 'what#.ts' });
    expect(parseMediaUri('udp://:5004')).toMatchObject({ kind: 'udp', host: '', port: 5004 });
    expect(parseMediaUri('udp://@239.1.2.3:5004?iface=10.0.0.1&ttl=4#v')).toMatchObject({
      host: '239.1.2.3',
      label: 'v',
    });
    expect(parseMediaUri('rtp://[ff02::1]:5004')).toMatchObject({ kind: 'rtp', host: 'ff02::1' });
    expect(parseMediaUri('test:').kind).toBe('test');
    expect(parseMediaUri('test:?duration=10s')).toMatchObject({ parameters: new Map([['duration', '10s']]) });
  });

  for (const text of [
    '',
    'clip.ts',
    'http://h/x',
    'udp://h',
    'udp://h:0',
    'file:',
    'test:foo',
    'tcp://h:1',
  ]) {
    test(`refuses '${text}' and shows how it is written`, () => {
      expect(() => parseMediaUri(text)).toThrow(/write/);
    });
  }
});

describe('redaction', () => {
  test('hides passphrases wherever they stand, in well-formed text and not', () => {
    for (const text of [
      'millrace://h:1/x?latency=1&passphrase=hunter2hunter2&a=b',
      "cannot read 'millrace://h?passphrase=hunter2hunter2#x'",
      'millrace send - x --passphrase hunter2hunter2',
      '--passphrase=hunter2hunter2',
      'millrace://me:hunter2hunter2@h:1',
      '?PASSPHRASE=hunter2hunter2',
    ]) {
      expect(redact(text)).not.toContain('hunter2');
      expect(redact(text)).toContain('***');
    }
    expect(redact("cannot read 'millrace://h:1/x?latency=1&passphrase=a 'b' &c#d': sorry")).toBe(
      "cannot read 'millrace://h:1/x?latency=1&passphrase=***",
    );
    expect(redact("Option '--passphrase <value>' argument missing")).toContain('argument missing');
  });

  for (const [what, uri] of [
    ['spaces', 'millrace://studio/live?passphrase=open sesame hunter2'],
    ['a #', 'millrace://studio:9000/live?passphrase=open#hunter2'],
    ['a quote', "millrace://studio:99999/live?passphrase=it's hunter2"],
    ['an &', 'millrace://studio:9000/live?passphrase=open-sesame&hunter2'],
    ['an & twice', 'millrace://studio:9000/live?passphrase=open-sesame&hunter2&hunter2'],
    ['what looks like an option', 'millrace://studio:9000/live?passphrase=open-sesame&order=hunter2'],
    ['what looks like a mode', 'millrace://studio:9000/live?passphrase=open-sesame&mode=hunter2'],
    ['a % that is no escape', 'millrace://studio:9000/live?passphrase=hunter2%'],
    ['credentials with a ?', 'millrace://me:hunter2?hunter2/@studio:9000'],
    ['another scheme', 'srt://studio:9000?passphrase=open hunter2'],
  ] as const) {
    test(`no part of a secret is printed where it has ${what}`, async () => {
      const { code, said } = runHere(['send', 'test:', uri]);
      expect(await code).toBe(2);
      expect(said()).toMatch(/^millrace: .+\n$/);
      expect(said()).not.toContain('hunter2');
      const second = runHere(['send', uri, 'millrace://studio:9000', '--passphrase', 'a secret: hunter2']);
      expect(await second.code).toBe(2);
      expect(second.said()).not.toContain('hunter2');
    });
  }

  test('errors about a URI show it without its secrets', () => {
    for (const text of [
      'millrace://h?passphrase=hunter2hunter2',
      'millrace://h:1?passphrase=hunter2hunter2&mode=x',
    ]) {
      expect(() => parseMillraceUri(text)).toThrow(/\*\*\*/);
      expect(() => parseMillraceUri(text)).not.toThrow(/hunter2/);
    }
  });
});
