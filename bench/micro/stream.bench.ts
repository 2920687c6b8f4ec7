/**
 * Question: what does one packet of stream data cost the sender and the receiver, and does it depend on how much is in
 * flight? Workload: one stream, 1200-byte packets; the acknowledgement of each packet comes `inFlight` packets after
 * it was sent (ideal path), or the same with 2 % of packets lost (told lost at that point, resent, acked later).
 * Credit is unlimited for the sender's part. The receiver's part includes reading and credit frames. What cannot be
 * in flight within the buffers is compared with packets of the same, smaller size. Figures are CPU time, not wall time.
 * A bad answer: above 4 us a packet (1 Gbit/s of 1200-byte packets leaves 9.6 us for everything), or a cost at 100,000
 * packets in flight of more than twice that at 100 (memory misses excuse some), or heap that grows with packets.
 *
 * Run: npx tsx --expose-gc bench/micro/stream.bench.ts [gigabytes, default 0.25]
 */
import { Reader, Writer } from '../../src/base/bytes.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { SendStream } from '../../src/stream/send.ts';
import { StreamSet } from '../../src/stream/set.ts';
import type { StreamEvents } from '../../src/stream/types.ts';
import { StreamFrame } from '../../src/wire/stream.ts';

const PACKET_BYTES = 1200;
const TOTAL_BYTES = Number(process.argv[2] ?? 0.25) * 1e9;
const UNLIMITED = 2 ** 52;

const SILENT: StreamEvents = {
  onOpened() {},
  onTrackStreamOpened() {},
  onReadable() {},
  onWritable() {},
  onReset() {},
  onStopped() {},
  onFinished() {},
  onTrackStreamDone() {},
  onEnded() {},
  onCanOpen() {},
  onWantsToSend() {},
};

function makeSet(isServer: boolean): StreamSet {
  const limits = {
    maxData: 32 * 1024 * 1024,
    maxStreamData: 16 * 1024 * 1024,
    maxStreamsBidirectional: 100,
    maxStreamsUnidirectional: 100,
    maxTrackStreams: 100,
  };
  const set = new StreamSet({
    isServer,
    limits,
    activate() {},
    deactivate() {},
    events: SILENT,
    rtt: { smoothedUs: 20_000, probeTimeoutUs: () => 45_000 },
  });
  set.applyPeerParameters({ ...limits, maxData: UNLIMITED, maxStreamData: UNLIMITED });
  return set;
}

/** Tokens of packets in flight: a ring, as in recovery/. */
class Flight {
  readonly #offsets: Float64Array;
  readonly #lengths: Float64Array;
  readonly #size: number;
  #sent = 0;
  #settled = 0;

  constructor(size: number) {
    this.#size = size;
    this.#offsets = new Float64Array(size);
    this.#lengths = new Float64Array(size);
  }

  get isFull(): boolean {
    return this.#sent - this.#settled === this.#size;
  }

  get isEmpty(): boolean {
    return this.#sent === this.#settled;
  }

  note(_kind: number, _id: number, offset: number, lengthAndEnd: number): void {
    this.#offsets[this.#sent % this.#size] = offset;
    this.#lengths[this.#sent % this.#size] = lengthAndEnd;
    this.#sent++;
  }

