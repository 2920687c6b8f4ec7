/** The command line of the bench programs: help, refusals, values. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { benchCommand } from '../../bench/report/command-line.ts';

const PROGRAM = {
  script: 'bench:example',
  options: {
    seed: { type: 'string', value: 'N', multiple: true, what: 'these seeds' },
    jobs: { type: 'string', value: 'N', default: '2', what: 'at a time' },
    quick: { type: 'boolean', default: false, what: 'a few' },
  },
} as const;

/** What a program printed until it ended, and its exit code; `undefined` if it went on. */
function outcome(...args: string[]): { code: number | undefined; out: string; err: string } {
  const said = { code: undefined as number | undefined, out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said.out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.err += text;
    return true;
  });
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    said.code = Number(code);
    throw new Error('ended');
  });
  try {
    benchCommand(PROGRAM, args);
  } catch {
    // As `exit` ends a program.
  }
  return said;
}

afterEach(() => vi.restoreAllMocks());

describe('the command line of a bench', () => {
  it('gives what was typed, and defaults for the rest', () => {
    const { values, positionals } = benchCommand(PROGRAM, ['--seed', '1', '--seed', '2', '--quick']);
    expect(values).toEqual({ seed: ['1', '2'], jobs: '2', quick: true });
    expect(positionals).toEqual([]);
  });

  it('prints all options for --help and ends with 0', () => {
    const { code, out, err } = outcome('--help');
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain('usage: npm run bench:example -- [--seed N]... [--jobs N] [--quick] [--help]');
    expect(out).toMatch(/--jobs N +at a time \(default 2\)/);
  });

  it.each([[['--sed', '1']], [['--jobs']], [['extra']]])(
    'says of %j what is wrong in one line, how to call it in another, and ends with 2',
    (args) => {
      const { code, out, err } = outcome(...args);
      expect(code).toBe(2);
      expect(out).toBe('');
      expect(err.trimEnd().split('\n')).toHaveLength(2);
      expect(err).toContain('usage: npm run bench:example');
    },
  );
});
