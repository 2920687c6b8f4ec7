/**
 * millrace as a transport under test: two core connections, one live track per source. In: frames. Out: deliveries,
 * the bytes by purpose, and whether the sender's own statistics agree with the wire.
 */
import { MILLISECOND } from '../base/protocol.ts';
import { UDP_IPV4_HEADER_BYTES } from '../sim/link-options.ts';
import type { Network } from '../sim/network.ts';
import type { Simulator } from '../sim/simulator.ts';
import type { TrackSender } from '../track/send.ts';
import { frameContent, type LabFrame } from './frames.ts';
import { createPair, type End, joinPair, listenTo, type PairOptions } from './pair.ts';
import type { Transport, TransportEvents, TransportReport } from './transport.ts';
import { type WireBytes, WireMeter } from './wire-meter.ts';
import type { Source } from './workload.ts';

/** Audio leaves before video when both wait. */
const AUDIO_SEND_ORDER = 10;

export interface MillraceOptions extends PairOptions {
  readonly latencyMs: number;
}

export class MillraceTransport implements Transport {
  readonly client: End;
  readonly server: End;
  /** The sending half of each source's track, once connected. */
  readonly tracks: TrackSender[] = [];
  readonly #sources: readonly Source[];
  readonly #events: TransportEvents;
  readonly #latencyMs: number;
  readonly #meter: WireMeter = new WireMeter();
  readonly #sim: Simulator;

  constructor(
    sim: Simulator,
    network: Network,
    sources: readonly Source[],
    options: MillraceOptions,
    events: TransportEvents,
  ) {
    this.#sim = sim;
    this.#sources = sources;
    this.#events = events;
    this.#latencyMs = options.latencyMs;
    const { client, server } = createPair(sim, options);
    joinPair(client, server, network);
    this.client = client;
    this.server = server;
    listenTo(client, (event) => {
      if (event.type === 'connected') this.#open();
    });
    listenTo(server, (event) => {
      if (event.type === 'track-readable') this.#read(event.trackId);
    });
    network.up.addTap((packet) => {
      if (packet.payload instanceof Uint8Array) this.#meter.onDatagram(packet.payload, packet.sizeBytes);
      return true;
    });
  }

  get wire(): WireBytes {
    return this.#meter.bytes;
  }

  start(): void {
    this.client.host.start();
  }

  #open(): void {
    for (const { kind } of this.#sources) {
      const latencyUs = this.#latencyMs * MILLISECOND;
      const sendOrder = kind === 'audio' ? AUDIO_SEND_ORDER : 0;
      const track = this.client.connection.tracks.openLive({ kind, latencyUs, sendOrder });
      if (track === undefined) throw new Error('the receiver accepts no track');
      this.tracks.push(track);
    }
    this.#events.onReady(this.#sim.now);
  }

  #read(trackId: number): void {
    const source = this.tracks.findIndex((track) => track.id === trackId);
    const receiver = this.server.connection.tracks.receiver(trackId);
    for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
      this.#events.onDelivered(source, frame.frameId, frame.data, this.#sim.now);
    }
  }

  send(source: number, frame: LabFrame): void {
    const track = this.tracks[source];
    if (track === undefined || !this.client.connection.isOpen) return;
    this.client.host.call((now) => {
      const content = frameContent(frame.index, frame.sizeBytes);
      track.send(content, { timestampUs: now, keyFrame: frame.isKeyFrame }, now);
      this.client.connection.onMediaQueued(track, now);
    });
  }

  targetBps(source: number): number | undefined {
    const track = this.tracks[source];
    return track === undefined ? undefined : this.client.connection.targetOf(track);
  }

  maxFrameBytes(source: number): number | undefined {
    const track = this.tracks[source];
    return track === undefined ? undefined : this.client.connection.maxFrameBytesOf(track);
  }

  report(): TransportReport {
    const faults: string[] = [];
    const sent = this.client.connection.tracks.sendTotals();
    const { statistics } = this.client.host;
    const { bytes, probes } = this.#meter;
    const expect = (what: string, onWire: number, counted: number): void => {
      if (onWire !== counted)
        faults.push(`${what}: ${onWire} bytes on the wire, the sender counted ${counted}`);
    };
    expect('all', bytes.total, statistics.sentBytes);
    expect('media', bytes.media, sent.mediaBytes);
    expect('resend', bytes.resend, sent.resendBytes);
    expect('repair', bytes.repair, sent.repairBytes);
    const { counters, controller, recovery, rtt, path } = this.client.connection.state;
    expect('probe', bytes.probe, counters.probeBytesSent + probes * UDP_IPV4_HEADER_BYTES);
    if (this.#meter.unreadable > 0) faults.push(`${this.#meter.unreadable} packets could not be read`);
    const { closing } = this.client.events.find((event) => event.type === 'closed') ?? {};
    return {
      faults,
      ended: closing === undefined ? undefined : (closing.error?.message ?? closing.reason),
      figures: {
        framesOnTime: sent.frames.onTime,
        framesRepaired: sent.frames.fec,
        framesResent: sent.frames.resent,
        framesLate: sent.frames.late,
        framesLost: sent.frames.lost,
        framesExpired: sent.framesExpired,
        symbolsSent: sent.symbolsSent,
        symbolsResent: sent.symbolsResent,
        repairsSent: sent.repairsSent,
        targetBps: controller.targetRateBps,
        lossRatio: recovery.statistics.lossRatio,
        spuriousLosses: recovery.statistics.spurious,
        smoothedRttMs: rtt.smoothedUs / MILLISECOND,
        datagramBytes: path.datagramBytes,
        feedbackDatagrams: this.server.host.statistics.sentDatagrams,
        feedbackBackBytes: this.server.host.statistics.sentBytes,
      },
    };
  }
}
