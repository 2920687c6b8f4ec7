/**
 * F15: a device on the path drops the state of a flow, and neither side's packets pass any more; or it gives the flow
 * another port or address. The first is healed by a fresh port with the same connection, the second costs no media.
 */
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { NatSpec } from '../../src/sim/nat.ts';
import { type NetworkSpec, symmetric } from '../../src/sim/network.ts';
import { preset } from '../../src/sim/presets.ts';
import type { FailureCase } from './case.ts';
import { remembered } from './remember.ts';
import type { Side } from './stage.ts';
import { transferCase } from './transfer.ts';
import { World } from './world.ts';

const LINK = { delayMs: 30, rateBps: 20e6, queue: { ms: 100 }, jitter: { kind: 'late', ms: 1 } } as const;
const MB = 1_000_000;

function behind(nat: NatSpec): NetworkSpec {
  return { ...symmetric(LINK), nat };
}

/** A call of 8 s in which something happens to the flow at a time that the seed chooses. */
function call(seed: number, from: Side, happen: (world: World) => void, latencyMs = 120): World {
  const world = new World({ seed, network: behind({}), startBitrateBps: 3e6 });
  world.connect();
  world.track({ frameBytes: 8_000, durationMs: 8_000, from, latencyMs });
  const atUs = world.now + (2 + world.pair.sim.random.fork().unit()) * 1_000 * MILLISECOND;
  world.pair.sim.schedule(atUs, () => happen(world));
  world.run(11_000);
  world.assertOpen();
  return world;
}

function silentDrop(name: string, from: Side): FailureCase {
  return {
    row: 'F15',
    name: `a device forgets the flow, ${name}`,
    figure: 'gap in media',
    unit: 'ms',
    most: 1_000,
    run: (seed) => {
      const world = call(seed, from, ({ pair }) => pair.network.nat?.forget());
      const [video] = world.tracks;
      return { value: video?.longestGapMs ?? 0, notes: { inTime: video?.inTimeRatio() ?? 0 } };
    },
  };
}

function rebinding(name: string, from: Side, changes: 'port' | 'address'): FailureCase {
  return {
    row: 'F15',
    name: `a device changes the ${changes}, ${name}`,
    figure: 'media frames that miss their deadline, latency 120 ms',
    unit: 'frames',
    most: 0,
    run: (seed) => {
      const world = call(seed, from, ({ pair }) => pair.network.nat?.rebind(changes));
      const frames = world.tracks[0]?.frames ?? [];
      return { value: frames.filter(({ isInTime }) => !isInTime).length };
    },
  };
}

/** Five minutes without a word behind a device that forgets a flow after thirty seconds; then media at once. */
const afterSilence: (seed: number) => { firstMs: number; inTime: number } = remembered((seed) => {
  const world = new World({ seed, network: behind({ idleTimeoutMs: 30_000 }) });
  world.connect();
  world.run(300_000);
  const forgotten = world.pair.network.nat?.statistics.droppedInbound ?? 0;
  if (forgotten > 0) throw new Error(`${forgotten} packets met a flow that was forgotten`);
  const startUs = world.now;
  const video = world.track({ frameBytes: 4_000, durationMs: 2_000, from: 'server' });
  world.run(4_000);
  world.assertOpen();
  return { firstMs: (video.firstDeliveryUs(startUs) - startUs) / MILLISECOND, inTime: video.inTimeRatio() };
});

function rebindSuite(name: 'interop-rebind-port' | 'interop-rebind-addr', title: string): FailureCase {
  return transferCase({
    row: 'interop',
    name: title,
    network: preset(name),
    bytes: [10 * MB],
    most: 60,
    check: (world) => {
      const rebindings = world.pair.network.nat?.statistics.rebindings ?? 0;
      if (rebindings < 2) throw new Error(`only ${rebindings} rebindings`);
    },
  });
}

export const PATHS: readonly FailureCase[] = [
  silentDrop('the client sends', 'client'),
  silentDrop('the client only receives', 'server'),
  rebinding('the client sends', 'client', 'port'),
  rebinding('the client only receives', 'server', 'port'),
  rebinding('the client sends', 'client', 'address'),
  {
    row: 'F15',
    name: 'five minutes of silence behind a device that forgets after 30 s',
    figure: 'until the first media frame reaches the client',
    unit: 'ms',
    most: 120,
    run: (seed) => ({ value: afterSilence(seed).firstMs }),
  },
  {
    row: 'F15',
    name: 'media after five minutes of silence',
    figure: 'share in time of 1 Mbit/s to the client',
    unit: '',
    least: 0.98,
    run: (seed) => ({ value: afterSilence(seed).inTime }),
  },
  rebindSuite('interop-rebind-port', 'rebind-port'),
  rebindSuite('interop-rebind-addr', 'rebind-addr'),
  transferCase({
    row: 'interop',
    name: 'connectionmigration',
    network: preset('interop'),
    bytes: [2 * MB],
    most: 60,
    arrange: (world) => {
      const { client, sim } = world.pair;
      sim.schedule(500 * MILLISECOND, () => client.host.call((now) => client.connection.migrate(now)));
    },
    check: (world) => {
      if (world.pair.server.host.pathCount < 2) throw new Error('the client stayed where it was');
    },
  }),
];
