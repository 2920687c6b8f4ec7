/** Passphrases: the rule, the pre-shared key derived from one, and a strong one made at random. Source: DESIGN D2. */
import { randomInt, scrypt } from 'node:crypto';

/** SRT's rule. */
export const PASSPHRASE_LENGTH_MIN = 10;
export const PASSPHRASE_LENGTH_MAX = 79;
/** Fixed: both ends must arrive at the same key without a word. SECURITY.md says what that means for weak ones. */
const SALT = 'millrace/1';
const COST = { N: 32_768, r: 8, p: 1, maxmem: 67_108_864 } as const;
const PSK_BYTES = 32;
/** Derived keys remembered; deriving one takes about 70 ms of a worker thread. */
const CACHE_MAX = 64;
/** Letters and digits that are not mistaken for each other: 31 of them, 4.95 bits each. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const GROUPS = 6;
const GROUP_LETTERS = 5;

const cache: Map<string, Promise<Uint8Array>> = new Map();

/**
 * The passphrase as it is hashed: in Unicode's composed form, for keyboards and systems differ in how they write an umlaut.
 *
 * @throws TypeError, RangeError that state the rule.
 */
export function checkPassphrase(passphrase: unknown): string {
  if (typeof passphrase !== 'string') throw new TypeError('a passphrase is a string');
  const composed = passphrase.normalize('NFC');
  const { length } = composed;
  if (length < PASSPHRASE_LENGTH_MIN || length > PASSPHRASE_LENGTH_MAX) {
    throw new RangeError(
      `a passphrase has ${PASSPHRASE_LENGTH_MIN} to ${PASSPHRASE_LENGTH_MAX} characters, not ${length}; ` +
        '`millrace keygen` makes a strong one',
    );
  }
  return composed;
}

/** The 32-byte pre-shared key of a passphrase, by scrypt. Derived once per distinct passphrase. */
export function derivePsk(passphrase: string): Promise<Uint8Array> {
  const composed = checkPassphrase(passphrase);
  const known = cache.get(composed);
  if (known !== undefined) return known;
  const derived = new Promise<Uint8Array>((resolve, reject) => {
    scrypt(composed, SALT, PSK_BYTES, COST, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
  cache.set(composed, derived);
  // A failure (memory was short) is not for ever.
  derived.catch(() => cache.delete(composed));
  if (cache.size > CACHE_MAX) cache.delete(cache.keys().next().value as string);
  return derived;
}

/** A passphrase nobody can guess: 30 letters and digits in groups of five, 148 bits. */
export function generatePassphrase(): string {
  const groups: string[] = [];
  for (let group = 0; group < GROUPS; group++) {
    let letters = '';
    for (let i = 0; i < GROUP_LETTERS; i++) letters += ALPHABET[randomInt(ALPHABET.length)];
    groups.push(letters);
  }
  return groups.join('-');
}
