import { describe, expect, it } from 'vitest';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { judge } from '../../src/connection/diagnosis.ts';
import {
  COUNTERS_FRAME_BYTES_MAX,
  type EndCounters,
  noCounters,
  readCounters,
  writeCounters,
} from '../../src/wire/counters.ts';
import { FrameType } from '../../src/wire/frame-types.ts';

/** Counters of an end in a call of 1000 packets in which nothing happened, but for these. */
function counters(changes: Partial<EndCounters> = {}): EndCounters {
  return { ...noCounters(), packetsSent: 1_000, packetsReceived: 1_000, framesInTime: 300, ...changes };
}

describe('the diagnosis', () => {
  it.each([
    ['none', {}, {}, false],
    ['none', { packetsUnacknowledged: 3 }, {}, false],
    ['path', { packetsUnacknowledged: 50 }, {}, false],
    ['rejected', { packetsUnacknowledged: 50 }, { rejectedAuthentication: 48 }, false],
    ['rejected', { packetsUnacknowledged: 20 }, { rejectedMalformed: 20 }, false],
    ['late', { packetsUnacknowledged: 6 }, { framesInTime: 280, framesLate: 20 }, false],
    ['application', {}, { framesUntaken: 100 }, false],
    ['application', {}, { waitingBytes: 1_000_000 }, false],
    ['application', {}, {}, true],
    ['path', { packetsUnacknowledged: 200 }, { waitingBytes: 300_000 }, false],
  ] as const)(
    'is %s when the sender says %j and the receiver %j (blocked: %s)',
    (cause, local, peer, isBlocked) => {
      expect(judge(counters(local), counters(peer), isBlocked).outgoing.cause).toBe(cause);
      expect(judge(counters(local), counters(peer), isBlocked).incoming.cause).toBe('none');
      if (!isBlocked) expect(judge(counters(peer), counters(local), false).incoming.cause).toBe(cause);
    },
  );

  it('says in words what it found, one sentence for each direction', () => {
    const { text } = judge(counters({ packetsUnacknowledged: 51 }), counters({ framesLate: 30 }), false);
    expect(text).toBe(
      'to the peer: 9.1 % of the media frames came after their deadline: give more latency; from the peer: nothing worth naming was lost',
    );
  });

  it('does not blame duplicates, nor late packets of a handshake that is over', () => {
    const peer = counters({ rejectedDuplicate: 500, rejectedKeys: 40 });
    expect(judge(counters(), peer, false).outgoing.cause).toBe('none');
  });
});

describe('a COUNTERS frame', () => {
  it('is written as the wire format says', () => {
    const out = new Uint8Array(COUNTERS_FRAME_BYTES_MAX);
    const writer = new Writer().reset(out);
    const sent = {
      ...noCounters(),
      packetsSent: 1_000,
      packetsReceived: 37,
      rejectedDuplicate: 2,
      waitingBytes: 70_000,
    };
    writeCounters(writer, sent);
    expect(Buffer.from(out.subarray(0, writer.at)).toString('hex')).toBe(
      '350c43e825000002000000000000' + '80011170',
    );
    const reader = new Reader().reset(out, 0, writer.at);
    expect(reader.u8()).toBe(FrameType.COUNTERS);
    const read = noCounters();
    expect(readCounters(reader, read)).toBe(0);
    expect(read).toEqual(sent);
    expect(reader.remaining).toBe(0);
  });

  it('may have more values than are known here, or fewer; more than 32, or less than it says, is an error', () => {
    const read = (bytes: number[]): [number, EndCounters] => {
      const counters = noCounters();
      return [readCounters(new Reader().reset(Uint8Array.from(bytes)), counters), counters];
    };
    expect(read([1, 9])[1].packetsSent).toBe(9);
    expect(read([14, ...new Array(14).fill(3)])).toEqual([
      0,
      Object.fromEntries(Object.keys(noCounters()).map((name) => [name, 3])),
    ]);
    expect(read([33, ...new Array(33).fill(1)])[0]).not.toBe(0);
    expect(read([3, 1, 1])[0]).not.toBe(0);
  });
});
