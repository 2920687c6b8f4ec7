/**
 * The TCP model as a transport under test: all sources write to one connection, as an application does over one
 * socket. In: frames. Out: deliveries in order, the bytes by purpose.
 */
import type { Network } from '../sim/network.ts';
import type { Simulator } from '../sim/simulator.ts';
import type { CongestionName } from '../sim/tcp/congestion.ts';
import { TcpFlow } from '../sim/tcp/flow.ts';
import { FRAME_PREFIX_BYTES, TcpFrameSource } from '../sim/tcp/frames.ts';
import type { TcpSegment } from '../sim/tcp/segment.ts';
import type { LabFrame } from './frames.ts';
import type { Transport, TransportEvents, TransportReport } from './transport.ts';
import { type WireBytes, WireMeter } from './wire-meter.ts';

export interface TcpOptions {
  readonly congestion: CongestionName;
  /** Skips frames while the oldest unsent byte is older than this; default never. */
  readonly skipWhenBehindMs?: number;
}

/** Opening is asked for so often, virtual time: there is no event for it. */
const POLL_US = 1_000;

export class TcpTransport implements Transport {
  readonly flow: TcpFlow;
  readonly #sim: Simulator;
  readonly #frames: TcpFrameSource;
  readonly #events: TransportEvents;
  readonly #meter: WireMeter = new WireMeter();
  /** Source and index of each frame on its way, by the frame source's own number. */
  readonly #underWay: Map<number, { readonly source: number; readonly index: number }> = new Map();
  #offered = 0;
  #skipped = 0;

  constructor(sim: Simulator, network: Network, options: TcpOptions, events: TransportEvents) {
    const { congestion, skipWhenBehindMs } = options;
    this.#sim = sim;
    this.#events = events;
    // Before the flow opens its share, so that the meter sees the SYN.
    network.up.addTap((packet) => {
      if (isSegment(packet.payload)) this.#meter.onTcp(packet.payload, packet.sizeBytes);
      return true;
    });
    this.flow = new TcpFlow(sim, { forward: network.up, backward: network.down, congestion });
    this.#frames = new TcpFrameSource(sim, this.flow, {
      keepsFrames: false,
      ...(skipWhenBehindMs === undefined ? {} : { skipWhenBehindMs }),
    });
    this.#frames.onFrame = ({ id, deliveredAtUs }) => {
      const offered = this.#underWay.get(id);
      this.#underWay.delete(id);
      if (offered !== undefined) events.onDelivered(offered.source, offered.index, undefined, deliveredAtUs);
    };
  }

  get wire(): WireBytes {
    return this.#meter.bytes;
  }

  start(): void {
    this.flow.start();
    this.#awaitOpen();
  }

  #awaitOpen(): void {
    if (this.flow.sender.state !== 'opening') {
      this.#events.onReady(this.#sim.now);
      return;
    }
    this.#sim.schedule(this.#sim.now + POLL_US, () => this.#awaitOpen());
  }

  send(source: number, frame: LabFrame): void {
    const id = this.#offered++;
    frame.isSkipped = this.#frames.send(id, frame.sizeBytes, frame.isKeyFrame).isSkipped;
    if (frame.isSkipped) this.#skipped++;
    else this.#underWay.set(id, { source, index: frame.index });
  }

  targetBps(): undefined {
    return undefined;
  }

  maxFrameBytes(): undefined {
    return undefined;
  }

  report(): TransportReport {
    const faults: string[] = [];
    const { statistics, sender } = this.flow;
    const { bytes } = this.#meter;
    if (bytes.total !== statistics.forwardBytes) {
      faults.push(`all: ${bytes.total} bytes on the wire, the sender counted ${statistics.forwardBytes}`);
    }
    if (bytes.media !== sender.sentBytes) {
      faults.push(`media: ${bytes.media} bytes on the wire, the sender counted ${sender.sentBytes}`);
    }
    return {
      faults,
      ended: undefined,
      figures: {
        framesSkipped: this.#skipped,
        prefixBytes: FRAME_PREFIX_BYTES * (this.#offered - this.#skipped),
        unsentBytes: sender.writtenBytes - sender.sentBytes,
      },
    };
  }
}

function isSegment(payload: unknown): payload is TcpSegment {
  return typeof payload === 'object' && payload !== null && 'seq' in payload && 'ack' in payload;
}
