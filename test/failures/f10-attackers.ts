/**
 * F10: whoever is no end of the connection must not end it, nor alter a byte. Attackers off the path and on it, in the
 * middle of a call: forged closes and resets, copies, replays, damage, lies about lengths, drops. What they do is found
 * again in the counters of the receiving ends, packet by packet.
 */
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { SeededRandom } from '../../src/base/random.ts';
import { symmetric } from '../../src/sim/network.ts';
import type { FailureCase, Measured } from './case.ts';
import type { Counted } from './census.ts';
import { DatagramRun } from './datagram-run.ts';
import { World } from './world.ts';

const NETWORK = symmetric({
  delayMs: 30,
  rateBps: 100e6,
  queue: { ms: 50 },
  jitter: { kind: 'late', ms: 1 },
});
const CALL_MS = 4_000;
const CLOSE = 0x1c;
const APPLICATION_CLOSE = 0x1d;
const UDP_BYTES = 28;
const REPLAY_MS_MAX = 2_500;

/** What an attacker does with each packet that it sees pass; true lets the packet pass. */
type Attack = (packet: Uint8Array, tools: Tools) => boolean;

interface Tools {
  readonly random: SeededRandom;
  /** Puts a datagram on the way, `afterMs` from now. */
  inject(datagram: Uint8Array, afterMs: number): void;
}

/** What the attacker has done, and what the ends have counted since it began. */
interface Books extends Counted {
  /** Datagrams put on the way, empty ones left out: they are no packets, and nobody counts them. */
  readonly injected: number;
  /** Of all that was on the way. */
  readonly queueDropped: number;
  readonly dropped: number;
  readonly sent: number;
}

/** A call both ways under attack. Everything must arrive in time and once, both ends must go on and count what came. */
function under(seed: number, { attack, least, settle }: Attacker): Measured {
  const world = new World({ seed, network: NETWORK, startBitrateBps: 6e6, hasCensus: true });
  world.connect();
  world.run(300);
  const { census } = world;
  const { sim, network } = world.pair;
  const links = [network.up, network.down];
  const before = { ...census.counted(), sent: sentBy(world) };
  let injected = 0;
  let isOver = false;
  for (const link of links) {
    const random = sim.random.fork();
    const inject = (datagram: Uint8Array, afterMs: number): void => {
      if (datagram.length > 0) injected++;
      sim.schedule(sim.now + afterMs * MILLISECOND, () =>
        link.inject(datagram, datagram.length + UDP_BYTES, 5_000),
      );
    };
    link.addTap((packet) => isOver || attack((packet.payload as Uint8Array).slice(), { random, inject }));
  }
  const spec = { frameBytes: 6_000, durationMs: CALL_MS };
  const tracks = [world.track(spec), world.track({ ...spec, from: 'server' })];
  const stream = world.stream({ bytes: 400_000 });
  const words = { sizes: new Array<number>(40).fill(100), everyMs: CALL_MS / 40 };
  const datagrams = [new DatagramRun(world, words), new DatagramRun(world, { ...words, from: 'server' })];
  world.run(CALL_MS + 2_000);
  world.assertOpen();
  if (!world.runUntil(() => stream.isFinished, 10_000))
    throw new Error(`the stream stands at ${stream.readBytes}`);
  isOver = true;
  world.run(REPLAY_MS_MAX + 500);
  world.assertOpen();
  census.check();
  const after = census.counted();
  const books: Books = {
    received: after.received - before.received,
    authentication: after.authentication - before.authentication,
    duplicate: after.duplicate - before.duplicate,
    malformed: after.malformed - before.malformed,
    keys: after.keys - before.keys,
    injected,
    queueDropped: links.reduce((sum, { statistics }) => sum + statistics.queueDropped, 0),
    dropped: links.reduce((sum, { statistics }) => sum + statistics.tapped, 0),
    sent: sentBy(world) - before.sent,
  };
  settle(books);
  if (books.dropped === 0 && datagrams.some(({ arrivedRatio }) => arrivedRatio < 1))
    throw new Error('app datagrams are missing');
  const inTime = Math.min(...tracks.map((track) => track.inTimeRatio()));
  if (inTime < least) throw new Error(`only ${inTime} of the media in time`);
  const { authentication, duplicate, malformed, dropped } = books;
  return { value: inTime, notes: { injected, authentication, duplicate, malformed, dropped } };
}

function sentBy({ pair }: World): number {
  return [pair.client, pair.server].reduce(
    (sum, { connection }) => sum + connection.state.counters.packetsSent,
    0,
  );
}

/** Throws unless `counted` is what was put on the way, less what may have been dropped in the queue, and more than none. */
function accountsFor(what: string, counted: number, { injected, queueDropped }: Books): void {
  if (injected > 0 && counted <= injected && counted >= injected - queueDropped) return;
  throw new Error(`${counted} ${what} counted of ${injected} put on the way, ${queueDropped} dropped`);
}

