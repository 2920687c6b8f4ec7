/**
 * F4: nobody could say whether packets were lost on the way or turned away by the receiver. Here the counters of both ends
 * become a verdict, and the verdict names what was done to the packets.
 */
import { SECOND } from '../../src/base/protocol.ts';
import type { Cause, Diagnosis } from '../../src/connection/diagnosis.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { FailureCase } from './case.ts';
import { World } from './world.ts';

const CLEAN: LinkOptions = {
  delayMs: 30,
  rateBps: 20e6,
  queue: { ms: 100 },
  jitter: { kind: 'late', ms: 1 },
};

interface Injection {
  readonly cause: Cause;
  readonly name: string;
  readonly up: LinkOptions;
  readonly isReading?: false;
  readonly spikes?: true;
}

const INJECTIONS: readonly Injection[] = [
  { cause: 'none', name: 'nothing', up: CLEAN },
  { cause: 'path', name: '4 % loss', up: { ...CLEAN, loss: { kind: 'iid', ratio: 0.04 } } },
  { cause: 'rejected', name: '4 % damaged', up: { ...CLEAN, corrupt: { ratio: 0.04, bits: 2 } } },
  { cause: 'late', name: 'a queue of 300 ms now and then', up: CLEAN, spikes: true },
  { cause: 'application', name: 'an application that does not read', up: CLEAN, isReading: false },
];

/** A call of 8 s with that on the client's way; the client then asks, and closes. */
function verdictOf(
  injection: Injection,
  seed: number,
): { asked: Diagnosis; atClose: Diagnosis; atPeer: Diagnosis } {
  const world = new World({ seed, network: { up: injection.up, down: CLEAN } });
  world.connect();
  const { client, server, network, sim } = world.pair;
  const video = world.track({ frameBytes: 8_000, durationMs: 8_000 });
  if (injection.isReading === false) video.isReading = false;
  if (injection.spikes === true) {
    for (let at = 1; at < 8; at++) {
      sim.schedule(sim.now + at * SECOND, () => network.up.update({ delayMs: 330 }));
      sim.schedule(sim.now + (at + 0.2) * SECOND, () => network.up.update({ delayMs: 30 }));
    }
  }
  world.run(8_500);
  world.assertOpen();
  client.host.call(() => client.connection.requestCounters());
  if (!world.runUntil(() => client.events.at(-1)?.type === 'counters', 5_000)) throw new Error('no answer');
  const asked = client.connection.diagnosis();
  client.host.call((now) => client.connection.close(true, 0, '', now));
  world.run(3_000);
  const atClose = client.connection.diagnosis();
  const atPeer = server.connection.diagnosis();
  if (asked === undefined || atClose === undefined || atPeer === undefined) throw new Error('no verdict');
  return { asked, atClose, atPeer };
}

export const verdicts: readonly FailureCase[] = INJECTIONS.map((injection) => ({
  row: 'F4',
  name: `verdict on ${injection.name}`,
  figure: 'verdicts that name it, of three: asked for, at the close, at the peer',
  unit: '',
  least: 3,
  run: (seed) => {
    const { asked, atClose, atPeer } = verdictOf(injection, seed);
    const causes = [asked.outgoing.cause, atClose.outgoing.cause, atPeer.incoming.cause];
    const value = causes.filter((cause) => cause === injection.cause).length;
    return { value, notes: { causes: causes.join(' '), text: asked.text } };
  },
}));
