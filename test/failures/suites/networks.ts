/**
 * Networks of other projects' tests: GNS's seven rows, str0m's presets, neqo's simulator, librist's and kcp-go's loss
 * tests, quic-go's reordering, quinn's and neqo's extremes. The figure is a transfer's time or media in time.
 * Sources: TestNetworkConditions (GameNetworkingSockets), str0m's netem presets, neqo sim, quic-go integrationtests.
 */
import { MILLISECOND } from '../../../src/base/protocol.ts';
import type { LinkOptions } from '../../../src/sim/link-options.ts';
import { type NetworkSpec, symmetric } from '../../../src/sim/network.ts';
import { type PresetName, preset } from '../../../src/sim/presets.ts';
import type { FailureCase } from '../case.ts';
import { transferCase } from '../transfer.ts';
import { World } from '../world.ts';

/** Rate in bytes a second, loss in percent, lag in ms, reordered percent, and by how many ms. */
const GNS: readonly (readonly [number, number, number, number, number])[] = [
  [128_000, 10, 50, 2, 50],
  [1_000_000, 5, 10, 1, 10],
  [2_000_000, 0, 50, 30, 40],
  [64_000, 20, 100, 4, 50],
  [1_000_000, 20, 100, 4, 10],
  [1_000_000, 2, 5, 2, 1],
  [2_000_000, 0, 0, 0, 0],
];

function gnsLink([rate, loss, lag, reordered, byMs]: readonly number[]): LinkOptions {
  return {
    delayMs: lag as number,
    rateBps: (rate as number) * 8,
    queue: { ms: 200 },
    loss: { kind: 'iid', ratio: (loss as number) / 100 },
    reorder: { ratio: (reordered as number) / 100, delayMs: byMs as number },
  };
}

/** As bulk, and as a game: a packet of 200 bytes thirty times a second each way beside a reliable stream. */
function gns(row: readonly [number, number, number, number, number]): readonly FailureCase[] {
  const network = symmetric(gnsLink(row));
  const [rate, loss, lag, reordered, byMs] = row;
  const name = `${rate / 1e3} kB/s, ${loss} %, ${lag} ms, reordered ${reordered} % by ${byMs} ms`;
  return [
    transferCase({
      row: 'GNS',
      name: `${name}: bulk`,
      network,
      bytes: [Math.min(1_000_000, rate * 2)],
      // Ten times what the rate alone would take, and the handshake.
      most: 30,
    }),
    {
      row: 'GNS',
      name: `${name}: like a game`,
      figure: 'share of 30 updates a second in time, latency 300 ms, after 1 s',
      unit: '',
      least: loss >= 20 ? 0.9 : 0.98,
      run: (seed) => {
        const world = new World({ seed, network, startBitrateBps: 300_000 });
        world.connect();
        const fromUs = world.now + 1_000 * MILLISECOND;
        const spec = {
          kind: 'data',
          latencyMs: 300,
          frameBytes: 200,
          durationMs: 5_000,
          sendOrder: 5,
        } as const;
        const tracks = [world.track(spec), world.track({ ...spec, from: 'server' })];
        const chat = world.stream({ bytes: 5_000 });
        world.run(7_000);
        world.assertOpen();
        if (!world.runUntil(() => chat.isFinished, 10_000))
          throw new Error(`${chat.readBytes} bytes of the chat`);
        return { value: Math.min(...tracks.map((track) => track.inTimeRatio(fromUs))) };
      },
    },
  ];
}

/** On the network of that name. */
function call(row: string, name: PresetName, latencyMs: number, least: number): FailureCase {
  return callCase(row, name, preset(name), latencyMs, least);
}

