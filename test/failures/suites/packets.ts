/**
 * Cases of other stacks in which chosen packets are lost, late, damaged or too large: tails, probes, every packet in turn,
 * handshakes, black holes for size. Sources: quinn-proto tests, msquic docs/TEST.md (NthPacketDrop), quic-go
 * integrationtests (HandshakeWithPacketLoss, MITM).
 */
import { MILLISECOND } from '../../../src/base/protocol.ts';
import type { SeededRandom } from '../../../src/base/random.ts';
import { PlainHandshake } from '../../../src/crypto/plain-handshake.ts';
import type { Link } from '../../../src/sim/link.ts';
import { type NetworkSpec, symmetric } from '../../../src/sim/network.ts';
import type { FailureCase } from '../case.ts';
import type { Side } from '../stage.ts';
import { transferCase } from '../transfer.ts';
import { World } from '../world.ts';

const UDP_BYTES = 28;
const NARROW = symmetric({ delayMs: 20, rateBps: 5e6, queue: { ms: 60 } });
/** Nothing larger than the smallest datagram passes. */
const SMALL = symmetric({
  delayMs: 20,
  rateBps: 5e6,
  queue: { ms: 60 },
  sizeLimitBytes: 1_200 + UDP_BYTES,
});
const TAIL_PACKETS = 5;
const TAIL_BYTES = 300_000;

/** A stream that the client reads; its packets from `from` on, so many of them, are lost. Returns ms and packets. */
function tail(
  seed: number,
  from: number,
  network: NetworkSpec = NARROW,
): { tookMs: number; packets: number } {
  const world = new World({ seed, network, startBitrateBps: 1e6 });
  world.connect();
  let packets = 0;
  let lost = 0;
  world.pair.network.down.addTap(() => {
    if (packets++ < from || lost >= TAIL_PACKETS) return true;
    lost++;
    return false;
  });
  const stream = world.stream({ bytes: TAIL_BYTES, from: 'server' });
  if (!world.runUntil(() => stream.isFinished, 30_000)) throw new Error(`stands at ${stream.readBytes}`);
  world.assertOpen();
  if (from < packets && lost < TAIL_PACKETS) throw new Error(`only ${lost} packets were lost`);
  return { tookMs: stream.tookMs, packets };
}

/** What the loss of the last packets costs, ms. */
function tailCost(seed: number, network: NetworkSpec): number {
  const whole = tail(seed, Number.POSITIVE_INFINITY, network);
  const cut = tail(seed, whole.packets - TAIL_PACKETS, network);
  return cut.tookMs - whole.tookMs;
}

/** A line of text whose only packet is lost: how long its probe waits for an acknowledgement at the peer, ms. */
function probeAnswer(seed: number): number {
  const delayMs = 20;
  const world = new World({ seed, network: symmetric({ delayMs }) });
  world.connect();
  world.run(1_000);
  const { up, down } = world.pair.network;
  let sent = 0;
  let probeUs = 0;
  let answerUs = 0;
  up.addTap((_packet, now) => {
    if (++sent === 2) probeUs = now + delayMs * MILLISECOND;
    return sent > 1;
  });
  down.addTap((_packet, now) => {
    if (probeUs > 0 && now >= probeUs && answerUs === 0) answerUs = now;
    return true;
  });
  const text = world.stream({ bytes: 500 });
  if (!world.runUntil(() => text.isFinished && answerUs > 0, 5_000)) throw new Error('no answer to a probe');
  return (answerUs - probeUs) / MILLISECOND;
}

/** A file of 20 kB in which the nth packet is lost, for each of the first forty of either way. The slowest, ms. */
function nthLost(seed: number): number {
  let worst = 0;
  for (const way of ['up', 'down'] as const) {
    for (let n = 0; n < 40; n++) {
      const world = new World({ seed, network: symmetric({ delayMs: 10 }) });
      let index = 0;
      world.pair.network[way].addTap(() => index++ !== n);
      world.connect();
      const file = world.stream({ bytes: 20_000, from: 'server' });
      if (!world.runUntil(() => file.isFinished, 10_000))
        throw new Error(`packet ${n} ${way}: nothing arrives`);
      world.assertOpen();
      worst = Math.max(worst, world.now / MILLISECOND);
    }
  }
  return worst;
}

/** Which packets of one way are lost: by index, or a third of them with at most ten in a row. */
const LOSSES: Readonly<Record<string, (index: number, random: SeededRandom, row: number) => boolean>> = {
  first: (index) => index === 0,
  firstThree: (index) => index < 3,
  third: (_index, random, row) => row < 10 && random.unit() < 1 / 3,
};

