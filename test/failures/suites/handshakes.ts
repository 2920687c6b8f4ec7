/**
 * Handshakes that go wrong on the way: msquic's 127 loss patterns of the first seven packets and its random loss, and
 * what delayed and duplicated first packets do (F11). Source: msquic docs/TEST.md (HandshakeSpecificLossPatterns,
 * RandomLoss, KeyUpdateRandomLoss), quic-go (HandshakeWithPacketLoss).
 */
import { MILLISECOND } from '../../../src/base/protocol.ts';
import { symmetric } from '../../../src/sim/network.ts';
import type { FailureCase } from '../case.ts';
import { DatagramRun } from '../datagram-run.ts';
import { remembered } from '../remember.ts';
import { transferCase } from '../transfer.ts';
import { World } from '../world.ts';

/** msquic's: a round trip of 20 ms. */
const NEAR = symmetric({ delayMs: 10 });
const PATTERNS = 127;
const PACKETS = 7;

/** Packets 0..6 of the connection, either way, in the order they are sent; a set bit is lost. */
function bitmap(seed: number, lost: number): number {
  const world = new World({ seed, network: NEAR });
  let count = 0;
  for (const link of [world.pair.network.up, world.pair.network.down]) {
    link.addTap(() => {
      const index = count++;
      return index >= PACKETS || (lost & (1 << index)) === 0;
    });
  }
  world.connect(10_000);
  const echo = world.stream({ bytes: 100 });
  if (!world.runUntil(() => echo.isFinished, 5_000)) throw new Error(`pattern ${lost}: nothing arrives`);
  world.assertOpen();
  return world.now / MILLISECOND;
}

const CALLS = 200;

/** How long the caller waits for its keys over many handshakes at RTT 60 ms and 10 % loss, ms, sorted. */
const handshakeTimes: (seed: number) => number[] = remembered((seed) => {
  const network = symmetric({ delayMs: 30, loss: { kind: 'iid', ratio: 0.1 } });
  const times: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    const world = new World({ seed: seed * 1_000 + i, network });
    const { client } = world.pair;
    if (!world.runUntil(() => !client.connection.isHandshaking, 10_000))
      throw new Error(`call ${i} does not connect`);
    times.push(world.now / MILLISECOND);
  }
  return times.sort((a, b) => a - b);
});

/** Every datagram of the first second comes `copies` times, the copies up to 300 ms late. */
function repeated(seed: number): number {
  const link = { delayMs: 30, duplicate: { ratio: 1, delayMs: 150 }, reorder: { ratio: 0.3, delayMs: 120 } };
  const world = new World({ seed, network: symmetric(link), hasCensus: true });
  world.connect(5_000);
  const tookMs = world.now / MILLISECOND;
  const file = world.stream({ bytes: 50_000 });
  const words = new DatagramRun(world, { sizes: new Array(20).fill(100), everyMs: 20 });
  if (!world.runUntil(() => file.isFinished, 10_000)) throw new Error(`only ${file.readBytes} bytes arrive`);
  world.run(2_000);
  world.assertOpen();
  if (words.arrivedRatio < 1) throw new Error('app datagrams are missing');
  world.census.check();
  const { duplicate, keys } = world.census.counted();
  const { up, down } = world.pair.network;
  const made = up.statistics.duplicated + down.statistics.duplicated;
  if (duplicate === 0 || duplicate + keys < made)
    throw new Error(`${made} datagrams came twice, ${duplicate} duplicates and ${keys} without keys counted`);
  return tookMs;
}

