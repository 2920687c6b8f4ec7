import { describe, expect, test } from 'vitest';
import { MILLISECOND, type Micros, SECOND } from '../../src/base/protocol.ts';
import { ReceiveClock } from '../../src/recovery/receive-clock.ts';
import { ackOf, RecoveryRig } from '../helpers/recovery-rig.ts';

const MINUTE = 60 * SECOND;
const TWO_32 = 4_294_967_296;
/** How far the peer's clock is ahead of ours, plus the way there; near a wrap at the start. */
const AHEAD_US = TWO_32 - 1234;

/** The receive times of two packets that arrived `gapUs` apart, as one clock tells them. */
function gapToldUs(gapUs: Micros, driftPpm = 0): Micros {
  const clock = new ReceiveClock();
  const first = ackOf([[0, 0]], [AHEAD_US % TWO_32]);
  clock.follow(first, 0);
  const toldFirst = clock.timeOf(first, 0);
  const second = ackOf([[1, 1]], [(AHEAD_US + gapUs * (1 + driftPpm / 1e6)) % TWO_32]);
  clock.follow(second, gapUs);
  return clock.timeOf(second, 0) - toldFirst;
}

describe('receive times of 32 bits', () => {
  test.each([1, 30, 35, 36, 40, 71, 72, 100, 720, 1440])(
    'are one clock over %i minutes of silence',
    (minutes) => {
      expect(gapToldUs(minutes * MINUTE)).toBe(minutes * MINUTE);
    },
  );

  test.each([-200, 200])('keep a drift of %i ppm over a day of silence', (ppm) => {
    const gapUs = 1440 * MINUTE;
    expect(gapToldUs(gapUs, ppm)).toBe(gapUs * (1 + ppm / 1e6));
  });

  test('may go back a little, where feedback overtook feedback', () => {
    const clock = new ReceiveClock();
    clock.follow(ackOf([[5, 5]], [1000]), 100 * MILLISECOND);
    const late = ackOf([[4, 4]], [TWO_32 - 1000]);
    clock.follow(late, 101 * MILLISECOND);
    expect(clock.timeOf(late, 0)).toBe(-1000);
  });

  test('go on over a silence of 40 minutes for whoever hears of acked packets', () => {
    const rig = new RecoveryRig();
    for (const [n, sentAtUs] of [0, 40 * MINUTE].entries()) {
      rig.send(sentAtUs);
      rig.recovery.onAckReceived(ackOf([[n, n]], [(sentAtUs + 10_000) % TWO_32]), sentAtUs + 20_000);
    }
    expect(rig.samples.map(({ receivedAtUs }) => receivedAtUs)).toEqual([10_000, 40 * MINUTE + 10_000]);
  });
});
