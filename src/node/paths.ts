/**
 * Path numbers for remote addresses. A number is lent to an unknown address for as long as its datagram is looked at,
 * and given for good when a connection claims it: a flood of forged addresses can neither fill memory nor take over the
 * number of a connection's peer.
 */
import type { PathId } from '../base/protocol.ts';

/** An address and port as applications see it. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The one path of a connected socket. */
export const CONNECTED_PATH: PathId = 0;
/** Numbers lent in turn: 1..LENT_PATHS. Far more than datagrams handled between two answers. */
const LENT_PATHS = 1024;

const NOWHERE: Address = { host: '', port: 0 };

export class PathTable {
  readonly #addresses: (Address | undefined)[] = [];
  readonly #claimed: Map<string, PathId> = new Map();
  readonly #claims: number[] = [];
  readonly #free: PathId[] = [];
  #nextLent = 1;
  #nextClaimed = LENT_PATHS + 1;
  #lastHost = '';
  #lastPort = -1;
  #lastPath: PathId = CONNECTED_PATH;

  /** A connected socket has one path. */
  connect(remote: Address): void {
    this.#addresses[CONNECTED_PATH] = remote;
  }

  /** The number of an address: the claimed one, or one on loan. */
  pathOf(host: string, port: number): PathId {
    if (port === this.#lastPort && host === this.#lastHost) return this.#lastPath;
    let path = this.#claimed.get(`${host} ${port}`);
    if (path === undefined) {
      path = this.#nextLent;
      this.#nextLent = path === LENT_PATHS ? 1 : path + 1;
      this.#addresses[path] = { host, port };
      return path;
    }
    this.#lastHost = host;
    this.#lastPort = port;
    this.#lastPath = path;
    return path;
  }

  /** Keeps a lent path for a connection. Returns its lasting number. */
  claim(path: PathId): PathId {
    if (path === CONNECTED_PATH) return path;
    if (path > LENT_PATHS) {
      this.#claims[path] = (this.#claims[path] ?? 0) + 1;
      return path;
    }
    const address = this.#addresses[path] ?? NOWHERE;
    const key = `${address.host} ${address.port}`;
    const known = this.#claimed.get(key);
    if (known !== undefined) return this.claim(known);
    const lasting = this.#free.pop() ?? this.#nextClaimed++;
    this.#claimed.set(key, lasting);
    this.#addresses[lasting] = address;
    this.#claims[lasting] = 1;
    return lasting;
  }

  /** Gives a claimed path back. */
  release(path: PathId): void {
    if (path <= LENT_PATHS) return;
    const claims = (this.#claims[path] ?? 0) - 1;
    this.#claims[path] = claims;
    if (claims > 0) return;
    const address = this.#addresses[path] ?? NOWHERE;
    this.#claimed.delete(`${address.host} ${address.port}`);
    this.#addresses[path] = undefined;
    this.#free.push(path);
    if (this.#lastPath === path) this.#lastPort = -1;
  }

  /** The address as the socket needs it, or undefined for a number that stands for none. */
  addressOf(path: PathId): Address | undefined {
    return this.#addresses[path];
  }

  /** The address for people: IPv4 in IPv6 form is shown as IPv4. */
  describe(path: PathId): Address {
    const address = this.#addresses[path] ?? NOWHERE;
    return address.host.startsWith('::ffff:') ? { host: address.host.slice(7), port: address.port } : address;
  }
}
