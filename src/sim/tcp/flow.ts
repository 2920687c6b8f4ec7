/**
 * One TCP connection over two links: a sender, a receiver, and the bytes between them.
 *
 * Use:
 *   const flow = new TcpFlow(sim, { forward: network.up, backward: network.down, congestion: 'cubic' });
 *   flow.onData = (inOrderBytes, nowUs) => ...;
 *   flow.start();                       // handshake
 *   flow.write(Infinity);               // a source that never ends; or write(bytes) again and again
 * Several flows, and millrace connections beside them, may share the links.
 */
import type { Micros } from '../../base/protocol.ts';
import type { Link } from '../link.ts';
import type { SimHost } from '../protocol-host.ts';
import type { Simulator } from '../simulator.ts';
import type { CongestionName } from './congestion.ts';
import { TcpReceiver, type TcpReceiverOptions } from './receiver.ts';
import { type TcpSegment, wireBytes } from './segment.ts';
import { TcpSender } from './sender.ts';

export interface TcpFlowOptions extends TcpReceiverOptions {
  /** Carries data. */
  readonly forward: Link;
  /** Carries acknowledgements. */
  readonly backward: Link;
  /** Default `cubic`. */
  readonly congestion?: CongestionName;
  readonly name?: string;
}

/** What a flow has put on the wire, IP headers included. */
export interface TcpFlowStatistics {
  forwardPackets: number;
  forwardBytes: number;
  backwardPackets: number;
  backwardBytes: number;
  /** Of `forwardBytes`, segments that were sent before. */
  retransmittedBytes: number;
}

/** One connection that carries data one way. */
export class TcpFlow implements SimHost {
  readonly name: string;
  readonly sender: TcpSender;
  readonly receiver: TcpReceiver;
  readonly statistics: TcpFlowStatistics = {
    forwardPackets: 0,
    forwardBytes: 0,
    backwardPackets: 0,
    backwardBytes: 0,
    retransmittedBytes: 0,
  };

  #highestSent = 0;

  constructor(sim: Simulator, options: TcpFlowOptions) {
    this.name = options.name ?? `tcp ${options.congestion ?? 'cubic'}`;
    const forward = options.forward.open<TcpSegment>((segment) => this.receiver.receive(segment));
    const backward = options.backward.open<TcpSegment>((segment) => this.sender.receive(segment));
    this.sender = new TcpSender(sim, options.congestion ?? 'cubic', (segment) => {
      const sizeBytes = wireBytes(segment);
      this.#countForward(segment, sizeBytes);
      forward.send(segment, sizeBytes);
    });
    const answer = (segment: TcpSegment): void => {
      const sizeBytes = wireBytes(segment);
      this.statistics.backwardPackets++;
      this.statistics.backwardBytes += sizeBytes;
      backward.send(segment, sizeBytes);
    };
    this.receiver = new TcpReceiver(sim, answer, options);
  }

  /** Called whenever more has arrived in order, with the stream's length so far. */
  set onData(callback: (inOrderBytes: number, nowUs: Micros) => void) {
    this.receiver.onData = callback;
  }

  start(): void {
    this.sender.open();
  }

  stop(): void {
    this.sender.stop();
    this.receiver.stop();
  }

  /** Adds bytes to the stream. */
  write(bytes: number): void {
    this.sender.write(bytes);
  }

  #countForward(segment: TcpSegment, sizeBytes: number): void {
    const { statistics } = this;
    statistics.forwardPackets++;
    statistics.forwardBytes += sizeBytes;
    const end = segment.seq + segment.length;
    if (segment.kind === 'data' && end <= this.#highestSent) statistics.retransmittedBytes += sizeBytes;
    this.#highestSent = Math.max(this.#highestSent, end);
  }
}
