import { describe, expect, it } from 'vitest';
import type { ErasureCodec, RepairEquations } from '../../src/fec/codec.ts';
import { loadCodec, supportsEngine } from '../../src/fec/kernel.ts';
import { ENGINES } from '../helpers/fec-digest.ts';

const zeroes = (count: number, bytes: number) => Array.from({ length: count }, () => new Uint8Array(bytes));
const not = <T>(value: unknown) => value as T;

type Mistake = readonly [
  what: string,
  error: typeof RangeError | typeof TypeError,
  (rs: ErasureCodec) => unknown,
];

const ENCODE: readonly Mistake[] = [
  ['no symbols', RangeError, (rs) => rs.encode(0, 1, [], 10)],
  ['k of 255', RangeError, (rs) => rs.encode(255, 1, zeroes(255, 1), 10)],
  ['k that is not whole', RangeError, (rs) => rs.encode(1.5, 1, zeroes(1, 1), 10)],
  ['k that is no number', TypeError, (rs) => rs.encode(not('2'), 1, zeroes(2, 1), 10)],
  ['k that is NaN', RangeError, (rs) => rs.encode(Number.NaN, 1, [], 10)],
  ['r of 0', RangeError, (rs) => rs.encode(2, 0, zeroes(2, 1), 10)],
  ['k + r above 255', RangeError, (rs) => rs.encode(200, 56, zeroes(200, 1), 10)],
  ['k + firstRow + r above 255', RangeError, (rs) => rs.encode(200, 6, zeroes(200, 1), 10, 50)],
  ['a negative firstRow', RangeError, (rs) => rs.encode(2, 1, zeroes(2, 1), 10, -1)],
  ['symbols of no bytes', RangeError, (rs) => rs.encode(2, 1, zeroes(2, 0), 0)],
  ['symbols above 1472 bytes', RangeError, (rs) => rs.encode(2, 1, zeroes(2, 1), 1473)],
  ['fewer symbols than k', RangeError, (rs) => rs.encode(3, 1, zeroes(2, 1), 10)],
  ['more symbols than k', RangeError, (rs) => rs.encode(1, 1, zeroes(2, 1), 10)],
  ['a symbol above symbolBytes', RangeError, (rs) => rs.encode(2, 1, zeroes(2, 11), 10)],
  ['a symbol that is missing', TypeError, (rs) => rs.encode(2, 1, [new Uint8Array(1), not(undefined)], 10)],
  ['a symbol that is no bytes', TypeError, (rs) => rs.encode(1, 1, [not([1, 2])], 10)],
  ['a symbol of wider numbers', TypeError, (rs) => rs.encode(1, 1, [not(new Float64Array(2))], 10)],
  [
    'symbols that are no array',
    TypeError,
    (rs) => rs.encode(1, 1, not({ length: 1, 0: new Uint8Array(1) }), 10),
  ],
];

const DECODE: readonly Mistake[] = [
  ['k of 256', RangeError, (rs) => rs.decode(256, zeroes(256, 1), [], [], 10)],
  ['k that differs from the symbols', RangeError, (rs) => rs.decode(3, zeroes(2, 1), [], [], 10)],
  ['fewer rows than repair symbols', RangeError, (rs) => rs.decode(2, zeroes(2, 1), [], zeroes(1, 1), 10)],
  ['repair above symbolBytes', RangeError, (rs) => rs.decode(2, zeroes(2, 1), [0], zeroes(1, 11), 10)],
  ['repair that is missing', TypeError, (rs) => rs.decode(2, zeroes(2, 1), [0], [not(undefined)], 10)],
  ['a symbol that is null', TypeError, (rs) => rs.decode(1, [not(null)], [0], zeroes(1, 1), 10)],
  [
    'rows that are no array',
    TypeError,
    (rs) => rs.decode(1, zeroes(1, 1), not(new Uint8Array(1)), zeroes(1, 1), 10),
  ],
  ['symbolBytes above 1472', RangeError, (rs) => rs.decode(2, zeroes(2, 1), [], [], 2000)],
];

function equations(change: Partial<RepairEquations>): RepairEquations[] {
  const good = { symbols: [new Uint8Array(4), undefined], unknowns: [0, 0], rows: [0], repair: zeroes(1, 4) };
  return [{ ...good, ...change }];
}

const SOLVE: readonly Mistake[] = [
  ['65 unknowns', RangeError, (rs) => rs.solve(65, [], 4)],
  ['a negative count of unknowns', RangeError, (rs) => rs.solve(-1, [], 4)],
  ['symbolBytes of 0', RangeError, (rs) => rs.solve(1, [], 0)],
  ['an unknown beyond the count', RangeError, (rs) => rs.solve(1, equations({ unknowns: [0, 1] }), 4)],
  [
    'an unknown that is no number',
    TypeError,
    (rs) => rs.solve(1, equations({ unknowns: [0, not(undefined)] }), 4),
  ],
  ['fewer unknowns than symbols', RangeError, (rs) => rs.solve(1, equations({ unknowns: [0] }), 4)],
  [
    'one unknown for two symbols',
    RangeError,
    (rs) => rs.solve(40, equations({ symbols: [undefined, undefined], unknowns: [39, 39] }), 4),
  ],
  ['a block of no symbols', RangeError, (rs) => rs.solve(1, equations({ symbols: [], unknowns: [] }), 4)],
  ['repair above symbolBytes', RangeError, (rs) => rs.solve(1, equations({ repair: zeroes(1, 5) }), 4)],
  ['more rows than repair', RangeError, (rs) => rs.solve(1, equations({ rows: [0, 1] }), 4)],
  ['a block that is no object', TypeError, (rs) => rs.solve(1, [not(null)], 4)],
];

describe.each(ENGINES.filter(supportsEngine))('the %s build', (engine) => {
  const rs = loadCodec(engine);

  it.each(ENCODE)('refuses to encode %s', (_what, error, call) => {
    expect(() => call(rs)).toThrow(error);
  });

  it.each(DECODE)('refuses to decode %s', (_what, error, call) => {
    expect(() => call(rs)).toThrow(error);
  });

  it.each(SOLVE)('refuses to solve %s', (_what, error, call) => {
    expect(() => call(rs)).toThrow(error);
  });

  it('accepts what a mistake is one step away from', () => {
    expect(rs.encode(200, 5, zeroes(200, 1), 1472, 50)).toHaveLength(5);
    expect(rs.encode(254, 1, zeroes(254, 1472), 1472)).toHaveLength(1);
    expect(rs.encode(1, 254, zeroes(1, 1), 1)).toHaveLength(254);
    expect(rs.decode(255, zeroes(255, 1), [0], zeroes(1, 1), 1)).toBe(0);
    expect(rs.solve(1, equations({}), 4)).toEqual([new Uint8Array(4)]);
  });
});