/** Every one that was put on the way counts as one packet that came before, and as nothing else. */
function copies(books: Books): void {
  accountsFor('duplicates', books.duplicate, books);
  none('forged', books.authentication + books.malformed + books.keys);
}

/** Every one that was put on the way is refused, as forged or as no packet; what follows a packet in it may be another. */
function forgeries(books: Books): void {
  const { authentication, malformed, injected, queueDropped } = books;
  const refused = authentication + malformed;
  if (authentication === 0 || malformed === 0 || refused < injected - queueDropped)
    throw new Error(`${authentication} forged and ${malformed} malformed counted, ${injected} were made`);
  none('duplicate', books.duplicate + books.keys);
}

function none(what: string, count: number): void {
  if (count > 0) throw new Error(`${count} ${what} counted, none was made`);
}

/** A short header packet of this connection with a number ahead, closing frames inside, and a guessed tag. */
function forgedClose(packet: Uint8Array, random: SeededRandom): Uint8Array {
  const forged = new Uint8Array(60);
  random.fill(forged);
  forged.set(packet.subarray(0, 9));
  forged[0] = 0x61;
  forged[9] = 0;
  forged[10] = forged.length - 11;
  forged[15] = random.unit() < 0.5 ? CLOSE : APPLICATION_CLOSE;
  return forged;
}

/** One attacker, and how its work is found again in the counters. */
interface Attacker {
  readonly name: string;
  readonly attack: Attack;
  /** Share of media in time. */
  readonly least: number;
  readonly settle: (books: Books) => void;
}

const ATTACKERS: readonly Attacker[] = [
  {
    name: 'off the path: random bytes and guessed connection IDs',
    attack: (_packet, { random, inject }) => {
      const bytes = new Uint8Array(1 + Math.floor(random.unit() * 1_400));
      random.fill(bytes);
      if (random.unit() < 0.5) bytes[0] = 0x40 | (Math.floor(random.unit() * 64) & 0x33);
      inject(bytes, random.unit() * 20);
      return true;
    },
    least: 1,
    settle: forgeries,
  },
  {
    name: 'on the path: forged closes and resets of this connection',
    attack: (packet, { random, inject }) => {
      inject(forgedClose(packet, random), 0);
      return true;
    },
    least: 1,
    settle: (books) => {
      accountsFor('forged', books.authentication, books);
      none('duplicate or malformed', books.duplicate + books.malformed + books.keys);
    },
  },
  {
    name: 'on the path: every packet four times',
    attack: (packet, { inject }) => {
      for (let i = 0; i < 3; i++) inject(packet.slice(), i * 2);
      return true;
    },
    least: 1,
    settle: copies,
  },
  {
    name: 'on the path: every packet replayed seconds later',
    attack: (packet, { random, inject }) => {
      inject(packet.slice(), 500 + random.unit() * (REPLAY_MS_MAX - 500));
      return true;
    },
    least: 1,
    settle: copies,
  },
  {
    name: 'on the path: a damaged copy ahead of every packet',
    attack: (packet, { random, inject }) => {
      const copy = packet.slice();
      const at = Math.floor(random.unit() * copy.length);
      copy[at] = (copy[at] as number) ^ (1 + Math.floor(random.unit() * 255));
      inject(copy, 0);
      return true;
    },
    least: 1,
    settle: forgeries,
  },
  {
    name: 'on the path: copies that lie about lengths, cut or lengthened',
    attack: (packet, { random, inject }) => {
      const size = Math.floor(random.unit() * 1_500);
      const copy = new Uint8Array(size);
      copy.set(packet.subarray(0, size));
      if (size > 11) {
        copy[0] = (copy[0] as number) | 0x20;
        copy[9] = Math.floor(random.unit() * 256);
        copy[10] = Math.floor(random.unit() * 256);
        // Once in 65,536 it would tell the truth.
        if (copy[9] === packet[9] && copy[10] === packet[10]) copy[10] = (copy[10] as number) ^ 1;
      }
      inject(copy, 0);
      return true;
    },
    least: 1,
    settle: forgeries,
  },
  {
    name: 'on the path: one packet in seven dropped, by choice of the largest',
    attack: (packet, { random }) => packet.length < 800 || random.unit() >= 1 / 7,
    least: 0.9,
    settle: ({ sent, received, dropped, queueDropped, ...rejected }) => {
      const missing = sent - received;
      if (dropped === 0 || missing < dropped || missing > dropped + queueDropped)
        throw new Error(`${missing} packets are missing, ${dropped} were dropped`);
      none('refused', rejected.authentication + rejected.duplicate + rejected.malformed + rejected.keys);
    },
  },
];

export const attackers: readonly FailureCase[] = ATTACKERS.map((attacker) => ({
  row: 'F10',
  name: attacker.name,
  figure: 'share of media in time',
  unit: '',
  least: attacker.least,
  run: (seed) => under(seed, attacker),
}));
