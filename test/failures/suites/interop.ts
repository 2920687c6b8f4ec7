/**
 * quic-interop-runner's cases by their names, in its networks, with its payloads and time limits (60 s unless it says
 * otherwise). `resumption`, `zerortt`, `http3`, `v2` and `ecn` have no meaning here; `ipv6` runs on loopback.
 * Source: its testcases_quic.py.
 */
import { MILLISECOND } from '../../../src/base/protocol.ts';
import { PlainHandshake } from '../../../src/crypto/plain-handshake.ts';
import { bestCrypto, nodeCrypto } from '../../../src/node/seal.ts';
import { type PresetName, preset } from '../../../src/sim/presets.ts';
import { TcpFlow } from '../../../src/sim/tcp/flow.ts';
import type { FailureCase, Measured } from '../case.ts';
import { numberedCrypto } from '../invariants.ts';
import { type TransferSpec, transfer, transferCase } from '../transfer.ts';
import { World } from '../world.ts';
import { checkedAead } from './aead.ts';

const ROW = 'interop';
const LIMIT_S = 60;
const MB = 1_000_000;

/** Fifty connections one after another, each with a file of 1 kB. */
function fifty(name: string, network: PresetName): FailureCase {
  return {
    row: ROW,
    name,
    figure: 'fifty connections with 1 kB each, one after another',
    unit: 's',
    most: 300,
    run: (seed) => {
      let totalMs = 0;
      let worstMs = 0;
      for (let i = 0; i < 50; i++) {
        const world = new World({ seed: seed * 1_000 + i, network: preset(network) });
        world.connect(30_000);
        const file = world.stream({ bytes: 1_000, from: 'server' });
        if (!world.runUntil(() => file.isFinished, 30_000))
          throw new Error(`connection ${i}: ${file.readBytes} bytes`);
        const tookMs = world.now / MILLISECOND;
        totalMs += tookMs;
        worstMs = Math.max(worstMs, tookMs);
      }
      return { value: totalMs / 1e3, notes: { worstMs } };
    },
  };
}

/** 1999 requests on streams of their own, at most 1000 at a time; each is answered with 32 bytes. */
function multiplexing(seed: number): number {
  const FILES = 1_999;
  const parameters = { maxStreamsBidirectional: 1_000 };
  const world = new World({ seed, network: preset('interop'), pair: { parameters } });
  world.connect();
  const { client, server } = world.pair;
  let asked = 0;
  const answered = new Set<number>();
  const ask = (): void => {
    for (; asked < FILES; asked++) {
      const stream = client.connection.streams.open('bidirectional');
      if (stream === undefined) return;
      stream.write(Uint8Array.of(asked >>> 8, asked));
      stream.finish();
    }
  };
  world.onEvent('client', (event) => {
    if (event.type === 'stream-can-open') ask();
    if (event.type !== 'stream-readable') return;
    const receive = client.connection.streams.get(event.streamId)?.receive;
    let bytes = 0;
    for (let piece = receive?.read(); piece !== undefined; piece = receive?.read()) bytes += piece.length;
    if (receive?.isFinished !== true) return;
    if (bytes !== 32 || answered.has(event.streamId))
      throw new Error(`stream ${event.streamId}: ${bytes} bytes`);
    answered.add(event.streamId);
  });
  world.onEvent('server', (event) => {
    if (event.type !== 'stream-readable') return;
    const stream = server.connection.streams.get(event.streamId);
    while (stream?.receive?.read() !== undefined);
    if (stream?.receive?.isFinished !== true) return;
    stream.send?.write(new Uint8Array(32));
    stream.send?.finish();
  });
  client.host.call(ask);
  if (!world.runUntil(() => answered.size === FILES, LIMIT_S * 1e3))
    throw new Error(`${answered.size} answers`);
  world.assertOpen();
  return world.now / 1e6;
}

/** A chain of nine certificates is some 9 kB; what the server sent before it knew the address, per byte received. */
function amplification(seed: number): number {
  const world = new World({ seed, network: preset('interop-amplificationlimit') });
  const { server, network } = world.pair;
  const flight = new PlainHandshake({ isServer: true, flightBytes: 9_000 });
  const onEvent = server.onEvent;
  server.onEvent = (event, now) => {
    if (event.type === 'incoming') server.connection.attachHandshake(flight, now);
    else onEvent(event, now);
  };
  let largest = 0;
  network.down.addTap(() => {
    const { paths, counters } = server.connection.state;
    if (!paths.active.isValidated) largest = Math.max(largest, counters.bytesSent / counters.bytesReceived);
    return true;
  });
  if (!world.runUntil(() => world.isConnected, LIMIT_S * 1e3)) throw new Error('no connection');
  return largest;
}