/** The first flight comes once more, ten seconds later, in the middle of a call. */
function delayedFlight(seed: number): { gapMs: number; isOpen: boolean } {
  const network = symmetric({ delayMs: 30, rateBps: 20e6 });
  const world = new World({ seed, network, hasCensus: true });
  const copies: Uint8Array[] = [];
  const { sim } = world.pair;
  const { up } = world.pair.network;
  up.addTap((packet, now) => {
    if (now < 500 * MILLISECOND) copies.push((packet.payload as Uint8Array).slice());
    return true;
  });
  world.connect();
  const video = world.track({ frameBytes: 8_000, durationMs: 11_000 });
  sim.schedule(10_000 * MILLISECOND, () => {
    for (const copy of copies) up.inject(copy, copy.length + 28);
  });
  world.run(13_000);
  world.assertOpen();
  if (video.inTimeRatio() < 1) throw new Error(`only ${video.inTimeRatio()} of the media in time`);
  world.census.check();
  const { duplicate, keys } = world.census.counted();
  if (duplicate === 0 || duplicate + keys < copies.length)
    throw new Error(`${copies.length} copies, ${duplicate} duplicates and ${keys} without keys counted`);
  return { gapMs: video.longestGapMs, isOpen: world.isConnected };
}

function randomLoss(percent: number): FailureCase {
  const loss = { kind: 'iid', ratio: percent / 100 } as const;
  return transferCase({
    row: 'msquic',
    name: `RandomLoss ${percent} %`,
    network: symmetric({ delayMs: 10, rateBps: 50e6, queue: { ms: 50 }, loss }),
    bytes: [200_000],
    most: 10,
  });
}

function keyUpdateLoss(percent: number): FailureCase {
  const loss = { kind: 'iid', ratio: percent / 100 } as const;
  return transferCase({
    row: 'msquic',
    name: `KeyUpdateRandomLoss ${percent} %`,
    network: symmetric({
      delayMs: 10,
      rateBps: 5e6,
      queue: { ms: 50 },
      loss,
      reorder: { ratio: 0.05, delayMs: 20 },
    }),
    bytes: [500_000],
    most: 20,
    arrange: (world) => {
      const { client, server, sim } = world.pair;
      const update = (): void => {
        for (const { connection } of [client, server]) connection.state.keys?.initiateUpdate(sim.now);
        sim.schedule(sim.now + 50 * MILLISECOND, update);
      };
      sim.schedule(100 * MILLISECOND, update);
    },
    check: (world) => {
      const updates = world.pair.server.connection.state.keys?.updates ?? 0;
      if (updates < 1) throw new Error('no key update took place');
    },
  });
}

export const HANDSHAKES: readonly FailureCase[] = [
  {
    row: 'F11',
    name: 'every pattern of lost packets among the first seven',
    figure: 'slowest of 127 patterns, to the first bytes',
    unit: 'ms',
    most: 5_000,
    run: (seed) => {
      let worst = 0;
      for (let lost = 1; lost <= PATTERNS; lost++) worst = Math.max(worst, bitmap(seed, lost));
      return { value: worst };
    },
  },
  {
    row: 'F11',
    name: `${CALLS} handshakes at 10 % loss, RTT 60: within 1.2 RTT`,
    figure: 'share whose caller has its keys by then',
    unit: '',
    least: 0.8,
    run: (seed) => ({ value: handshakeTimes(seed).filter((ms) => ms <= 72).length / CALLS }),
  },
  {
    row: 'F11',
    name: `${CALLS} handshakes at 10 % loss, RTT 60: the p99`,
    figure: 'until the caller has its keys',
    unit: 'ms',
    most: 1_000,
    run: (seed) => ({ value: handshakeTimes(seed)[Math.ceil(CALLS * 0.99) - 1] as number }),
  },
  {
    row: 'F11',
    name: 'every packet twice, a third of them late',
    figure: 'until both ends have their keys',
    unit: 'ms',
    most: 1_000,
    run: (seed) => ({ value: repeated(seed) }),
  },
  {
    row: 'F11',
    name: 'first flight once more after 10 s',
    figure: 'longest gap between two media frames',
    unit: 'ms',
    most: 60,
    run: (seed) => ({ value: delayedFlight(seed).gapMs }),
  },
  ...[1, 5, 10].map(randomLoss),
  ...[1, 5, 10].map(keyUpdateLoss),
];
