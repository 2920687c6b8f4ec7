/**
 * Two stream sets joined by a packet layer with seeded loss, delay, reordering, duplicates, lost acknowledgements and
 * thus spurious losses. Virtual time. Every packet is parsed as a connection would, and frames are dispatched alike.
 */
import { Reader, Writer } from '../../src/base/bytes.ts';
import { WireError } from '../../src/base/errors.ts';
import { type Micros, NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { REFUSED } from '../../src/stream/receive.ts';
import { StreamSet } from '../../src/stream/set.ts';
import type { StreamKind } from '../../src/stream/stream-id.ts';
import type { RttView, Stream, StreamEvents, StreamLimits } from '../../src/stream/types.ts';
import { type Sender, TokenKind } from '../../src/wire/frame-source.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { StreamFrame } from '../../src/wire/stream.ts';

export const smallLimits: StreamLimits = {
  maxData: 20_000,
  maxStreamData: 6_000,
  maxStreamsBidirectional: 4,
  maxStreamsUnidirectional: 4,
  maxTrackStreams: 2,
};

export const fixedRtt: RttView = { smoothedUs: 20_000, probeTimeoutUs: () => 45_000 };

/** What one end was told, in order, as short texts: `readable 0`, `reset 4 7`. */
export class EventLog implements StreamEvents {
  readonly lines: string[] = [];
  readonly opened: Stream[] = [];
  readonly trackStreams: Stream[] = [];

  onOpened(stream: Stream): void {
    this.opened.push(stream);
    this.lines.push(`opened ${stream.id}`);
  }
  onTrackStreamOpened(stream: Stream): void {
    this.trackStreams.push(stream);
    this.lines.push(`track ${stream.id}`);
  }
  onReadable(id: number): void {
    this.lines.push(`readable ${id}`);
  }
  onWritable(id: number): void {
    this.lines.push(`writable ${id}`);
  }
  onReset(id: number, errorCode: number): void {
    this.lines.push(`reset ${id} ${errorCode}`);
  }
  onStopped(id: number, errorCode: number): void {
    this.lines.push(`stopped ${id} ${errorCode}`);
  }
  onFinished(id: number): void {
    this.lines.push(`finished ${id}`);
  }
  onTrackStreamDone(id: number): void {
    this.lines.push(`track done ${id}`);
  }
  onEnded(id: number): void {
    this.lines.push(`ended ${id}`);
  }
  onCanOpen(kind: StreamKind): void {
    this.lines.push(`canOpen ${kind}`);
  }
  onWantsToSend(): void {}

  count(line: string): number {
    return this.lines.filter((each) => each === line).length;
  }
}

interface Token {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export interface Packet {
  readonly bytes: Uint8Array;
  readonly tokens: readonly Token[];
  isAcked: boolean;
}

/** One stream set, its log and the least scheduler that works. */
export class StreamEnd {
  readonly log: EventLog = new EventLog();
  readonly active: Set<Sender> = new Set();
  readonly set: StreamSet;
  packetBytes = 1200;

  constructor(isServer: boolean, limits: StreamLimits, rtt: RttView = fixedRtt) {
    this.set = new StreamSet({
      isServer,
      limits,
      rtt,
      events: this.log,
      activate: (sender) => this.active.add(sender),
      deactivate: (sender) => this.active.delete(sender),
    });
  }

  /** The next packet, or undefined when there is nothing to send. */
  poll(now: Micros): Packet | undefined {
    const tokens: Token[] = [];
    const record = {
      note: (kind: number, a: number, b: number, c: number) => {
        tokens.push({ kind, a, b, c });
      },
    };
    const writer = new Writer().reset(new Uint8Array(this.packetBytes));
    if (this.set.wantsToSend(now)) this.set.writeFrames(writer, record, now);
    for (const sender of this.active) {
      if (!sender.hasData(now)) this.active.delete(sender);
      else while (sender.writeFrame(writer, record, now) > 0);
    }
    return writer.at === 0
      ? undefined
      : { bytes: writer.bytes.subarray(0, writer.at), tokens, isAcked: false };
  }

  acked(packet: Packet, now: Micros): void {
    for (const { kind, a, b, c } of packet.tokens) {
      if (kind === TokenKind.STREAM) this.set.dataOwner.onAcked(a, b, c, now);
      else this.set.onAcked(a, b, c);
    }
  }

  lost(packet: Packet, now: Micros): void {
    for (const { kind, a, b, c } of packet.tokens) {
      if (kind === TokenKind.STREAM) this.set.dataOwner.onLost(a, b, c, now);
      else this.set.onLost(a, b, c);
    }
  }

  /** Parses and dispatches one packet. Returns 0, REFUSED or a WireError. */
  receive(bytes: Uint8Array): number {
    const reader = new Reader().reset(bytes);
    while (reader.remaining > 0) {
      const reason = dispatch(this.set, reader, reader.u8());
      if (reason !== 0) return reason;
      if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
    }
    return 0;
  }
}

function dispatch(set: StreamSet, reader: Reader, type: number): number {
  if (type === FrameType.PADDING) return 0;
  if (type >= FrameType.STREAM && type <= FrameType.STREAM + 7) {
    const frame = new StreamFrame();
    return frame.parse(reader, type) || set.onStreamFrame(frame);
  }
  const a = reader.varint();
  switch (type) {
    case FrameType.MAX_DATA:
      return set.onMaxData(a);
    case FrameType.DATA_BLOCKED:
      return set.onDataBlocked(a);
    case FrameType.MAX_STREAMS_BIDIRECTIONAL:
    case FrameType.MAX_STREAMS_UNIDIRECTIONAL:
      return set.onMaxStreams(type === FrameType.MAX_STREAMS_BIDIRECTIONAL, a);
    case FrameType.STREAMS_BLOCKED_BIDIRECTIONAL:
    case FrameType.STREAMS_BLOCKED_UNIDIRECTIONAL:
      return set.onStreamsBlocked(type === FrameType.STREAMS_BLOCKED_BIDIRECTIONAL, a);
  }
  const b = reader.varint();
  switch (type) {
    case FrameType.RESET_STREAM:
      return set.onResetStream(a, b, reader.varint());
    case FrameType.STOP_SENDING:
      return set.onStopSending(a, b);
    case FrameType.MAX_STREAM_DATA:
      return set.onMaxStreamData(a, b);
    case FrameType.STREAM_DATA_BLOCKED:
      return set.onStreamDataBlocked(a, b);
  }
  return WireError.PROTOCOL_VIOLATION;
}

export interface LinkOptions {
  readonly seed: number;
  readonly lossRatio?: number;
  readonly duplicateRatio?: number;
  /** Of acknowledgements: makes spurious losses. */
  readonly ackLossRatio?: number;
  readonly delayUs?: Micros;
  /** Up to so much more, per packet: reorders. */
  readonly jitterUs?: Micros;
  readonly packetBytes?: number;
}

/** Virtual time by which every test is over. */
const STUCK_US: Micros = 3_600_000_000;

interface Timed {
  readonly at: Micros;
  readonly order: number;
  readonly run: (now: Micros) => void;
}

/** Client and server over a bad link, in virtual time. */
export class StreamPair {
  readonly client: StreamEnd;
  readonly server: StreamEnd;
  now: Micros = 0;
  /** Packets that were sent. */
  packets = 0;
  /** Called after every event, before packets are made: an application, or a checker. */
  check: () => void = () => {};
  readonly #random: SeededRandom;
  readonly #link: Required<LinkOptions>;
  readonly #agenda: Timed[] = [];
  #order = 0;

  constructor(link: LinkOptions, limits: StreamLimits = smallLimits, rtt: RttView = fixedRtt) {
    this.#link = {
      lossRatio: 0,
      duplicateRatio: 0,
      ackLossRatio: 0,
      delayUs: 10_000,
      jitterUs: 0,
      packetBytes: 1200,
      ...link,
    };
    this.#random = new SeededRandom(link.seed);
    this.client = new StreamEnd(false, limits, rtt);
    this.server = new StreamEnd(true, limits, rtt);
    this.client.packetBytes = this.#link.packetBytes;
    this.server.packetBytes = this.#link.packetBytes;
    this.client.set.applyPeerParameters(limits);
    this.server.set.applyPeerParameters(limits);
  }

  at(at: Micros, run: (now: Micros) => void): void {
    this.#agenda.push({ at, order: this.#order++, run });
  }

  #delay(): Micros {
    return this.#link.delayUs + Math.floor(this.#random.unit() * this.#link.jitterUs);
  }

  #chance(ratio: number): boolean {
    return this.#random.unit() < ratio;
  }

  #transmit(from: StreamEnd, to: StreamEnd): void {
    for (let packet = from.poll(this.now); packet !== undefined; packet = from.poll(this.now)) {
      const sent = packet;
      this.packets++;
      if (!this.#chance(this.#link.lossRatio)) this.#arrive(from, to, sent);
      if (this.#chance(this.#link.duplicateRatio)) this.#arrive(from, to, sent);
      this.at(this.now + 4 * this.#link.delayUs + this.#link.jitterUs / 2, (now) => {
        if (!sent.isAcked) from.lost(sent, now);
      });
    }
  }

  #arrive(from: StreamEnd, to: StreamEnd, packet: Packet): void {
    this.at(this.now + this.#delay(), () => {
      const reason = to.receive(packet.bytes.slice());
      if (reason === REFUSED) return;
      if (reason !== 0) throw new Error(`the peer would close with error ${reason}`);
      if (this.#chance(this.#link.ackLossRatio)) return;
      this.at(this.now + this.#delay(), (now) => {
        packet.isAcked = true;
        from.acked(packet, now);
      });
    });
  }

  /** Runs until nothing is left to do (timers of blocked streams included) or `untilUs`. */
  run(untilUs: Micros = NEVER): void {
    for (;;) {
      this.check();
      this.#transmit(this.client, this.server);
      this.#transmit(this.server, this.client);
      const timer = Math.min(this.client.set.nextDeadline(), this.server.set.nextDeadline());
      let first = 0;
      for (let i = 1; i < this.#agenda.length; i++) {
        const a = this.#agenda[i] as Timed;
        const b = this.#agenda[first] as Timed;
        if (a.at < b.at || (a.at === b.at && a.order < b.order)) first = i;
      }
      const next = Math.min(timer, this.#agenda[first]?.at ?? NEVER);
      if (next === NEVER || next > untilUs) return;
      if (next > STUCK_US) throw new Error('the pair is stuck: somebody stays blocked');
      this.now = Math.max(this.now, next);
      if (timer <= next) {
        this.client.set.handleTimeout(this.now);
        this.server.set.handleTimeout(this.now);
      } else {
        (this.#agenda.splice(first, 1)[0] as Timed).run(this.now);
      }
    }
  }
}

/** The byte of a test stream at an offset: differs between streams and hardly repeats. */
export function byteAt(id: number, offset: number): number {
  return ((offset * 31 + (offset >> 8) * 17 + id * 101) ^ (offset >> 16)) & 255;
}

/** Test bytes [offset, offset + length) of stream `id`. */
export function testBytes(id: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = byteAt(id, offset + i);
  return bytes;
}
