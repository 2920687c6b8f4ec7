/**
 * What a peer's bytes reach first, one parser at a time. Each target takes any bytes, must not throw, must say 0 or a
 * reason, must not read beyond them, and what it accepts must make sense. The corpus (corpus.json) begins each.
 */
import { Reader } from '../../src/base/bytes.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { BlockDecoder } from '../../src/fec/decoder.ts';
import { codec } from '../../src/fec/kernel.ts';
import { RetryTokens } from '../../src/path/retry-tokens.ts';
import { AckFrame, TrackAckFrame } from '../../src/wire/ack.ts';
import { readClose } from '../../src/wire/control.ts';
import { noCounters, readCounters } from '../../src/wire/counters.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { PacketHeader } from '../../src/wire/header.ts';
import { encodeParameters, parseParameters } from '../../src/wire/parameters.ts';
import { StreamFrame } from '../../src/wire/stream.ts';
import { RepairFrame, SourceSymbolHeader, SymbolFrame } from '../../src/wire/symbol.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Throws if the bytes were treated wrongly. */
  run(bytes: Uint8Array): void;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** A frame behind its type: `parse` gets a reader that must stay within the bytes. */
function frame(name: string, parse: (reader: Reader, type: number) => void): FuzzTarget {
  const reader = new Reader();
  return {
    name,
    run: (bytes) => {
      if (bytes.length === 0) return;
      // Behind a margin that belongs to somebody else.
      const padded = new Uint8Array(bytes.length + 64).fill(0xff);
      padded.set(bytes);
      reader.reset(padded, 0, bytes.length);
      parse(reader, reader.u8());
      check(reader.remaining >= 0 && reader.remaining <= bytes.length, 'the reader left its bytes');
    },
  };
}

const ack = new AckFrame();
const trackAck = new TrackAckFrame();
const symbol = new SymbolFrame();
const source = new SourceSymbolHeader();
const repair = new RepairFrame();
const stream = new StreamFrame();
const header = new PacketHeader();

function ackTarget(): FuzzTarget {
  return frame('ack', (reader) => {
    if (ack.parse(reader) !== 0) return;
    check(ack.rangeCount >= 1 && ack.rangeCount <= 64, `${ack.rangeCount} ranges`);
    let below = ack.largest;
    for (let i = 0; i < ack.rangeCount; i++) {
      const start = ack.starts[i] as number;
      const end = ack.ends[i] as number;
      check(start >= 0 && start <= end && end <= below, `range ${start}..${end} below ${below}`);
      below = start - 2;
    }
  });
}

function repairTarget(): FuzzTarget {
  const decoder = new BlockDecoder(codec());
  let count = 0;
  return frame('repair', (reader, type) => {
    if (repair.parse(reader, type & 1 ? FrameType.REPAIR + 1 : FrameType.REPAIR) !== 0) return;
    const { first, stride, k, row, bytes } = repair;
    check(k >= 1 && k + row <= 254, `a block of ${k} with row ${row}`);
    if (bytes.length === 0) return;
    decoder.onRepair(first, stride, k, row, bytes.slice());
    decoder.onSymbol(first, bytes.slice());
    decoder.takeRebuilt(() => {});
    if (count++ % 64 === 0) decoder.dropBelow(first);
  });
}

function tokenTarget(): FuzzTarget {
  const tokens = new RetryTokens(plainCrypto.hmac, new Uint8Array(32).fill(9));
  const address = Uint8Array.of(10, 0, 0, 1);
  const originalId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const genuine = tokens.issue(address, originalId, 5_000_000);
  return {
    name: 'token',
    run: (bytes) => {
      const isSame = bytes.length === genuine.length && bytes.every((byte, i) => byte === genuine[i]);
      check(tokens.isGenuine(bytes, address, originalId, 6_000_000) === isSame, 'a forged token was taken');
    },
  };
}

/** Every target that is synchronous; TLS is fed in run.ts and datagrams.test.ts. */
export const TARGETS: readonly FuzzTarget[] = [
  {
    name: 'packet',
    run: (bytes) => {
      for (let at = 0, packets = 0; at < bytes.length; packets++) {
        if (header.parse(bytes, at, 1200) !== 0) return;
        check(header.end > at && header.end <= bytes.length, `a packet ends at ${header.end}`);
        check(header.payloadStart <= header.end, 'a payload begins behind its end');
        check(packets < bytes.length, 'packets without end');
        at = header.end;
      }
    },
  },
  ackTarget(),
  frame('track-ack', (reader) => void trackAck.parse(reader)),
  frame('symbol', (reader, type) => {
    if (symbol.parse(reader, FrameType.SYMBOL + (type & 7)) !== 0) return;
    if (source.parse(symbol.bytes) !== 0) return;
    check(source.index < source.count && source.frameLength <= 16_777_216, 'a source symbol that cannot be');
  }),
  repairTarget(),
  frame('stream', (reader, type) => {
    if (stream.parse(reader, FrameType.STREAM + (type & 7)) !== 0) return;
    check(stream.offset + stream.bytes.length <= Number.MAX_SAFE_INTEGER, 'a stream beyond all numbers');
  }),
  frame('close', (reader, type) => void readClose(reader, type & 1 ? 0x1d : 0x1c)),
  frame('counters', (reader) => {
    const counters = noCounters();
    if (readCounters(reader, counters) !== 0) return;
    for (const value of Object.values(counters)) check(Number.isSafeInteger(value), `a counter of ${value}`);
  }),
  {
    name: 'parameters',
    run: (bytes) => {
      const parsed = parseParameters(bytes);
      if (typeof parsed === 'number') return;
      const again = parseParameters(encodeParameters(parsed));
      check(
        JSON.stringify(again) === JSON.stringify(parsed),
        'parameters change when they are written again',
      );
    },
  },
  tokenTarget(),
];
