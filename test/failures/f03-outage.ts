/**
 * F3: an outage makes one side give the connection up (error 10054). Here the path is dark for 1, 2, 5 and 20 s at a
 * random time: the connection lives, streams go on where they stopped, live tracks at the live edge.
 */
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { symmetric } from '../../src/sim/network.ts';
import type { ScenarioStep } from '../../src/sim/scenario.ts';
import type { FailureCase, Measured } from './case.ts';
import { TcpRun } from './tcp-run.ts';
import { World } from './world.ts';

const RTT_MS = 60;
const NETWORK = symmetric({ delayMs: RTT_MS / 2, rateBps: 10e6, queue: { ms: 200 } });
const FRAME_MS = 1_000 / 30;
/** A probe is sent this often at the least while nothing is heard (docs/rate-control.md). */
const PROBE_MS = 1_000;
/** The answer to it may be delayed by so much. */
const ACK_DELAY_MS = 25;

function outage(seed: number, darkMs: number): Measured {
  const random = new SeededRandom(seed);
  const atMs = 1_500 + Math.floor(random.unit() * 1_500);
  const steps: ScenarioStep[] = [{ atMs, do: 'blackout', link: 'both', durationMs: darkMs }];
  const world = new World({ seed, network: NETWORK, steps, startBitrateBps: 3e6 });
  world.connect();
  world.run(1_000 - world.now / MILLISECOND);
  const endMs = atMs + darkMs;
  const video = world.track({ frameBytes: 6_000, durationMs: endMs + 2_000, isAdaptive: true });
  const stream = world.stream({ bytes: 1_500_000 });
  world.run(endMs + 3_000);
  world.assertOpen();
  if (!world.runUntil(() => stream.isFinished, 20_000))
    throw new Error(`the stream stands at ${stream.readBytes}`);
  const lightUs = endMs * MILLISECOND;
  const firstMs = (video.firstDeliveryUs(lightUs - 50 * MILLISECOND) - lightUs) / MILLISECOND;
  const tcpSpec = { seed, network: NETWORK, steps, frameBytes: 6_000, durationMs: endMs + 2_000 };
  return {
    value: firstMs,
    tcp: () => {
      const tcp = new TcpRun({ ...tcpSpec, tailMs: 40_000 });
      return (tcp.firstDeliveryUs(lightUs - 50 * MILLISECOND) - lightUs) / MILLISECOND;
    },
    notes: { p50AfterMs: video.latencyMs(0.5, lightUs + 500 * MILLISECOND), streamMs: stream.tookMs },
  };
}

function darkFor(darkMs: number): FailureCase {
  return {
    row: 'F3',
    name: `blackout of ${darkMs / 1e3} s`,
    figure: 'from light to the first fresh media frame',
    unit: 'ms',
    most: Math.ceil(RTT_MS + PROBE_MS + ACK_DELAY_MS + FRAME_MS),
    run: (seed) => outage(seed, darkMs),
  };
}

export const outages: readonly FailureCase[] = [1_000, 2_000, 5_000, 20_000].map(darkFor);