function lose(link: Link, loss: keyof typeof LOSSES, random: SeededRandom): void {
  let index = 0;
  let row = 0;
  link.addTap(() => {
    const isLost = LOSSES[loss]?.(index++, random, row) ?? false;
    row = isLost ? row + 1 : 0;
    return !isLost;
  });
}

/** One handshake; then `first` says a word, or nobody does. @param flightBytes What the server's TLS sends. ms. */
function handshake(
  seed: number,
  loss: keyof typeof LOSSES,
  ways: readonly ('up' | 'down')[],
  first: Side | undefined,
  flightBytes: number | undefined,
): number {
  const world = new World({ seed, network: symmetric({ delayMs: 10 }) });
  const { sim, network, server } = world.pair;
  for (const way of ways) lose(network[way], loss, sim.random.fork());
  if (flightBytes !== undefined) {
    const onEvent = server.onEvent;
    server.onEvent = (event, now) => {
      if (event.type !== 'incoming') onEvent(event, now);
      else server.connection.attachHandshake(new PlainHandshake({ isServer: true, flightBytes }), now);
    };
  }
  world.connect(9_900);
  if (first !== undefined) {
    const word = world.stream({ bytes: 1_000, from: first });
    if (!world.runUntil(() => word.isFinished, 10_000)) throw new Error(`${loss}: nothing arrives`);
  }
  const tookMs = world.now / MILLISECOND;
  world.run(1_000);
  world.assertOpen();
  return tookMs;
}

function handshakes(seed: number): number {
  let worst = 0;
  for (const loss of Object.keys(LOSSES)) {
    for (const ways of [['up'], ['down'], ['up', 'down']] as const) {
      for (const first of ['client', 'server', undefined] as const) {
        for (const flightBytes of [undefined, 9_000]) {
          worst = Math.max(worst, handshake(seed, loss, ways, first, flightBytes));
        }
      }
    }
  }
  return worst;
}

/** How many of each the man in the middle has put on the way. */
interface Meddled {
  copies: number;
  forged: number;
}

/** Copies, damage and noise beside every packet, from the first one on: to the caller's port, and from another than its. */
function meddle(link: Link, isUp: boolean, random: SeededRandom, made: Meddled): void {
  link.addTap((packet) => {
    const copy = (packet.payload as Uint8Array).slice();
    const inject = (bytes: Uint8Array): void =>
      link.inject(bytes, bytes.length + UDP_BYTES, isUp ? 0 : packet.address);
    const choice = random.unit();
    if (choice < 0.25) made.copies++;
    else made.forged++;
    if (choice < 0.25) inject(copy);
    else if (choice < 0.5) {
      const at = Math.floor(random.unit() * copy.length);
      copy[at] = (copy[at] as number) ^ (1 + Math.floor(random.unit() * 255));
      inject(copy);
    } else if (choice < 0.75) {
      const cut = copy.subarray(0, Math.floor(random.unit() * copy.length));
      inject(cut);
    } else {
      random.fill(copy);
      inject(copy);
    }
    return true;
  });
}

/** What the man in the middle did is in the counters of both ends: exactly what came, and most of what was sent. */
function checkMeddled(world: World, made: Meddled): void {
  world.run(500);
  world.census.check();
  const { authentication, duplicate, malformed, keys } = world.census.counted();
  const refused = authentication + malformed + duplicate + keys;
  const { up, down } = world.pair.network;
  const queueDropped = up.statistics.queueDropped + down.statistics.queueDropped;
  // What is cut to nothing is no packet, one in a thousand or so; what follows a copy to its port finds nobody there.
  const { unroutable } = world.pair.client.host.statistics;
  const least = 0.98 * (made.copies + made.forged) - queueDropped - unroutable;
  if (authentication === 0 || malformed === 0 || duplicate < made.copies / 2 || refused < least)
    throw new Error(
      `${JSON.stringify(made)} made; ${authentication} forged, ${malformed} malformed, ${duplicate} twice`,
    );
}

/** A path that passes `beforeBytes` and, from 300 ms on, `afterBytes`. */
function resized(
  beforeBytes: number,
  afterBytes: number,
): Pick<Parameters<typeof transferCase>[0], 'network' | 'steps'> {
  const network: NetworkSpec = symmetric({
    delayMs: 10,
    rateBps: 10e6,
    queue: { ms: 60 },
    sizeLimitBytes: beforeBytes,
  });
  return {
    network,
    steps: [{ atMs: 300, do: 'set', link: 'both', options: { sizeLimitBytes: afterBytes } }],
  };
}

