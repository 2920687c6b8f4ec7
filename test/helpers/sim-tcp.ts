/** A TCP flow over its own pair of links, for tests of the TCP model. */
import type { Link } from '../../src/sim/link.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { Network } from '../../src/sim/network.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { TcpFlow, type TcpFlowOptions } from '../../src/sim/tcp/flow.ts';
import type { TcpSegment } from '../../src/sim/tcp/segment.ts';

export interface TcpWorld {
  readonly sim: Simulator;
  readonly forward: Link;
  readonly backward: Link;
  readonly flow: TcpFlow;
}

/** `forward` also sets the delay of the way back; `backward` overrides. */
export function tcpWorld(
  forward: LinkOptions,
  options: Omit<TcpFlowOptions, 'forward' | 'backward'> & { seed?: number; backward?: LinkOptions } = {},
): TcpWorld {
  const { seed = 1, backward = { delayMs: forward.delayMs ?? 0 }, ...flowOptions } = options;
  const sim = new Simulator({ seed });
  const network = new Network(sim, { up: forward, down: backward });
  const flow = new TcpFlow(sim, { ...flowOptions, forward: network.up, backward: network.down });
  return { sim, forward: network.up, backward: network.down, flow };
}

/** Drops the transmissions of data for which `mustDrop` says so; `transmission` counts from 0 per sequence number. */
export function dropData(link: Link, mustDrop: (seq: number, transmission: number) => boolean): void {
  const sent = new Map<number, number>();
  link.addTap((packet) => {
    const segment = packet.payload as TcpSegment;
    if (segment.kind !== 'data' || segment.length === 0) return true;
    const transmission = sent.get(segment.seq) ?? 0;
    sent.set(segment.seq, transmission + 1);
    return !mustDrop(segment.seq, transmission);
  });
}

/** Bits per second that arrived in order between two instants, after `warmUpUs`. */
export function goodputBps(world: TcpWorld, warmUpUs: number, measuredUs: number): number {
  world.flow.start();
  world.flow.write(Number.POSITIVE_INFINITY);
  world.sim.run(warmUpUs);
  const before = world.flow.receiver.inOrderBytes;
  world.sim.run(warmUpUs + measuredUs);
  return ((world.flow.receiver.inOrderBytes - before) * 8 * 1e6) / measuredUs;
}
