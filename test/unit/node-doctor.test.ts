/** What a measurement of the doctor says of the datagrams that arrive, without a path: timers are of the test. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Connection as Core } from '../../src/connection/connection.ts';
import type { Connection } from '../../src/node/connection.ts';
import { Datagrams } from '../../src/node/datagrams.ts';
import { measure } from '../../src/node/doctor.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout'] }));
afterEach(() => void vi.useRealTimers());

function probe(number: number): Uint8Array {
  const bytes = new Uint8Array(100);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

test('one measurement after the other finds nothing lost where everything arrived', async () => {
  const datagrams = new Datagrams(
    {} as Core,
    () => {},
    () => 0,
  );
  const connection = { datagrams } as unknown as Connection;
  for (let i = 0; i < 3; i++) {
    const measuring = measure(connection, { kind: 'down', durationMs: 100 }, true);
    for (let number = 0; number < 5; number++) datagrams.onDatagram(probe(number));
    await vi.runAllTimersAsync();
    expect((await measuring).result).toMatchObject({ received: 5, lost: 0, reordered: 0 });
  }
});
