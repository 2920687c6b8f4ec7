import { expect, test } from 'vitest';
import { SECOND } from '../../src/base/protocol.ts';
import { nodeCrypto } from '../../src/node/seal.ts';
import { RetryTokens, USED_TOKENS_MAX } from '../../src/path/retry-tokens.ts';

const ADDRESS = Uint8Array.of(1, 2, 3);
const ID = new Uint8Array(8);
const made = (key: number): RetryTokens => new RetryTokens(nodeCrypto.hmac, new Uint8Array(32).fill(key));

test('a token of another key, another length, or another call is not genuine', () => {
  const tokens = made(1);
  const token = tokens.issue(ADDRESS, ID, SECOND);
  expect(tokens.isGenuine(token, ADDRESS, ID, SECOND)).toBe(true);
  expect(made(2).isGenuine(token, ADDRESS, ID, SECOND)).toBe(false);
  expect(tokens.isGenuine(token.subarray(0, 19), ADDRESS, ID, SECOND)).toBe(false);
  expect(tokens.isGenuine(Uint8Array.of(...token, 0), ADDRESS, ID, SECOND)).toBe(false);
  expect(tokens.isGenuine(token, ADDRESS, new Uint8Array(9), SECOND)).toBe(false);
  // The boundary between ID and address counts: bytes cannot move from one to the other.
  expect(tokens.isGenuine(token, Uint8Array.of(2, 3), Uint8Array.of(...ID, 1), SECOND)).toBe(false);
});

test('one from the future is not genuine', () => {
  const token = made(1).issue(ADDRESS, ID, 100 * SECOND);
  expect(made(1).isGenuine(token, ADDRESS, ID, 90 * SECOND)).toBe(false);
});

test('used tokens are remembered up to a limit, beyond which none is taken until some are forgotten', () => {
  const tokens = made(1);
  const issue = (i: number, now: number): Uint8Array =>
    tokens.issue(Uint8Array.of(i >>> 8, i & 255), ID, now);
  let taken = 0;
  for (let i = 0; i < USED_TOKENS_MAX + 100; i++) if (tokens.use(issue(i, 20 * SECOND), 20 * SECOND)) taken++;
  expect(taken).toBe(USED_TOKENS_MAX);
  expect(tokens.use(issue(3, 36 * SECOND), 36 * SECOND)).toBe(true);
  expect(tokens.use(issue(3, 36 * SECOND), 36 * SECOND)).toBe(false);
});
