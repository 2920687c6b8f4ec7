/**
 * F14: one side ends its half and the other goes on; a late packet after the end makes a stack reset the connection
 * (Winsock, Q152474). Here 10 MB follow the end of the other half, under loss, reordering and copies half a second late.
 */
import { symmetric } from '../../src/sim/network.ts';
import type { FailureCase } from './case.ts';
import { DatagramRun } from './datagram-run.ts';
import { World } from './world.ts';

const NETWORK = symmetric({
  delayMs: 20,
  rateBps: 50e6,
  queue: { ms: 100 },
  loss: { kind: 'iid', ratio: 0.02 },
  reorder: { ratio: 0.05, delayMs: 15 },
  duplicate: { ratio: 0.05, delayMs: 500 },
});
const BYTES = 10_000_000;

export const halfCloses: readonly FailureCase[] = [
  {
    row: 'F14',
    name: '10 MB after the other half has ended',
    figure: 'all bytes, in',
    unit: 's',
    most: 30,
    run: (seed) => {
      const world = new World({ seed, network: NETWORK, hasCensus: true });
      world.connect();
      const request = world.stream({ bytes: 1_000, kind: 'bidirectional' });
      if (!world.runUntil(() => request.isFinished, 5_000)) throw new Error('the request did not arrive');
      const answer = world.stream({ bytes: BYTES, from: 'server', on: request.id });
      const words = new DatagramRun(world, { from: 'server', sizes: new Array(50).fill(100), everyMs: 30 });
      if (!world.runUntil(() => answer.isFinished, 30_000)) throw new Error(`stands at ${answer.readBytes}`);
      // The last copies arrive long after everything has ended.
      world.run(2_000);
      world.assertOpen();
      world.census.check();
      const { duplicate } = world.census.counted();
      if (duplicate === 0 || words.arrivedRatio < 0.8) throw new Error('no copies came, or no datagrams');
      return { value: answer.tookMs / 1e3, notes: { duplicate } };
    },
  },
];
