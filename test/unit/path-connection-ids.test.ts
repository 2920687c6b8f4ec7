import { describe, expect, test } from 'vitest';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { WireError } from '../../src/base/errors.ts';
import { ConnectionIds, type IdIssuer } from '../../src/path/connection-ids.ts';
import { FrameType } from '../../src/wire/frame-types.ts';

const FIRST = new Uint8Array(8).fill(1);
const THEIRS = new Uint8Array(8).fill(2);

interface Rig {
  readonly ids: ConnectionIds;
  readonly retired: number[];
  readonly tokens: Map<string, boolean>;
  /** Type and sequence number of every frame that waits, told as sent. */
  flush(room?: number): [number, number][];
  learn(sequence: number, priorTo?: number, fill?: number): number;
  readonly replaced: [number, number][];
}

/** IDs whose bytes all equal 100 + how many were issued before. */
function rig(): Rig {
  let issued = 0;
  const retired: number[] = [];
  const tokens = new Map<string, boolean>();
  const replaced: [number, number][] = [];
  const issuer: IdIssuer = {
    firstResetToken: () => new Uint8Array(16).fill(99),
    issue: () => {
      const fill = 100 + issued++;
      return { id: new Uint8Array(8).fill(fill), resetToken: new Uint8Array(16).fill(fill) };
    },
    retire: (id) => retired.push(id[0] as number),
    onResetToken: (token, isValid) => tokens.set(`${token[0]}`, isValid),
  };
  const ids = new ConnectionIds(issuer);
  ids.start(FIRST, THEIRS);
  const out = new Uint8Array(1200);
  return {
    ids,
    retired,
    tokens,
    replaced,
    flush: (room = 1200) => {
      const notes: [number, number][] = [];
      ids.writeFrames(new Writer().reset(out, 0, room), {
        note: (_kind, type, sequence) => notes.push([type, sequence]),
      });
      return notes;
    },
    learn: (sequence, priorTo = 0, fill = 50 + sequence) => {
      const writer = new Writer().reset(new Uint8Array(64));
      writer.varint(sequence);
      writer.varint(priorTo);
      writer.u8(8);
      writer.copy(new Uint8Array(8).fill(fill));
      writer.copy(new Uint8Array(16).fill(fill));
      return ids.onNewId(new Reader().reset(writer.bytes, 0, writer.at), (old, next) =>
        replaced.push([old[0] as number, next[0] as number]),
      );
    },
  };
}

const { NEW_CONNECTION_ID: NEW, RETIRE_CONNECTION_ID: RETIRE } = FrameType;

describe('connection IDs of ours', () => {
  test('are three from the start: that of the handshake, for its token, and two spare ones', () => {
    expect(rig().flush()).toEqual([
      [NEW, 0],
      [NEW, 1],
      [NEW, 2],
    ]);
  });

  test('are announced as far as a packet has room, and again when lost', () => {
    const { ids, flush } = rig();
    expect(flush(50)).toEqual([[NEW, 0]]);
    ids.onLost(NEW, 0);
    expect(flush()).toEqual([
      [NEW, 1],
      [NEW, 2],
      [NEW, 0],
    ]);
    expect(ids.wantsToSend()).toBe(false);
  });

  test('one that the peer retires leads nowhere any more, and another one is issued', () => {
    const { ids, flush, retired } = rig();
    flush();
    expect(ids.onRetireId(1)).toBe(0);
    expect(retired).toEqual([100]);
    expect(flush()).toEqual([[NEW, 3]]);
    expect(ids.onRetireId(1)).toBe(0);
    expect(flush()).toEqual([]);
    expect(ids.onRetireId(9)).toBe(WireError.PROTOCOL_VIOLATION);
  });

  test('one that the peer was never told of cannot be retired: no walk through numbers makes IDs', () => {
    const { ids, flush, retired } = rig();
    expect(ids.onRetireId(1)).toBe(WireError.PROTOCOL_VIOLATION);
    flush(60);
    expect(ids.onRetireId(1)).toBe(WireError.PROTOCOL_VIOLATION);
    flush();
    expect(ids.onRetireId(2)).toBe(0);
    expect(ids.onRetireId(3)).toBe(WireError.PROTOCOL_VIOLATION);
    expect(retired).toEqual([101]);
  });
});

