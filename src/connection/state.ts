/**
 * The parts of one connection, built once and wired to each other, and the few facts they share. transmit.ts and
 * receive.ts drive them; lifecycle.ts moves the connection from handshake to close.
 */
import type { Micros } from '../base/protocol.ts';
import type { OneRttKeys } from '../crypto/key-phase.ts';
import { BlockDecoder } from '../fec/decoder.ts';
import { BlockEncoder } from '../fec/encoder.ts';
import { ConnectionIds } from '../path/connection-ids.ts';
import { NO_KEEPER, PathSet } from '../path/path-set.ts';
import { Silence } from '../path/silence.ts';
import type { RateController } from '../rate/controller.ts';
import { DatagramSizeProber } from '../recovery/datagram-size.ts';
import { LossRecovery } from '../recovery/loss-recovery.ts';
import { Pacer } from '../recovery/pacer.ts';
import { ReceivedPackets } from '../recovery/received-packets.ts';
import { RttEstimator } from '../recovery/rtt.ts';
import { StreamSet } from '../stream/set.ts';
import { TrackSet } from '../track/set.ts';
import { type Sender, TOKEN_KINDS, TokenKind, type TokenOwner } from '../wire/frame-source.ts';
import { DATAGRAM_BYTES_MIN } from '../wire/header.ts';
import type { Parameters } from '../wire/parameters.ts';
import { CloseState } from './closing.ts';
import { ControlFrames } from './control.ts';
import { CountersExchange, collectCounters } from './counters.ts';
import { DatagramQueue } from './datagrams.ts';
import { EventQueue } from './event-queue.ts';
import { HandshakePhase } from './handshake-phase.ts';
import type { ConnectionOptions } from './options.ts';
import { PathView } from './path-view.ts';
import { Redundancy } from './redundancy.ts';
import { PathReports, StreamReports, TrackReports } from './reports.ts';
import { Scheduler } from './scheduler.ts';
import { noTraffic, type TransportCounters } from './stats.ts';
import { TimerTable } from './timers.ts';

/** App datagrams go after audio (10 by default) and before video (0). */
const DATAGRAM_SEND_ORDER = 5;

export class ConnectionState {
  readonly options: ConnectionOptions;
  readonly counters: TransportCounters = noTraffic();
  readonly timers: TimerTable = new TimerTable();
  readonly close: CloseState = new CloseState();
  readonly events: EventQueue = new EventQueue();
  readonly scheduler: Scheduler = new Scheduler();
  readonly rtt: RttEstimator = new RttEstimator();
  readonly received: ReceivedPackets = new ReceivedPackets();
  readonly prober: DatagramSizeProber = new DatagramSizeProber();
  readonly control: ControlFrames = new ControlFrames(DATAGRAM_BYTES_MIN);
  readonly controller: RateController;
  /** What is spent on protection, and why. */
  readonly redundancy: Redundancy;
  readonly recovery: LossRecovery;
  readonly pacer: Pacer;
  readonly path: PathView;
  readonly streams: StreamSet;
  readonly tracks: TrackSet;
  readonly datagrams: DatagramQueue;
  /** Until the handshake is confirmed. */
  handshake: HandshakePhase | undefined;
  /** From the end of TLS on. */
  keys: OneRttKeys | undefined;
  readonly ids: ConnectionIds;
  readonly paths: PathSet;
  /** Of the peer, for an end that only listens. */
  readonly silence: Silence = new Silence();
  /** Both ends' counters. */
  readonly exchange: CountersExchange = new CountersExchange(() => collectCounters(this));
  remoteParameters: Parameters | undefined;
  /** The datagram size the peer announced. */
  peerDatagramBytes: number = DATAGRAM_BYTES_MIN;
  /** The smaller of both ends' idle timeouts, us. */
  idleTimeoutUs: Micros;
  /** A media frame was completed by the packet at hand: its sender wants to know soon. */
  hasFrameEnded = false;

  constructor(options: ConnectionOptions) {
    this.options = options;
    this.idleTimeoutUs = options.parameters.maxIdleTimeoutMs * 1000;
    this.controller = options.controller(options.path);
    this.pacer = new Pacer(this.controller.pacingRateBps, DATAGRAM_BYTES_MIN);
    const { activate } = this.scheduler;
    const deactivate = (sender: Sender): void => this.scheduler.remove(sender);
    const owners: TokenOwner[] = new Array<TokenOwner>(TOKEN_KINDS).fill(NOBODY);
    const redundancy = new Redundancy(this.controller, this.rtt);
    this.redundancy = redundancy;
    this.recovery = new LossRecovery({
      rtt: this.rtt,
      owners,
      observer: redundancy,
      sizeObserver: this.prober,
      random: options.random,
    });
    redundancy.watch(this.recovery.reordering);
    this.ids = new ConnectionIds(options.issuer);
    this.paths = new PathSet({
      isServer: options.isServer,
      keeper: options.paths ?? NO_KEEPER,
      events: new PathReports(this),
      random: options.random,
      ids: this.ids,
      path: options.path,
      remoteId: options.remoteId,
      probeTimeoutUs: () => this.recovery.probeTimeoutUs,
    });
    this.paths.active.isValidated = (options.callerToken?.length ?? 0) > 0;
    this.path = new PathView(this.rtt, this.recovery, this.controller, DATAGRAM_BYTES_MIN);
    this.datagrams = new DatagramQueue(DATAGRAM_SEND_ORDER, activate, (id, outcome) =>
      this.events.push({ type: 'datagram-settled', id, outcome }),
    );
    this.streams = new StreamSet({
      isServer: options.isServer,
      limits: options.parameters,
      activate,
      deactivate,
      events: new StreamReports(this),
      rtt: this.rtt,
    });
    this.tracks = new TrackSet({
      isServer: options.isServer,
      activate,
      deactivate,
      path: this.path,
      streams: this.streams,
      makeRepairMaker: () => new BlockEncoder(options.codec()),
      policy: redundancy,
      makeDecoder: () => new BlockDecoder(options.codec()),
      events: new TrackReports(this),
      latencyWishUs: () => (this.remoteParameters?.latencyMs ?? 0) * 1000,
      deliveryWish: options.deliveryWish,
    });
    owners[TokenKind.ACK] = this.received;
    owners[TokenKind.CONTROL] = this.control;
    owners[TokenKind.STREAM] = this.streams.dataOwner;
    owners[TokenKind.STREAM_CONTROL] = this.streams;
    owners[TokenKind.TRACK] = this.tracks.dataOwner;
    owners[TokenKind.TRACK_CONTROL] = this.tracks;
    owners[TokenKind.DATAGRAM] = this.datagrams;
    owners[TokenKind.PROBE] = this.prober;
    owners[TokenKind.PATH] = this.ids;
    owners[TokenKind.COUNTERS] = this.exchange;
    this.handshake = new HandshakePhase(options, this.rtt);
  }
}

const NOBODY: TokenOwner = { onAcked() {}, onLost() {} };
