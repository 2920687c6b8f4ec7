/** Seeded damage to bytes: what fuzzers do, in the order of how often it finds something. */
import type { SeededRandom } from '../../src/base/random.ts';

const SIZE_MAX = 1_500;
/** First bytes of varints, and the numbers at the edges of their sizes. */
const EDGES: readonly (readonly number[])[] = [
  [0x00],
  [0x3f],
  [0x40, 0x40],
  [0x7f, 0xff],
  [0x80, 0x00, 0x40, 0x00],
  [0xbf, 0xff, 0xff, 0xff],
  [0xc0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
];

/** A damaged copy of one of `corpus`. */
export function mutant(corpus: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  const below = (limit: number): number => random.u32() % Math.max(1, limit);
  let bytes = [...(corpus[below(corpus.length)] ?? [])];
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(bytes.length);
    switch (below(7)) {
      case 0:
        bytes[at] = ((bytes[at] ?? 0) ^ (1 << below(8))) & 255;
        break;
      case 1:
        bytes[at] = below(256);
        break;
      case 2:
        bytes.splice(at, 0, ...Array.from({ length: 1 + below(8) }, () => below(256)));
        break;
      case 3:
        bytes.splice(at, 1 + below(8));
        break;
      case 4:
        bytes = bytes.slice(0, at);
        break;
      case 5: {
        const edge = EDGES[below(EDGES.length)] ?? [];
        bytes.splice(at, edge.length, ...edge);
        break;
      }
      default: {
        const other = corpus[below(corpus.length)] ?? new Uint8Array(0);
        bytes = [...bytes.slice(0, at), ...other.subarray(below(other.length))];
      }
    }
  }
  return Uint8Array.from(bytes.slice(0, SIZE_MAX));
}