  settleOldest(set: StreamSet, id: number, isLost: boolean): void {
    const at = this.#settled++ % this.#size;
    const owner = set.dataOwner;
    if (isLost) owner.onLost(id, this.#offsets[at] as number, this.#lengths[at] as number, 0);
    else owner.onAcked(id, this.#offsets[at] as number, this.#lengths[at] as number, 0);
  }
}

/** CPU time of this process, ns. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Nanoseconds per packet for writing into the stream, making frames and settling them. */
function benchSend(
  inFlight: number,
  lossRatio: number,
  packetBytes: number,
): { ns: number; heapBytes: number } {
  const set = makeSet(false);
  const send = set.open('unidirectional') as SendStream;
  const random = new SeededRandom(1);
  const flight = new Flight(inFlight);
  const out = new Uint8Array(packetBytes);
  const writer = new Writer();
  const input = new Uint8Array(65_536);
  const total = Math.floor(TOTAL_BYTES / PACKET_BYTES);
  let packets = 0;
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  const begin = cpuNs();
  while (packets < total) {
    if (send.writableBytes >= input.length) send.write(input);
    writer.reset(out, 0, packetBytes);
    if (!flight.isFull && send.writeFrame(writer, flight, 0) > 0) packets++;
    else flight.settleOldest(set, send.id, lossRatio > 0 && random.unit() < lossRatio);
  }
  const ns = (cpuNs() - begin) / packets;
  globalThis.gc?.();
  const heapBytes = (process.memoryUsage().heapUsed - heapBefore) / packets;
  // What the stream holds is held until here.
  if (set.get(send.id) === undefined) throw new Error('the stream has ended');
  return { ns, heapBytes };
}

/** Of each group of `reordered` packets the first comes last: the others wait behind a hole. */
function benchReceive(reordered: number, packetBytes: number): number {
  const set = makeSet(true);
  const datagrams = Array.from({ length: 1024 }, () => new Uint8Array(PACKET_BYTES));
  const reader = new Reader();
  const frame = new StreamFrame();
  const control = new Writer();
  const record = { note() {} };
  const out = new Uint8Array(PACKET_BYTES);
  const total = Math.floor(TOTAL_BYTES / PACKET_BYTES);
  let packets = 0;
  let read = 0;
  const begin = cpuNs();
  for (let base = 0; base < total; base += reordered) {
    for (let i = 1; i <= reordered; i++) {
      const number = base + (i === reordered ? 0 : i);
      const datagram = datagrams[packets & 1023] as Uint8Array;
      writeFrame(datagram, number * packetBytes, packetBytes);
      const type = reader.reset(datagram, 0, FRAME_HEADER_BYTES + packetBytes).u8();
      if (frame.parse(reader, type) !== 0 || set.onStreamFrame(frame) !== 0) throw new Error('refused');
      packets++;
      const receive = set.get(2)?.receive;
      for (let piece = receive?.read(); piece !== undefined; piece = receive?.read()) read += piece.length;
      if (set.wantsToSend(packets)) set.writeFrames(control.reset(out), record, packets * 10);
    }
  }
  if (read !== packets * packetBytes) throw new Error('bytes are missing');
  return (cpuNs() - begin) / packets;
}

const FRAME_HEADER_BYTES = 18;

/** A STREAM frame with offset and length as 8-byte varints, on stream 2. */
function writeFrame(datagram: Uint8Array, offset: number, length: number): void {
  datagram[0] = 0x0e;
  datagram[1] = 2;
  WRITER.reset(datagram, 2);
  WRITER.u32(0xc000_0000 + Math.floor(offset / 2 ** 32));
  WRITER.u32(offset);
  WRITER.u32(0xc000_0000);
  WRITER.u32(length);
}
const WRITER: Writer = new Writer();

function report(name: string, ns: number, packetBytes: number, extra = ''): void {
  const gbps = ((packetBytes * 8) / ns).toFixed(1);
  console.log(
    `${name.padEnd(40)} ${String(packetBytes).padStart(5)} B ${ns.toFixed(0).padStart(6)} ns/packet ${gbps.padStart(5)} Gbit/s ${extra}`,
  );
}

/** What 100,000 packets in flight leave of the 32 MiB of a send buffer, and of a receive window of 16 MiB. */
const SMALL_SEND_BYTES = 314;
const SMALL_RECEIVE_BYTES = 125;

benchSend(100, 0.02, PACKET_BYTES);
for (const lossRatio of [0, 0.02]) {
  report(`send, 100 in flight, loss ${lossRatio}`, benchSend(100, lossRatio, PACKET_BYTES).ns, PACKET_BYTES);
  report(
    `send, 25000 in flight, loss ${lossRatio}`,
    benchSend(25_000, lossRatio, PACKET_BYTES).ns,
    PACKET_BYTES,
  );
  const few = benchSend(100, lossRatio, SMALL_SEND_BYTES);
  const many = benchSend(100_000, lossRatio, SMALL_SEND_BYTES);
  report(`send, 100 in flight, loss ${lossRatio}`, few.ns, SMALL_SEND_BYTES);
  const ratio = `ratio to 100: ${(many.ns / few.ns).toFixed(2)}, heap ${many.heapBytes.toFixed(1)} B/packet`;
  report(`send, 100000 in flight, loss ${lossRatio}`, many.ns, SMALL_SEND_BYTES, ratio);
}
benchReceive(1, PACKET_BYTES - FRAME_HEADER_BYTES);
report('receive, in order', benchReceive(1, PACKET_BYTES - FRAME_HEADER_BYTES), PACKET_BYTES);
report('receive, 100 behind a hole', benchReceive(100, PACKET_BYTES - FRAME_HEADER_BYTES), PACKET_BYTES);
const behindFew = benchReceive(100, SMALL_RECEIVE_BYTES);
const behindMany = benchReceive(100_000, SMALL_RECEIVE_BYTES);
report('receive, 100 behind a hole', behindFew, SMALL_RECEIVE_BYTES);
report(
  'receive, 100000 behind a hole',
  behindMany,
  SMALL_RECEIVE_BYTES,
  `ratio to 100: ${(behindMany / behindFew).toFixed(2)}`,
);
