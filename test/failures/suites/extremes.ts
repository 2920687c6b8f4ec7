/**
 * Cases of quinn-proto, quic-go and neqo that have a meaning here and are no plain transfer: lost and late datagrams,
 * path MTU, idle time, weeks of round trip. Sources: quinn-proto tests, quic-go integrationtests/self, neqo sim.
 */
import { NEVER, SECOND } from '../../../src/base/protocol.ts';
import { type NetworkSpec, symmetric } from '../../../src/sim/network.ts';
import type { FailureCase, Measured } from '../case.ts';
import { DatagramRun } from '../datagram-run.ts';
import { transferCase } from '../transfer.ts';
import { World } from '../world.ts';

const WEEK_S: number = 7 * 86_400;

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

/**
 * neqo's idle_timeout_crazy_rtt: a packet takes weeks, one in ten is lost. The idle timeout is a day, the longest there is:
 * it must not end what is only far away. Returns round trips until keys and bytes are there.
 */
function crazy(seed: number): Measured {
  const rttMs = 6 * WEEK_S * 1e3;
  const waits = { handshakeTimeoutUs: 1_000 * WEEK_S * SECOND, keepAliveUs: NEVER };
  const lossy = { loss: { kind: 'iid', ratio: 0.1 } } as const;
  const world = new World({
    seed,
    network: symmetric({ ...lossy, delayMs: rttMs / 2 }),
    pair: { parameters: { maxIdleTimeoutMs: 86_400_000 }, client: waits, server: waits },
  });
  const keysMs = world.connect(50 * rttMs);
  const stream = world.stream({ bytes: 30_000 });
  if (!world.runUntil(() => stream.isFinished, 50 * rttMs))
    throw new Error(`the stream stands at ${stream.readBytes}`);
  world.assertOpen();
  const keysRtts = keysMs / rttMs;
  if (keysRtts > 3) throw new Error(`keys after ${keysRtts} round trips`);
  return { value: world.now / 1e3 / rttMs, notes: { keysRtts } };
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
  {
    row: 'neqo',
    name: 'idle_timeout_crazy_rtt, six weeks, idle timeout of a day',
    figure: 'until 30 kB are there, the handshake included',
    unit: 'RTT',
    most: 10,
    run: crazy,
  },
];
