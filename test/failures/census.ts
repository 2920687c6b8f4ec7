/**
 * What both ends of a world must have counted: every packet that reaches an end is compared with all that were ever
 * sealed. In: packets as they are sealed, datagrams as they arrive. Out: how many were taken, came again, or were never
 * sealed, by this account; throws if the counters of either end say anything else.
 */
import type { Rejections } from '../../src/connection/stats.ts';
import { HeaderReason, PacketHeader } from '../../src/wire/header.ts';
import type { End } from '../helpers/pair.ts';

/** Packets of one kind of header. */
interface Account {
  /** Sealed by the peer, and here for the first time. */
  fresh: number;
  /** Sealed by the peer, and here before. */
  again: number;
  /** Sealed by nobody. */
  forged: number;
}

/** What one end's own counters say. */
export interface Counted extends Omit<Rejections, 'unknownConnection' | 'late'> {
  readonly received: number;
}

/** The account of one end. */
class EndCensus {
  readonly initial: Account = { fresh: 0, again: 0, forged: 0 };
  readonly short: Account = { fresh: 0, again: 0, forged: 0 };
  malformed = 0;
  readonly #end: End;
  readonly #sealed: ReadonlySet<string>;
  readonly #seen: Set<string> = new Set();
  readonly #header: PacketHeader = new PacketHeader();

  constructor(end: End, sealed: ReadonlySet<string>) {
    this.#end = end;
    this.#sealed = sealed;
    const { connection } = end;
    const handle = connection.handleDatagram.bind(connection);
    connection.handleDatagram = (datagram, path, now) => {
      this.#take(datagram);
      handle(datagram, path, now);
    };
  }

  /** Before it is opened, which happens in place. Only where packets begin and end is asked of the code under test. */
  #take(datagram: Uint8Array): void {
    const header = this.#header;
    for (let at = 0; at < datagram.length; at = header.end) {
      if (header.parse(datagram, at, this.#end.connection.state.peerDatagramBytes) !== HeaderReason.OK) {
        this.malformed++;
        return;
      }
      const account = header.isInitial ? this.initial : this.short;
      const packet = nameOf(datagram, at, header.end);
      if (!this.#sealed.has(packet)) account.forged++;
      else if (this.#seen.has(packet)) account.again++;
      else {
        this.#seen.add(packet);
        account.fresh++;
      }
    }
  }

  check(): void {
    const { name } = this.#end.host;
    const { received, authentication, duplicate, malformed, keys } = countersOf(this.#end);
    const { initial, short } = this;
    // Initial packets are refused for their keys once the handshake is over, whatever they are.
    const same = (what: string, counted: number, least: number, more: number): void => {
      if (counted >= least && counted <= least + more) return;
      const expected = more === 0 ? `${least}` : `${least} to ${least + more}`;
      throw new Error(`the ${name} counts ${counted} ${what} packets of ${expected}`);
    };
    same('malformed', malformed, this.malformed, 0);
    same('forged', authentication, short.forged, initial.forged);
    same('duplicate', duplicate, short.again, initial.again);
    same('authentic', received, short.fresh, initial.fresh);
    const all = [initial, short].reduce((sum, { fresh, again, forged }) => sum + fresh + again + forged, 0);
    same('well-formed', received + authentication + duplicate + keys, all, 0);
  }
}

/** One name per packet. */
function nameOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

function countersOf({ connection }: End): Counted {
  const { packetsReceived: received, rejected } = connection.state.counters;
  const { authentication, duplicate, malformed, keys } = rejected;
  return { received, authentication, duplicate, malformed, keys };
}

/** Of both ends, from before the first packet on. */
export class Census {
  readonly #sealed: Set<string> = new Set();
  #ends: readonly End[] = [];
  #accounts: readonly EndCensus[] = [];

  /** Is told every packet when it is sealed, at either end. */
  readonly onSealed = (packet: Uint8Array): void => {
    this.#sealed.add(nameOf(packet, 0, packet.length));
  };

  /** Sees from now on what arrives at these ends. */
  watch(ends: readonly End[]): void {
    this.#ends = ends;
    this.#accounts = ends.map((end) => new EndCensus(end, this.#sealed));
  }

  /** What the counters of both ends say together. */
  counted(): Counted {
    const sum = { received: 0, authentication: 0, duplicate: 0, malformed: 0, keys: 0 };
    for (const counted of this.#ends.map(countersOf)) {
      for (const key of Object.keys(sum) as (keyof Counted)[]) sum[key] += counted[key];
    }
    return sum;
  }

  /** Throws unless the counters of both ends say what came. */
  check(): void {
    for (const account of this.#accounts) account.check();
  }
}
