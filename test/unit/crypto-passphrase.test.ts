/** Passphrases: the rule, the key, the generator. */
import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkPassphrase, derivePsk, generatePassphrase } from '../../src/node/passphrase.ts';

describe('a passphrase', () => {
  it('has 10 to 79 characters', () => {
    for (const length of [10, 79]) expect(() => checkPassphrase('x'.repeat(length))).not.toThrow();
    for (const length of [0, 9, 80]) expect(() => checkPassphrase('x'.repeat(length))).toThrow(RangeError);
  });

  it('is a string', () => {
    for (const value of [undefined, null, 1234567890, Buffer.alloc(20), ['long enough?']]) {
      expect(() => checkPassphrase(value)).toThrow(TypeError);
    }
  });

  it('is named in no error', () => {
    expect(() => checkPassphrase('tooshort9')).toThrow(/^((?!tooshort9).)*$/);
  });

  it('gives the key that scrypt gives with N 32768, r 8, p 1 and the salt millrace/1', async () => {
    const expected = scryptSync('correct horse battery', 'millrace/1', 32, {
      N: 32_768,
      r: 8,
      p: 1,
      maxmem: 67_108_864,
    });
    expect(Buffer.from(await derivePsk('correct horse battery'))).toEqual(expected);
  });

  it('is derived once, also when asked for twice at the same time', () => {
    const first = derivePsk('asked for twice');
    expect(derivePsk('asked for twice')).toBe(first);
    expect(derivePsk('another passphrase')).not.toBe(first);
    return first;
  });

  it('is the same whether its letters are written composed or decomposed', async () => {
    const [composed, decomposed] = ['M\u00fcller & S\u00f6hne', 'Mu\u0308ller & So\u0308hne'];
    expect(await derivePsk(decomposed)).toEqual(await derivePsk(composed));
    expect(() => checkPassphrase('u\u0308'.repeat(9))).toThrow(RangeError);
  });

  it('made at random keeps the rule, fits a URI and is never the same', () => {
    const made = new Set(Array.from({ length: 200 }, generatePassphrase));
    expect(made.size).toBe(200);
    for (const passphrase of made) {
      checkPassphrase(passphrase);
      expect(passphrase).toMatch(/^[a-z2-9]{5}(-[a-z2-9]{5}){5}$/);
    }
  });
});
