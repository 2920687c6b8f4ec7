import { describe, expect, test } from 'vitest';
import { WireError } from '../../src/base/errors.ts';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { SymbolDrop } from '../../src/track/receive.ts';
import { ANNOUNCEMENT, one, ReceiverProbe } from '../helpers/track-symbols.ts';

const MS = MILLISECOND;
const OWD = 20 * MS;

describe('the end of a track', () => {
  test('comes in time when the first that is heard of it is a TRACK_SKIP, whatever the clocks of both ends say', () => {
    const probe = new ReceiverProbe({});
    const startUs = 200 * SECOND;
    expect(probe.receiver.onSkip(1, 2, startUs)).toBe(0);
    probe.symbol(3, one(3, 5 * SECOND), startUs + MS);
    expect(probe.receiver.onEnd(5, 5, startUs + 2 * MS)).toBe(0);
    expect(probe.receiver.nextDeadline()).toBeLessThan(startUs + 500 * MS);
    probe.run(startUs + SECOND);
    expect(probe.log).toContain('finished');
  });

  test('comes when everything is out; a lost tail is waited for until the latency is over', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, one(0, 0), OWD);
    expect(probe.receiver.onEnd(3, 3, OWD)).toBe(0);
    expect(probe.log).not.toContain('finished');
    probe.run(OWD + 120 * MS);
    expect(probe.log).toContain('finished');
    expect(probe.receiver.statistics.frames).toMatchObject({ sent: 3, onTime: 1, lost: 2 });
    expect(probe.receiver.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });

  test('that is heard of before its announcement comes with that, and every media frame is accounted for', () => {
    const probe = new ReceiverProbe(undefined);
    expect(probe.receiver.onEnd(0, 3, OWD)).toBe(0);
    expect(probe.receiver.isFinished).toBe(false);
    probe.receiver.announce(ANNOUNCEMENT, OWD + MS);
    expect(probe.receiver.isFinished).toBe(true);
    expect(probe.receiver.statistics.frames).toMatchObject({ sent: 3, lost: 3 });
  });

  test('below a symbol that has come already is an error', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(5, one(5, 0), OWD);
    expect(probe.receiver.onEnd(3, 3, OWD)).toBe(WireError.FINAL_SIZE_ERROR);
  });

  test('by stop drops everything and takes no more', () => {
    const probe = new ReceiverProbe({}, false);
    probe.symbol(0, one(0, 0), OWD);
    probe.receiver.stop();
    expect(probe.receiver.poll()).toBeUndefined();
    expect(probe.symbol(1, one(1, 0), OWD)).toBe(SymbolDrop.LATE);
  });
});