const CHACHA20: TransferSpec = {
  row: ROW,
  name: 'chacha20',
  network: preset('interop'),
  bytes: [3 * MB],
  most: LIMIT_S,
};

/** The ciphers that the library uses, the fastest that loads at one end and Node's own at the other. */
function chacha20(seed: number): Measured {
  const checks = [checkedAead(bestCrypto()), checkedAead(nodeCrypto)] as const;
  const [client, server] = checks.map(({ crypto }) => ({ crypto: numberedCrypto(crypto) }));
  const measured = transfer({ ...CHACHA20, pair: { client: client ?? {}, server: server ?? {} } }, seed);
  const [fromClient, fromServer] = checks.map(({ packets }) => packets) as [number, number];
  if (fromClient < 50 || fromServer < 2_000)
    throw new Error(`only ${fromClient} and ${fromServer} packets were compared`);
  return { ...measured, notes: { packetsCompared: fromClient + fromServer } };
}

export const INTEROP: readonly FailureCase[] = [
  transferCase({ row: ROW, name: 'handshake', network: preset('interop'), bytes: [1_000], most: LIMIT_S }),
  transferCase({
    row: ROW,
    name: 'transfer',
    network: preset('interop'),
    bytes: [2 * MB, 3 * MB, 5 * MB],
    most: LIMIT_S,
    hasTcp: true,
  }),
  transferCase({
    row: ROW,
    name: 'longrtt',
    network: preset('interop-longrtt'),
    bytes: [1_000],
    most: LIMIT_S,
  }),
  { ...transferCase(CHACHA20), run: chacha20 },
  {
    row: ROW,
    name: 'multiplexing',
    figure: '1999 files of 32 bytes',
    unit: 's',
    most: LIMIT_S,
    run: (seed) => ({ value: multiplexing(seed) }),
  },
  transferCase({
    row: ROW,
    name: 'blackhole',
    network: preset('interop-blackhole'),
    bytes: [10 * MB],
    most: LIMIT_S,
    hasTcp: true,
  }),
  transferCase({
    row: ROW,
    name: 'keyupdate',
    network: preset('interop'),
    bytes: [3 * MB],
    most: LIMIT_S,
    arrange: (world) => {
      const { client, sim } = world.pair;
      const update = (): void => {
        client.connection.state.keys?.initiateUpdate(sim.now);
        sim.schedule(sim.now + 500 * MILLISECOND, update);
      };
      sim.schedule(1_000 * MILLISECOND, update);
    },
    check: (world) => {
      const updates = world.pair.server.connection.state.keys?.updates ?? 0;
      if (updates < 2) throw new Error(`only ${updates} key updates`);
    },
  }),
  {
    row: ROW,
    name: 'amplificationlimit',
    figure: 'bytes to an address not validated, per byte from it',
    unit: '',
    most: 3,
    run: (seed) => ({ value: amplification(seed) }),
  },
  fifty('handshakeloss', 'interop-handshakeloss'),
  fifty('handshakecorruption', 'interop-handshakecorruption'),
  transferCase({
    row: ROW,
    name: 'transferloss',
    network: preset('interop-transferloss'),
    bytes: [2 * MB],
    most: LIMIT_S,
    hasTcp: true,
  }),
  transferCase({
    row: ROW,
    name: 'transfercorruption',
    network: preset('interop-transfercorruption'),
    bytes: [2 * MB],
    most: LIMIT_S,
    hasTcp: true,
  }),
  transferCase({
    row: ROW,
    name: 'goodput',
    network: preset('interop'),
    bytes: [10 * MB],
    most: 12,
    hasTcp: true,
  }),
  transferCase({
    row: ROW,
    name: 'crosstraffic',
    network: preset('interop'),
    bytes: [25 * MB],
    most: 180,
    arrange: (world) => {
      const { sim, network } = world.pair;
      const tcp = new TcpFlow(sim, { forward: network.down, backward: network.up, congestion: 'cubic' });
      tcp.start();
      tcp.write(Number.POSITIVE_INFINITY);
    },
  }),
];
