/** Fuzzing in portions, so that it can end at a number of rounds or after minutes: parsers, TLS bytes, random API calls. */
import { readFileSync } from 'node:fs';
import { SeededRandom } from '../../src/base/random.ts';
import { createClientHandshake, createServerHandshake } from '../../src/node/tls.ts';
import { Spin } from '../failures/spin.ts';
import { drain, settle } from '../helpers/tls-pair.ts';
import { mutant } from './mutant.ts';
import { TARGETS } from './targets.ts';

const CORPUS: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('./corpus.json', import.meta.url), 'utf8'),
);
const PSK: Uint8Array = new Uint8Array(32).fill(1);
const SPIN_MS = 5_000;

/** The committed beginnings of one target, and what made it fail before. */
export function corpusOf(name: string): Uint8Array[] {
  return (CORPUS[name] ?? []).map((text) => Uint8Array.from(Buffer.from(text, 'hex')));
}

/** Feeds `count` damaged inputs to every parser. Throws with the input that did it. */
export function fuzzParsers(seed: number, count: number): void {
  for (const { name, run } of TARGETS) {
    const corpus = corpusOf(name);
    const random = new SeededRandom(seed);
    for (const bytes of corpus) run(bytes);
    for (let i = 0; i < count; i++) {
      const bytes = mutant(corpus, random);
      try {
        run(bytes);
      } catch (cause) {
        const text = Buffer.from(bytes).toString('hex');
        throw new Error(`target ${name}, seed ${seed}, input ${text}: ${(cause as Error).message}`, {
          cause,
        });
      }
    }
  }
}

/** Gives `count` listeners, each with real TLS, a damaged first flight. None may complete with other bytes, none throw. */
export async function fuzzTls(seed: number, count: number): Promise<void> {
  const random = new SeededRandom(seed);
  const caller = createClientHandshake({ psk: PSK });
  await settle();
  const corpus = [Uint8Array.from(drain(caller)), new Uint8Array([22, 3, 1, 0, 5, 1, 0, 0, 1, 0])];
  for (let i = 0; i < count; i++) {
    const listener = createServerHandshake({ psk: PSK });
    listener.receive(mutant(corpus, random));
    await settle();
    listener.receive(mutant(corpus, random));
    await settle();
    if (listener.state === 'complete') throw new Error(`seed ${seed}: damaged bytes completed a handshake`);
    listener.close();
  }
  caller.close();
}

/** Random API calls on a live pair under random faults. */
export function fuzzCalls(seed: number): void {
  const spin = new Spin(seed);
  spin.run(SPIN_MS);
  spin.finish();
}
