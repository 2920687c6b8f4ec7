/**
 * Peers with the right keys that want too much: streams without end, media frames that never finish, repair for huge
 * blocks, acknowledgements of what was never sent. The figure is what this end holds for them.
 */
import { Writer } from '../../src/base/bytes.ts';
import { WireError } from '../../src/base/errors.ts';
import { symmetric } from '../../src/sim/network.ts';
import { CONNECTION_WINDOW_MAX } from '../../src/stream/flow.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { bytesInUse } from '../helpers/memory.ts';
import type { FailureCase } from './case.ts';
import { World } from './world.ts';

const NETWORK = symmetric({ delayMs: 5, rateBps: 200e6 });

/** What the client writes instead of its stream control frames: one hostile frame in each packet. */
type Greed = (writer: Writer, index: number) => void;

/** So many packets with such a frame each; how much more the process holds, and how the server ended it. */
function greedy(seed: number, packets: number, greed: Greed): { heldMb: number; errorCode: number } {
  const world = new World({ seed, network: NETWORK, startBitrateBps: 100e6 });
  world.connect();
  world.run(500);
  const { client, server } = world.pair;
  const { streams } = client.connection;
  let index = 0;
  let isDue = false;
  streams.wantsToSend = () => isDue;
  streams.writeFrames = (writer) => {
    if (!isDue) return false;
    isDue = false;
    greed(writer, index++);
    return true;
  };
  const before = bytesInUse();
  for (let i = 0; i < packets && server.connection.isOpen; i++) {
    isDue = true;
    client.host.call(() => {});
    world.run(1);
  }
  world.run(200);
  const last = server.events.at(-1);
  const errorCode = last?.type === 'closed' ? last.closing.errorCode : 0;
  return { heldMb: (bytesInUse() - before) / 1e6, errorCode };
}

interface Peer {
  readonly name: string;
  readonly packets: number;
  readonly mostMb: number;
  /** The server ends the connection with it; 0 = it bears it. */
  readonly errorCode: number;
  readonly greed: Greed;
}

const PEERS: readonly Peer[] = [
  {
    name: 'opens a million streams at once',
    packets: 3,
    mostMb: 2,
    errorCode: WireError.STREAM_LIMIT_ERROR,
    greed: (writer) => {
      writer.u8(FrameType.STREAM + 2);
      writer.varint(1_000_000 * 8 + 2);
      writer.varint(0);
    },
  },
  {
    name: 'ignores its credit',
    packets: 3,
    mostMb: 2,
    errorCode: WireError.FLOW_CONTROL_ERROR,
    greed: (writer) => {
      writer.u8(FrameType.STREAM + 6);
      writer.varint(2);
      writer.varint(CONNECTION_WINDOW_MAX * 4);
      writer.varint(1);
      writer.u8(1);
    },
  },
  {
    name: 'begins a media frame of 16 MiB in every packet and finishes none',
    packets: 3_000,
    // HELD_BYTES_MAX, and what a frame costs beyond its bytes.
    mostMb: 80,
    errorCode: 0,
    greed: (writer, index) => {
      writer.u8(FrameType.SYMBOL + 1);
      writer.varint(0);
      writer.u8(0);
      writer.u16(index * 16);
      const symbol = new Writer().reset(new Uint8Array(64));
      symbol.u16(0);
      symbol.varint(16_777_216);
      symbol.varint(0);
      symbol.varint(16_000);
      symbol.u8(0);
      symbol.varint(index);
      symbol.varint(0);
      writer.varint(symbol.at);
      writer.copy(symbol.bytes.subarray(0, symbol.at));
    },
  },
  {
    name: 'sends repair for blocks of 200 that nobody has',
    packets: 3_000,
    mostMb: 20,
    errorCode: 0,
    greed: (writer, index) => {
      writer.u8(FrameType.REPAIR + 1);
      writer.varint(0);
      writer.u8(0);
      writer.u16(index * 7);
      writer.varint(50);
      writer.u8(200);
      writer.u8(index % 50);
      writer.varint(800);
      writer.zeros(800);
    },
  },
  {
    name: 'acknowledges what was never sent',
    packets: 3,
    mostMb: 2,
    errorCode: WireError.PROTOCOL_VIOLATION,
    greed: (writer) => {
      writer.u8(FrameType.ACK);
      writer.varint(1_000_000);
      writer.varint(0);
      writer.varint(0);
      writer.varint(1_000);
      writer.varint(0);
    },
  },
];

/** Of skipped numbers: a first one comes within 384 packets (`PERIOD_MIN`), and the lie a round trip later. */
const BELIEVED_MAX = 500;

/**
 * A viewer that acknowledges whatever its server has sent, be it lost or on its way, to be sent more. The server leaves a
 * packet number out now and then, and ends the connection when that one is acknowledged too.
 *
 * @returns Packets until it is found out.
 */
function believed(seed: number): number {
  const down = { delayMs: 5, rateBps: 20e6, loss: { kind: 'iid', ratio: 0.1 } } as const;
  const world = new World({ seed, network: { up: { delayMs: 5, rateBps: 20e6 }, down } });
  world.connect();
  const { client, server } = world.pair;
  const { received } = client.connection.state;
  const honest = received.writeAck.bind(received);
  received.writeAck = (writer, record, now) => {
    const begin = writer.at;
    if (!honest(writer, record, now)) return false;
    writer.at = begin;
    const largest = server.connection.state.recovery.nextPacketNumber - 1;
    writer.u8(FrameType.ACK);
    for (const field of [largest, 0, 0, largest, 0]) writer.varint(field);
    return true;
  };
  world.track({ from: 'server', frameBytes: 8_000 });
  if (!world.runUntil(() => !server.connection.isOpen, 10_000)) return Number.POSITIVE_INFINITY;
  const { packetsSent } = server.connection.state.counters;
  world.run(1_000);
  const last = server.events.at(-1);
  const errorCode = last?.type === 'closed' ? last.closing.errorCode : 0;
  if (errorCode !== WireError.PROTOCOL_VIOLATION) throw new Error(`the connection ended with ${errorCode}`);
  return packetsSent;
}

const optimist: FailureCase = {
  row: 'greedy',
  name: 'a peer that acknowledges whatever was sent, arrived or not',
  figure: 'packets until it is found out',
  unit: 'packets',
  most: BELIEVED_MAX,
  run: (seed) => ({ value: believed(seed) }),
};

const holders: readonly FailureCase[] = PEERS.map(({ name, packets, mostMb, errorCode, greed }) => ({
  row: 'greedy',
  name: `a peer that ${name}`,
  figure: `memory held after ${packets} packets`,
  unit: 'MB',
  most: mostMb,
  run: (seed) => {
    const { heldMb, errorCode: ended } = greedy(seed, packets, greed);
    if (ended !== errorCode) throw new Error(`the connection ended with ${ended}, ${errorCode} was expected`);
    return { value: heldMb, notes: { endedWith: ended } };
  },
}));

export const greedyPeers: readonly FailureCase[] = [...holders, optimist];
