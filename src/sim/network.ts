/**
 * A path between a client and a server: one link each way and, if asked for, a NAT in front of the client.
 *
 * Use:
 *   const network = new Network(sim, preset('wifi-lossy'));
 *   connectHosts(client, server, network);
 *   network.up.update({ loss: { kind: 'iid', ratio: 0.1 } });
 */
import type { PathId } from '../base/protocol.ts';
import { Link } from './link.ts';
import type { LinkOptions } from './link-options.ts';
import { Nat, type NatSpec } from './nat.ts';
import type { ProtocolHost } from './protocol-host.ts';
import type { Simulator } from './simulator.ts';

/** A path as data. `up` carries what the client sends, `down` what the server sends. */
export interface NetworkSpec {
  readonly up: LinkOptions;
  readonly down: LinkOptions;
  readonly nat?: NatSpec;
}

/** The links of one path. Several pairs of hosts, and TCP models beside them, may share them. */
export class Network {
  readonly up: Link;
  readonly down: Link;
  readonly nat: Nat | undefined;

  constructor(sim: Simulator, spec: NetworkSpec) {
    this.up = new Link(sim, { name: 'up', ...spec.up });
    this.down = new Link(sim, { name: 'down', ...spec.down });
    this.nat = spec.nat === undefined ? undefined : new Nat(sim, spec.nat);
  }
}

/** The same options in both directions. */
export function symmetric(options: LinkOptions): NetworkSpec {
  return { up: options, down: options };
}

/** The port a client's first socket has behind its NAT. */
export const CLIENT_ADDRESS = 5_000;

/**
 * Joins two hosts by a network. The client's first path (id 0) is opened; the server listens, and its path 0 opens with
 * the first datagram. Hosts may share the network with others when their addresses differ.
 *
 * @param address The client's own address: its socket's port.
 * @returns Opens one more client socket on another port, and gives the client's new path.
 */
export function connectHosts<ClientEvent, ServerEvent>(
  client: ProtocolHost<ClientEvent>,
  server: ProtocolHost<ServerEvent>,
  network: Network,
  address: number = CLIENT_ADDRESS,
): (address: number) => PathId {
  const { up, down, nat } = network;
  const toClient = nat === undefined ? client.receive : nat.inbound(client.receive);
  const share = up.open(server.receive);
  const outlet = nat === undefined ? share : nat.outbound(share);
  up.onDeliver = server.receive;
  down.onDeliver = toClient;
  client.addPath(outlet, address);
  server.listen(down.open(toClient));
  return (next) => client.addPath(outlet, next);
}