/** A call each way at 1 Mbit/s, with three round trips of latency: what reaches the player in time after a second. */
function callCase(
  row: string,
  name: string,
  network: NetworkSpec,
  latencyMs: number,
  least: number,
): FailureCase {
  return {
    row,
    name,
    figure: `share of media in time, latency ${latencyMs} ms, after 1 s`,
    unit: '',
    least,
    run: (seed) => {
      const world = new World({ seed, network, startBitrateBps: 1.5e6 });
      world.connect();
      const spec = { frameBytes: 4_000, durationMs: 6_000, latencyMs, isAdaptive: true } as const;
      const tracks = [world.track(spec), world.track({ ...spec, from: 'server' })];
      const fromUs = world.now + 1_000 * MILLISECOND;
      world.run(9_000);
      world.assertOpen();
      const shares = tracks.map((track) => track.inTimeRatio(fromUs));
      return { value: Math.min(...shares), notes: { p99Ms: tracks[0]?.latencyMs(0.99, fromUs) ?? 0 } };
    },
  };
}

function lossy(row: string, name: string, rttMs: number, percent: number): FailureCase {
  return transferCase({
    row,
    name,
    network: symmetric({
      delayMs: rttMs / 2,
      rateBps: 20e6,
      queue: { ms: 200 },
      loss: { kind: 'iid', ratio: percent / 100 },
    }),
    bytes: [500_000],
    most: 20,
  });
}

/** quic-go's DownloadWithReordering: each packet up to a tenth of the round trip early or late. */
function reordered(rttMs: number): FailureCase {
  return transferCase({
    row: 'quic-go',
    name: `DownloadWithReordering ${rttMs} ms`,
    network: symmetric({
      delayMs: rttMs / 2,
      rateBps: 20e6,
      queue: { ms: 100 },
      jitter: { kind: 'uniform', ms: rttMs / 10, keepOrder: false },
    }),
    bytes: [1_000_000],
    // quic-go asks that it completes.
    most: 4,
    check: (world) => {
      const { lost } = world.pair.server.connection.state.recovery.statistics;
      if (lost > 150) throw new Error(`${lost} packets taken for lost on a path that loses none`);
    },
  });
}

/** A call with 500 ms each way, or with 20 ms one way and 200 the other, as str0m's high_latency and asymmetric_latency. */
function far(name: string, upMs: number, downMs: number): FailureCase {
  const link: LinkOptions = { rateBps: 10e6, queue: { ms: 200 } };
  const network = { up: { ...link, delayMs: upMs }, down: { ...link, delayMs: downMs } };
  return callCase('str0m', name, network, 400, 0.98);
}

/** SRT's output doubles there: a round trip of 500 ms and 10 ms of jitter. Bytes on the wire per byte of media. */
function jitterCost(seed: number): number {
  const link: LinkOptions = {
    delayMs: 250,
    jitter: { kind: 'normal', ms: 10, keepOrder: true },
    rateBps: 50e6,
  };
  const world = new World({ seed, network: symmetric(link), startBitrateBps: 8e6 });
  world.connect();
  world.run(1_000);
  const before = world.upBytes;
  const video = world.track({ frameBytes: 15_000, durationMs: 6_000, latencyMs: 2_000, isAdaptive: true });
  world.run(10_000);
  world.assertOpen();
  if (video.inTimeRatio() < 0.99) throw new Error(`only ${video.inTimeRatio()} of the media in time`);
  return (world.upBytes - before) / video.mediaBytes;
}

/** Media of 400 kbit/s before a policer of 250: what leaves is a bound of what the policer lets through. */
function policedShare(seed: number): number {
  const up: LinkOptions = { delayMs: 30, rateBps: 20e6, policer: { rateBps: 250e3, burstBytes: 10_000 } };
  const network = { up, down: { delayMs: 30, rateBps: 20e6 } };
  const world = new World({ seed, network, startBitrateBps: 400e3 });
  world.connect();
  world.track({ frameBytes: 1_667, durationMs: 20_000, latencyMs: 2_000, isAdaptive: true });
  world.run(5_000);
  const { statistics } = world.pair.network.up;
  const before = statistics.offeredBytes;
  world.run(15_000);
  world.assertOpen();
  return ((statistics.offeredBytes - before) * 8) / 15 / 250e3;
}

const DSL: LinkOptions = { delayMs: 25, rateBps: 8e6, queue: { bytes: 32_768 } };
const DSL_UP: LinkOptions = { delayMs: 25, rateBps: 1.6e6, queue: { bytes: 8_192 } };
const TAILDROP: NetworkSpec = { up: DSL_UP, down: DSL };

