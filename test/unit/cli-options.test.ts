import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/cli/errors.ts';
import { OPTIONS } from '../../src/cli/option-table.ts';
import { applyUriParameters, describeOptions, parseOptions } from '../../src/cli/options.ts';
import { formatBytes, formatRate, parseRate, parseTime } from '../../src/cli/units.ts';

describe('options', () => {
  test('are read with their units', () => {
    const { options, positionals } = parseOptions('send', [
      'file:a.ts',
      '--bitrate',
      '4M',
      '--latency=0.2s',
      'millrace://h:1',
      '--stats',
      '1s',
      '--pace',
      'off',
      '--reconnect',
      '--stats-json',
      'fd:3',
      '--max-peers',
      '5',
      '--inject',
      'loss=5%,reorder=2%,duplicate=0.01,seed=7',
    ]);
    expect(positionals).toEqual(['file:a.ts', 'millrace://h:1']);
    expect(options).toEqual({
      bitrate: 4_000_000,
      latency: 200,
      stats: 1000,
      pace: 'off',
      reconnect: true,
      statsJson: { kind: 'fd', fd: 3 },
      maxPeers: 5,
      inject: { lossRatio: 0.05, reorderRatio: 0.02, duplicateRatio: 0.01, seed: 7 },
    });
  });

  test('a lone - is a positional: stdin', () => {
    expect(parseOptions('send', ['-', 'millrace://h:1']).positionals).toEqual(['-', 'millrace://h:1']);
  });

  for (const args of [
    ['--bitrate', '4X'],
    ['--bitrate', '-4M'],
    ['--latency', '1h'],
    ['--latency', '0'],
    ['--framing', 'mkv'],
    ['--pace', 'fast'],
    ['--stats-json', 'stdout'],
    ['--stats-json', 'fd:1'],
    ['--max-peers', '0'],
    ['--nonsense'],
    ['--inject', 'delay=5'],
    ['--pin', 'sha256:12'],
    ['--bitrate'],
    ['--track', 'x'],
    ['--stats', '1'],
  ]) {
    test(`send refuses ${args.join(' ')} in one sentence`, () => {
      expect(() => parseOptions('send', args)).toThrow(UsageError);
      expect(() => parseOptions('send', args)).not.toThrow(/\n/);
    });
  }

  test('URI parameters fill in what the command line leaves open', () => {
    const merged = applyUriParameters(
      { latency: 300 },
      new Map([
        ['latency', '120'],
        ['startBitrate', '2M'],
        ['passphrase', 'x'],
      ]),
    );
    expect(merged).toEqual({ latency: 300, startBitrate: 2_000_000, passphrase: 'x' });
    expect(applyUriParameters({}, new Map([['start-bitrate', '2M']]))).toEqual({ startBitrate: 2_000_000 });
  });

  test('an unknown URI parameter is refused with the known ones', () => {
    expect(() => applyUriParameters({}, new Map([['latencey', '1']]))).toThrow(
      /no parameter 'latencey'.*latency/,
    );
    expect(() => applyUriParameters({}, new Map([['key', '/etc/x']]))).toThrow(UsageError);
  });

  test('the help names every option of its command', () => {
    for (const command of ['send', 'receive'] as const) {
      const help = describeOptions(command).join('\n');
      for (const spec of OPTIONS) {
        const isListed = help.includes(`--${spec.name}`);
        if (spec.commands.includes(command)) expect(isListed, spec.name).toBe(true);
      }
    }
  });
});

describe('units', () => {
  test('rates have powers of 1000', () => {
    expect([
      parseRate('4M', 'x'),
      parseRate('500k', 'x'),
      parseRate('1.5G', 'x'),
      parseRate('64000', 'x'),
    ]).toEqual([4e6, 5e5, 1.5e9, 64_000]);
  });
  test('rates at which rate control begins, and the patience of a caller, are those that the library takes', () => {
    for (const [option, text] of [
      ['--start-bitrate', '9k'],
      ['--start-bitrate', '11G'],
      ['--timeout', '601s'],
    ] as const)
      expect(() => parseOptions('send', [option, text, 'test:', 'millrace://h:1'])).toThrow(
        /10k to 10G|600000 ms/,
      );
  });
  test('bare times are milliseconds', () => {
    expect([parseTime('120', 'x'), parseTime('120ms', 'x'), parseTime('1.5s', 'x')]).toEqual([
      120, 120, 1500,
    ]);
  });
  test('are printed with three digits', () => {
    expect([formatRate(4_130_000), formatBytes(999), formatBytes(1_970_000), formatBytes(999_600)]).toEqual([
      '4.13 Mbit/s',
      '999 B',
      '1.97 MB',
      '1.00 MB',
    ]);
  });
});
