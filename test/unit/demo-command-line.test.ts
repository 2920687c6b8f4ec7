/** How the demo's programs read their command lines, and what they say when they cannot go on. */
import { describe, expect, it } from 'vitest';
import { explain, numberOption, Refusal, readPassphrase, refuse } from '../../demo/command-line.ts';
import { MediaServer } from '../../demo/media-socket.ts';

function thrownBy(what: () => unknown): unknown {
  try {
    what();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('a number on the command line', () => {
  it.each(['1', '120', '5e3'])('may be %s', (text) => {
    expect(numberOption('latency', text, 1, 5_000)).toBe(Number(text));
  });

  it.each(['', ' ', 'soon', '0', '5001', 'NaN', '-1'])('may not be %j', (text) => {
    const error = thrownBy(() => numberOption('latency', text, 1, 5_000));
    expect(explain(error)).toEqual({
      text: '--latency is from 1 to 5000; --help lists the options',
      exitCode: 2,
    });
  });
});

describe('what went wrong is said in one line', () => {
  it('for what the person can mend', () => {
    expect(explain(new Refusal('please do this'))).toEqual({ text: 'please do this', exitCode: 1 });
  });

  it('for a file that is not there', () => {
    expect(explain(thrownBy(() => readPassphrase('/no/such/key')))).toEqual({
      text: 'there is no /no/such/key',
      exitCode: 1,
    });
  });

  it('for an address to serve that is none', async () => {
    const error = await MediaServer.open('nowhere', () => {}).then(
      () => undefined,
      (reason: unknown) => thrownBy(() => refuse(reason)),
    );
    const text = 'nowhere is neither HOST:PORT nor unix:PATH; --help lists the options';
    expect(explain(error)).toEqual({ text, exitCode: 2 });
  });

  it('but a mistake of our own keeps its stack', () => {
    expect(explain(new TypeError('a bug')).text).toMatch(/^TypeError: a bug\n {4}at /);
  });
});