describe("the peer's connection IDs", () => {
  test('a new path takes an unused one, or the present one when none is left', () => {
    const { ids, learn } = rig();
    expect(learn(1)).toBe(0);
    const fresh = ids.take(THEIRS);
    expect(fresh[0]).toBe(51);
    expect(ids.take(fresh)).toBe(fresh);
  });

  test('one that no path uses is retired, and its token counts no more; the last one stays', () => {
    const { ids, learn, flush, tokens } = rig();
    flush();
    learn(0, 0, 2);
    learn(1);
    ids.take(THEIRS);
    ids.release(THEIRS);
    expect(flush()).toEqual([[RETIRE, 0]]);
    expect(tokens.get('2')).toBe(false);
    expect(tokens.get('51')).toBe(true);
    ids.release(ids.take(THEIRS));
    expect(flush()).toEqual([]);
  });

  test('a late repetition of a retired one is ignored', () => {
    const { ids, learn } = rig();
    learn(1);
    ids.take(THEIRS);
    ids.release(THEIRS);
    expect(learn(0, 0, 2)).toBe(0);
    const { ids: other } = rig();
    expect(other.take(THEIRS)).toBe(THEIRS);
  });

  test('the peer may retire what is in use: a spare one takes its place', () => {
    const { learn, flush, replaced } = rig();
    flush();
    learn(1);
    expect(learn(2, 1)).toBe(0);
    expect(replaced).toEqual([[2, 51]]);
    expect(flush()).toEqual([[RETIRE, 0]]);
  });

  test('two in use that the peer wants back are both replaced, by one if there is no more', () => {
    const { ids, learn, flush, replaced } = rig();
    flush();
    learn(1);
    ids.take(THEIRS);
    expect(learn(2, 2)).toBe(0);
    expect(replaced).toEqual([
      [51, 52],
      [2, 52],
    ]);
  });

  test('a peer that takes back all of them breaks the protocol', () => {
    const { ids, learn } = rig();
    learn(5);
    ids.release(ids.take(THEIRS));
    expect(learn(5, 5)).toBe(WireError.PROTOCOL_VIOLATION);
  });

  test('one below what was retired is retired at once', () => {
    const { learn, flush } = rig();
    flush();
    learn(2, 2);
    expect(learn(1)).toBe(0);
    expect(flush()).toEqual([
      [RETIRE, 0],
      [RETIRE, 1],
    ]);
  });

  test('a fifth one, and sequence numbers with 16 gaps, end the connection', () => {
    const one = rig();
    expect([1, 2, 3, 4].map((sequence) => one.learn(sequence))).toEqual([
      0,
      0,
      0,
      WireError.CONNECTION_ID_LIMIT_ERROR,
    ]);
    const other = rig();
    const results = Array.from({ length: 17 }, (_, i) => other.learn(2 * i + 2, 2 * i + 2));
    expect(results.indexOf(WireError.CONNECTION_ID_LIMIT_ERROR)).toBe(15);
  });

  test.each([
    ['the same sequence number with another ID', 1, 77],
    ['the same ID under another sequence number', 2, 51],
  ])('%s is a violation', (_, sequence, fill) => {
    const { learn } = rig();
    learn(1);
    expect(learn(sequence, 0, fill)).toBe(WireError.PROTOCOL_VIOLATION);
  });

  test('a frame that is cut, or whose ID has not 8 bytes, is an encoding error', () => {
    const { ids } = rig();
    const bytes = new Uint8Array(27).fill(1);
    bytes[2] = 8;
    for (let size = 0; size < 27; size++) {
      expect(ids.onNewId(new Reader().reset(bytes, 0, size), () => {})).toBe(WireError.FRAME_ENCODING_ERROR);
    }
    bytes[2] = 7;
    expect(ids.onNewId(new Reader().reset(bytes), () => {})).toBe(WireError.FRAME_ENCODING_ERROR);
  });
});
