/**
 * F10: whoever is no end of the connection must not end it, nor alter a byte. Attackers off the path and on it, in the
 * middle of a call: forged closes and resets, copies, replays, damage, lies about lengths, drops.
 */
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { SeededRandom } from '../../src/base/random.ts';
import { symmetric } from '../../src/sim/network.ts';
import type { FailureCase, Measured } from './case.ts';
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

/** What an attacker does with each packet that it sees pass; true lets the packet pass. */
type Attack = (packet: Uint8Array, tools: Tools) => boolean;

interface Tools {
  readonly random: SeededRandom;
  /** Puts a datagram on the way, `afterMs` from now. */
  inject(datagram: Uint8Array, afterMs: number): void;
}

/** A call both ways under attack. Everything must arrive in time, and both ends must go on. */
function under(seed: number, attack: Attack, inTimeLeast: number): Measured {
  const world = new World({ seed, network: NETWORK, startBitrateBps: 6e6 });
  world.connect();
  world.run(300);
  const { sim, network, client, server } = world.pair;
  let injected = 0;
  for (const link of [network.up, network.down]) {
    const random = sim.random.fork();
    const inject = (datagram: Uint8Array, afterMs: number): void => {
      injected++;
      sim.schedule(sim.now + afterMs * MILLISECOND, () =>
        link.inject(datagram, datagram.length + UDP_BYTES, 5_000),
      );
    };
    link.addTap((packet) => attack((packet.payload as Uint8Array).slice(), { random, inject }));
  }
  const spec = { frameBytes: 6_000, durationMs: CALL_MS };
  const tracks = [world.track(spec), world.track({ ...spec, from: 'server' })];
  const stream = world.stream({ bytes: 400_000 });
  world.run(CALL_MS + 2_000);
  world.assertOpen();
  if (!world.runUntil(() => stream.isFinished, 10_000))
    throw new Error(`the stream stands at ${stream.readBytes}`);
  const inTime = Math.min(...tracks.map((track) => track.inTimeRatio()));
  if (inTime < inTimeLeast) throw new Error(`only ${inTime} of the media in time`);
  const count = (end: typeof client): number => {
    const { authentication, duplicate, malformed, keys } = end.connection.state.counters.rejected;
    return authentication + duplicate + malformed + keys;
  };
  return { value: inTime, notes: { injected, rejected: count(client) + count(server) } };
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

const ATTACKS: readonly (readonly [string, Attack, number])[] = [
  [
    'off the path: random bytes and guessed connection IDs',
    (_packet, { random, inject }) => {
      const bytes = new Uint8Array(1 + Math.floor(random.unit() * 1_400));
      random.fill(bytes);
      if (random.unit() < 0.5) bytes[0] = 0x40 | (Math.floor(random.unit() * 64) & 0x33);
      inject(bytes, random.unit() * 20);
      return true;
    },
    1,
  ],
  [
    'on the path: forged closes and resets of this connection',
    (packet, { random, inject }) => {
      inject(forgedClose(packet, random), 0);
      return true;
    },
    1,
  ],
  [
    'on the path: every packet four times',
    (packet, { inject }) => {
      for (let i = 0; i < 3; i++) inject(packet.slice(), i * 2);
      return true;
    },
    1,
  ],
  [
    'on the path: every packet replayed seconds later',
    (packet, { random, inject }) => {
      inject(packet.slice(), 500 + random.unit() * 2_000);
      return true;
    },
    1,
  ],
  [
    'on the path: a damaged copy ahead of every packet',
    (packet, { random, inject }) => {
      const copy = packet.slice();
      const at = Math.floor(random.unit() * copy.length);
      copy[at] = (copy[at] as number) ^ (1 + Math.floor(random.unit() * 255));
      inject(copy, 0);
      return true;
    },
    1,
  ],
  [
    'on the path: copies that lie about lengths, cut or lengthened',
    (packet, { random, inject }) => {
      const size = Math.floor(random.unit() * 1_500);
      const copy = new Uint8Array(size);
      copy.set(packet.subarray(0, size));
      if (size > 11) {
        copy[0] = (copy[0] as number) | 0x20;
        copy[9] = Math.floor(random.unit() * 256);
        copy[10] = Math.floor(random.unit() * 256);
      }
      inject(copy, 0);
      return true;
    },
    1,
  ],
  [
    'on the path: one packet in seven dropped, by choice of the largest',
    (packet, { random }) => packet.length < 800 || random.unit() >= 1 / 7,
    0.9,
  ],
];

export const attackers: readonly FailureCase[] = ATTACKS.map(([name, attack, least]) => ({
  row: 'F10',
  name,
  figure: 'share of media in time',
  unit: '',
  least,
  run: (seed) => under(seed, attack, least),
}));
