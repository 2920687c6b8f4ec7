/** A fixed, small part of `npm run fuzz -- --minutes N`: every parser from its corpus, and TLS with damaged flights. */
import { describe, expect, it } from 'vitest';
import { corpusOf, fuzzParsers, fuzzTls } from './session.ts';
import { TARGETS } from './targets.ts';

describe('bytes of a hostile peer', () => {
  it('has a beginning for every parser', () => {
    for (const { name } of TARGETS) expect(corpusOf(name).length, name).toBeGreaterThan(0);
  });

  it.each([1, 2])(
    '4000 damaged inputs a parser: nothing throws, nothing false is taken (seed %i)',
    (seed) => {
      expect(() => fuzzParsers(seed, 4_000)).not.toThrow();
    },
  );

  it('20 damaged first flights: no listener completes, none throws (seed 1)', async () => {
    await expect(fuzzTls(1, 20)).resolves.toBeUndefined();
  });
});