export const NETWORKS: readonly FailureCase[] = [
  ...GNS.flatMap(gns),
  call('str0m', 'wifi', 120, 0.98),
  call('str0m', 'wifi-lossy', 200, 0.97),
  call('str0m', 'wifi-congested', 300, 0.9),
  call('str0m', 'cellular', 300, 0.97),
  call('str0m', 'satellite', 2_000, 0.95),
  call('str0m', 'congested', 600, 0.9),
  transferCase({
    row: 'neqo',
    name: 'transfer_taildrop',
    network: TAILDROP,
    bytes: [2_000_000],
    most: 10,
  }),
  transferCase({
    row: 'neqo',
    name: 'transfer_taildrop_jitter',
    network: {
      up: { ...DSL_UP, jitter: { kind: 'late', ms: 5 } },
      down: { ...DSL, jitter: { kind: 'late', ms: 5 } },
    },
    bytes: [2_000_000],
    most: 10,
  }),
  transferCase({
    row: 'neqo',
    name: 'transfer_delay_drop',
    network: symmetric({
      delayMs: 52.5,
      jitter: { kind: 'uniform', ms: 2.5 },
      rateBps: 20e6,
      queue: { ms: 100 },
      loss: { kind: 'iid', ratio: 0.01 },
    }),
    bytes: [2_000_000],
    most: 10,
  }),
  transferCase({
    row: 'neqo',
    name: 'connect_fixed_rtt, 50 ms',
    network: symmetric({ delayMs: 25 }),
    bytes: [1_000],
    most: 0.15,
  }),
  transferCase({ row: 'neqo', name: 'connect_taildrop', network: TAILDROP, bytes: [1_000], most: 0.5 }),
  transferCase({
    row: 'neqo',
    name: 'connect_taildrop_jitter',
    network: {
      up: { ...DSL_UP, jitter: { kind: 'uniform', ms: 5 } },
      down: { ...DSL, jitter: { kind: 'uniform', ms: 5 } },
    },
    bytes: [1_000],
    most: 0.5,
  }),
  transferCase({
    row: 'neqo',
    name: 'transfer',
    network: symmetric({ delayMs: 5 }),
    bytes: [2_000_000],
    most: 10,
  }),
  far('asymmetric_latency: 20 ms one way, 200 the other', 20, 200),
  far('high_latency_500ms', 250, 250),
  {
    row: 'SRT',
    name: 'RTT 500 ms with 10 ms of jitter, where SRT sends everything twice',
    figure: 'IP bytes per media byte',
    unit: '',
    most: 1.12,
    run: (seed) => ({ value: jitterCost(seed) }),
  },
  {
    row: 'SRT',
    name: '400 kbit/s before a policer of 250',
    figure: 'bit/s that leave per bit/s that the policer passes, after 5 s',
    unit: '',
    most: 1.4,
    run: (seed) => ({ value: policedShare(seed) }),
  },
  transferCase({
    row: 'quic-go',
    name: 'NATRebinding, to a path of twice the delay',
    network: { ...symmetric({ delayMs: 5, rateBps: 20e6, queue: { ms: 100 } }), nat: {} },
    bytes: [1_000_000],
    most: 5,
    steps: [
      { atMs: 250, do: 'rebind', changes: 'address' },
      { atMs: 250, do: 'set', link: 'both', options: { delayMs: 10 } },
    ],
    check: ({ pair }) => {
      if (pair.server.host.pathCount < 2) throw new Error('the server does not know the new address');
    },
  }),
  lossy('librist', 'loss 0 %, RTT 10 ms', 10, 0),
  lossy('librist', 'loss 10 %, RTT 10 ms', 10, 10),
  lossy('librist', 'loss 25 %, RTT 10 ms', 10, 25),
  lossy('kcp-go', 'TestLossyConn 10 %, RTT 200 ms', 200, 10),
  lossy('kcp-go', 'TestLossyConn 20 %, RTT 200 ms', 200, 20),
  lossy('kcp-go', 'TestLossyConn 30 %, RTT 200 ms', 200, 30),
  ...[5, 50, 250].map(reordered),
];
