/**
 * Cases of quinn-proto, quic-go and neqo that have a meaning here and are no plain transfer: lost and late datagrams,
 * path MTU, idle time, weeks of round trip. Sources: quinn-proto tests, quic-go integrationtests/self, neqo sim.
 */
import { SECOND } from '../../../src/base/protocol.ts';
import { type NetworkSpec, symmetric } from '../../../src/sim/network.ts';
import type { FailureCase } from '../case.ts';
import { DatagramRun } from '../datagram-run.ts';
import { transferCase } from '../transfer.ts';
import { World } from '../world.ts';

const DAY_S = 86_400;

/** So many app datagrams; the share that arrives, none twice. */
function datagrams(seed: number, network: NetworkSpec, sizes: readonly number[], everyMs: number): number {
  const world = new World({ seed, network });
  world.connect();
  const run = new DatagramRun(world, { sizes, everyMs });
  world.run(sizes.length * everyMs + 2_000);
  world.assertOpen();
  return run.arrivedRatio;
}

/** quic-go's PacketDrops: fifty messages, and nothing passes in one direction for up to two seconds. */
function packetDrops(seed: number): number {
  const world = new World({ seed, network: symmetric({ delayMs: 5 }) });
  world.connect();
  const random = world.pair.sim.random.fork();
  const { up, down } = world.pair.network;
  for (const link of [up, down]) {
    world.pair.sim.schedule(world.now + random.unit() * 2 * SECOND, () =>
      link.blackout(random.unit() * 2_000),
    );
  }
  const messages = Array.from({ length: 50 }, () => {
    const message = world.stream({ bytes: 1_000 });
    world.run(60);
    return message;
  });
  if (!world.runUntil(() => messages.every(({ isFinished }) => isFinished), 10_000)) {
    throw new Error('messages are missing');
  }
  world.assertOpen();
  return world.now / 1e6;
}

/** The datagram size that is found on a path that passes `limitBytes` IP bytes. */
function sizeFound(seed: number, limitBytes: number): number {
  const world = new World({ seed, network: symmetric({ delayMs: 10, sizeLimitBytes: limitBytes }) });
  world.connect();
  world.stream({ bytes: 300_000 });
  world.run(3_000);
  world.assertOpen();
  return world.pair.client.connection.datagramBytes + 28;
}

/** Silence of hours with keep-alive; or nobody there any more. What the idle timeout takes, s. */
function idle(seed: number): number {
  const world = new World({ seed, network: symmetric({ delayMs: 30 }) });
  world.connect();
  world.run(3_600_000);
  world.assertOpen();
  const startUs = world.now;
  const { client, network } = world.pair;
  for (const link of [network.up, network.down]) link.blackout(1_000_000);
  if (!world.runUntil(() => !client.connection.isOpen, 120_000))
    throw new Error('the connection lives without a peer');
  return (world.now - startUs) / 1e6;
}

/** neqo's idle_timeout_crazy_rtt: a round trip of hours or weeks, timeouts to match, one packet in ten lost. */
function crazy(seed: number, rttS: number): number {
  const waits = { handshakeTimeoutUs: 60 * rttS * 1e6, keepAliveUs: 10 * rttS * 1e6 };
  const world = new World({
    seed,
    network: symmetric({ delayMs: rttS * 500, loss: { kind: 'iid', ratio: 0.1 } }),
    pair: { parameters: { maxIdleTimeoutMs: 0 }, client: waits, server: waits },
  });
  if (!world.runUntil(() => world.isConnected, 50 * rttS * 1_000)) throw new Error('no connection');
  return world.now / 1e6 / rttS;
}

function crazyCase(name: string, rttS: number, isLong: boolean): FailureCase {
  return {
    row: 'neqo',
    name: `idle_timeout_crazy_rtt, ${name}`,
    figure: 'until both ends have their keys',
    unit: 'RTT',
    most: 3,
    seedsMax: 1,
    ...(isLong ? { isLong } : {}),
    run: (seed) => ({ value: crazy(seed, rttS) }),
  };
}

/** quic-go's DownloadWithFixedRTT: no jitter, and what the sender thinks of it must be near. */
function fixedRtt(rttMs: number): FailureCase {
  return transferCase({
    row: 'quic-go',
    name: `DownloadWithFixedRTT ${rttMs} ms`,
    network: symmetric({ delayMs: rttMs / 2 }),
    bytes: [1_000_000],
    most: 15,
    check: (world) => {
      const { smoothedUs } = world.pair.server.connection.state.rtt;
      if (Math.abs(smoothedUs - rttMs * 1e3) > 1_000)
        throw new Error(`the smoothed round trip is ${smoothedUs} us`);
    },
  });
}

export const EXTREMES: readonly FailureCase[] = [
  {
    row: 'quic-go',
    name: 'DatagramLoss 20 %, RTT 100 ms',
    figure: 'share of 100 datagrams of 500 bytes that arrive',
    unit: '',
    least: 0.6,
    run: (seed) => ({
      value: datagrams(
        seed,
        symmetric({ delayMs: 50, loss: { kind: 'iid', ratio: 0.2 } }),
        new Array(100).fill(500),
        10,
      ),
    }),
  },
  {
    row: 'interop',
    name: 'WebTransport transfer-datagram',
    figure: 'share of 200 datagrams of 600 to 998 bytes that arrive',
    unit: '',
    least: 1,
    run: (seed) => ({
      value: datagrams(
        seed,
        symmetric({ delayMs: 15, rateBps: 10e6, queue: { packets: 25 } }),
        Array.from({ length: 200 }, (_, i) => 600 + 2 * i),
        2,
      ),
    }),
  },
  {
    row: 'quic-go',
    name: 'PacketDrops',
    figure: 'fifty messages, an outage of up to 2 s each way',
    unit: 's',
    most: 8,
    run: (seed) => ({ value: packetDrops(seed) }),
  },
  {
    row: 'quic-go',
    name: 'PathMTUDiscovery, 1400 passes',
    figure: 'IP bytes of the largest datagram',
    unit: 'bytes',
    least: 1_375,
    run: (seed) => {
      const value = sizeFound(seed, 1_400);
      if (value > 1_400) throw new Error(`${value} bytes cannot pass`);
      return { value };
    },
  },
  {
    row: 'neqo',
    name: 'idle_timeout',
    figure: 'after an hour of silence, until a dead peer is noticed',
    unit: 's',
    most: 31,
    run: (seed) => ({ value: idle(seed) }),
  },
  ...[10, 100, 500].map(fixedRtt),
  crazyCase('six weeks', 42 * DAY_S, false),
  crazyCase('eight weeks', 56 * DAY_S, true),
];