/** IP bytes of the largest datagram on a path that becomes wider, `waitMs` after `happen`. */
function sizeAfter(seed: number, happen: (world: World) => void, waitMs: number): number {
  const world = new World({ seed, network: symmetric({ delayMs: 10, sizeLimitBytes: 1_300 }) });
  world.connect();
  world.stream({ bytes: 300_000 });
  world.run(3_000);
  const { client, network } = world.pair;
  if (client.connection.datagramBytes + UDP_BYTES > 1_300)
    throw new Error('a size was found that cannot pass');
  for (const link of [network.up, network.down]) link.update({ sizeLimitBytes: 1_500 });
  happen(world);
  world.run(waitMs);
  world.stream({ bytes: 300_000 });
  world.run(3_000);
  world.assertOpen();
  return client.connection.datagramBytes + UDP_BYTES;
}

export const PACKETS: readonly FailureCase[] = [
  {
    row: 'quinn',
    name: 'congested_tail_loss',
    figure: 'what losing the last five packets of 300 kB costs',
    unit: 'ms',
    // A probe timeout with its doubling, and a round trip with the queue for what the probe finds missing.
    most: 600,
    run: (seed) => ({ value: tailCost(seed, NARROW) }),
  },
  {
    row: 'quinn',
    name: 'tail_loss_small_segment_size',
    figure: 'what losing the last five packets of 300 kB costs where datagrams stay at 1200 bytes',
    unit: 'ms',
    most: 600,
    run: (seed) => ({ value: tailCost(seed, SMALL) }),
  },
  {
    row: 'quinn',
    name: 'loss_probe_requests_immediate_ack',
    figure: 'how long a probe waits for its acknowledgement at the peer',
    unit: 'ms',
    most: 1,
    run: (seed) => ({ value: probeAnswer(seed) }),
  },
  transferCase({
    row: 'quinn',
    name: 'blackhole_after_mtu_change_repairs_itself',
    ...resized(1_500, 1_280),
    bytes: [2_000_000],
    most: 10,
    check: ({ pair }) => {
      const bytes = pair.server.connection.datagramBytes + UDP_BYTES;
      if (bytes > 1_280) throw new Error(`datagrams of ${bytes} bytes on a path of 1280`);
    },
  }),
  {
    row: 'quinn',
    name: 'migrate_detects_new_mtu',
    figure: 'IP bytes of the largest datagram after the move to a wider path',
    unit: 'bytes',
    least: 1_460,
    run: (seed) => {
      const move = ({ pair }: World): void =>
        pair.client.host.call((now) => void pair.client.connection.migrate(now));
      return { value: sizeAfter(seed, move, 1_000) };
    },
  },
  {
    row: 'quinn',
    name: 'connect_runs_mtud_again_after_600_seconds',
    figure: 'IP bytes of the largest datagram after 600 s on a path that has become wider',
    unit: 'bytes',
    least: 1_460,
    run: (seed) => ({ value: sizeAfter(seed, () => {}, 600_000) }),
  },
  {
    row: 'quinn',
    name: 'connect_lost_mtu_probes_do_not_trigger_congestion_control',
    figure: 'packets taken for lost on a path of 1300 bytes that loses none',
    unit: '',
    most: 0,
    run: (seed) => {
      const world = new World({ seed, network: symmetric({ delayMs: 10, sizeLimitBytes: 1_300 }) });
      world.connect();
      const video = world.track({ frameBytes: 8_000, durationMs: 3_000 });
      world.run(4_000);
      world.assertOpen();
      if (video.inTimeRatio() < 1) throw new Error(`only ${video.inTimeRatio()} of the media in time`);
      return { value: world.pair.client.connection.state.recovery.statistics.lost };
    },
  },
  {
    row: 'msquic',
    name: 'NthPacketDrop',
    figure: 'slowest of 80 files of 20 kB, each with another packet lost',
    unit: 'ms',
    most: 2_000,
    run: (seed) => ({ value: nthLost(seed) }),
  },
  {
    row: 'quic-go',
    name: 'HandshakeWithPacketLoss',
    figure:
      'slowest of 54: first, first three or a third lost; either way or both; who speaks first; long chains',
    unit: 'ms',
    most: 10_000,
    run: (seed) => ({ value: handshakes(seed) }),
  },
  transferCase({
    row: 'quic-go',
    name: 'MITM: copies, damage, cuts and noise beside every packet from the first on',
    network: symmetric({ delayMs: 10, rateBps: 50e6, queue: { ms: 50 } }),
    bytes: [300_000],
    most: 10,
    hasCensus: true,
    watch: (world) => {
      const { network, sim } = world.pair;
      const made: Meddled = { copies: 0, forged: 0 };
      meddle(network.up, true, sim.random.fork(), made);
      meddle(network.down, false, sim.random.fork(), made);
      return () => checkMeddled(world, made);
    },
  }),
];
