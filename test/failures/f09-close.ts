/**
 * F9: one application closes and the other sees a reset without a reason. Here the close travels through 30 % loss: the
 * peer gets code and reason, and bytes that had arrived are still there to be read.
 */
import { symmetric } from '../../src/sim/network.ts';
import type { FailureCase } from './case.ts';
import { World } from './world.ts';

const NETWORK = symmetric({ delayMs: 30, rateBps: 20e6, loss: { kind: 'iid', ratio: 0.3 } });
const CODE = 4_711;
const REASON = 'the match is over';

export const closes: readonly FailureCase[] = [
  {
    row: 'F9',
    name: 'close under 30 % loss, while media flow',
    figure: 'until the peer has code and reason',
    unit: 'ms',
    most: 3_000,
    run: (seed) => {
      const world = new World({ seed, network: NETWORK });
      world.connect();
      world.track({ frameBytes: 8_000, durationMs: 4_000 });
      world.track({ frameBytes: 8_000, durationMs: 4_000, from: 'server' });
      const stream = world.stream({ bytes: 100_000 });
      stream.isReading = false;
      const { client, server } = world.pair;
      const isSent = (): boolean => client.events.some((event) => event.type === 'stream-finished');
      if (!world.runUntil(isSent, 20_000)) throw new Error('the stream was not acknowledged');
      const startUs = world.now;
      client.host.call((now) => client.connection.close(true, CODE, REASON, now));
      let toldUs = 0;
      const isTold = (): boolean => server.events.at(-1)?.type === 'closed';
      if (!world.runUntil(isTold, 40_000)) throw new Error('the peer never learned of the end');
      toldUs = world.now;
      const last = server.events.at(-1);
      if (last?.type !== 'closed') throw new Error('no closed event');
      const { errorCode, reason, isApplication, isLocal } = last.closing;
      if (errorCode !== CODE || reason !== REASON || !isApplication || isLocal) {
        throw new Error(`the peer was told ${errorCode} '${reason}'`);
      }
      stream.isReading = true;
      stream.read();
      if (!stream.isFinished) throw new Error(`only ${stream.readBytes} bytes could be read after the close`);
      world.run(10_000);
      if (client.events.filter((event) => event.type === 'closed').length !== 1) {
        throw new Error('the closing end was not told once that it is over');
      }
      return { value: (toldUs - startUs) / 1e3 };
    },
  },
];
