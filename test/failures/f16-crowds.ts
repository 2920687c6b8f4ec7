/**
 * F16 and the attackers that need a whole listener: ten thousand connections in one process, floods of first packets
 * from forged addresses, handshakes that never go on. The figures are memory, and what an established call feels.
 */
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import { HALF_OPEN_MAX } from '../../src/endpoint.ts';
import { addressOf } from '../../src/sim/nat.ts';
import { symmetric } from '../../src/sim/network.ts';
import { bytesInUse } from '../helpers/memory.ts';
import type { FailureCase } from './case.ts';
import { Crowd } from './crowd.ts';
import { remembered } from './remember.ts';

const NETWORK = symmetric({
  delayMs: 30,
  rateBps: 100e6,
  queue: { ms: 50 },
  jitter: { kind: 'late', ms: 1 },
});
const FLOOD_MS = 10_000;
/** Ten thousand a minute. */
const FLOOD_INTERVAL_US = 6 * MILLISECOND;
const FLOOD_PACKETS: number = Math.floor((FLOOD_MS * MILLISECOND) / FLOOD_INTERVAL_US);

/** So many calls to one listener, all of them established. */
function established(seed: number, connections: number): { crowd: Crowd; calls: Connection[] } {
  const crowd = new Crowd(seed, symmetric({ delayMs: 1 }));
  const calls: Connection[] = [];
  for (let i = 0; i < connections; i++) {
    calls.push(crowd.call());
    if (i % 20 === 19) crowd.run(5);
  }
  crowd.run(2_000);
  const connected = calls.filter((call) => call.isOpen && !call.isHandshaking).length;
  if (connected !== connections) throw new Error(`${connected} of ${connections} calls stand`);
  return { crowd, calls };
}

/** What each of so many calls to one listener holds, and how many were told why they ended. */
function scale(seed: number, connections: number): { bytesPerEnd: number; reasons: number } {
  // What the first call of a process costs once, compiled code above all, is no connection's.
  established(seed, 20);
  const before = bytesInUse();
  const { crowd, calls } = established(seed, connections);
  const bytesPerEnd = (bytesInUse() - before) / connections / 2;
  let reasons = 0;
  crowd.server.onEvent = ({ event }) => {
    if (event.type === 'closed' && event.closing.errorCode === 7 && event.closing.reason === 'enough')
      reasons++;
  };
  for (const call of calls) {
    crowd.client.host.call((now) => {
      call.close(true, 7, 'enough', now);
      crowd.client.protocol.touch(call);
    });
  }
  crowd.run(20_000);
  if (reasons !== connections)
    throw new Error(`${reasons} of ${connections} endings were told with their reason`);
  const left = crowd.server.protocol.endpoint.count + crowd.client.protocol.endpoint.count;
  if (left > 0) throw new Error(`${left} connections are still remembered after their end`);
  return { bytesPerEnd, reasons };
}

/** An established call, and its media's latencies. */
class EstablishedCall {
  readonly latenciesMs: number[] = [];
  readonly crowd: Crowd;
  readonly connection: Connection;

  constructor(crowd: Crowd) {
    this.crowd = crowd;
    this.connection = crowd.call();
    crowd.run(500);
    if (this.connection.isHandshaking) throw new Error('the call does not stand');
    const latencyUs = 120 * MILLISECOND;
    const track = this.connection.tracks.openLive({ kind: 'video', latencyUs });
    crowd.server.onEvent = ({ connection, event }) => {
      if (event.type !== 'track-readable') return;
      const receiver = connection.tracks.receiver(event.trackId);
      for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
        this.latenciesMs.push((crowd.sim.now - frame.timestampUs) / MILLISECOND);
      }
    };
    const send = (): void => {
      if (!this.connection.isOpen || track === undefined) return;
      crowd.client.host.call((now) => {
        track.send(new Uint8Array(6_000), { timestampUs: now }, now);
        this.connection.onMediaQueued(track, now);
        crowd.client.protocol.touch(this.connection);
      });
      crowd.sim.schedule(crowd.sim.now + SECOND / 30, send);
    };
    send();
  }

  p99(): number {
    const sorted = [...this.latenciesMs].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? Number.POSITIVE_INFINITY;
  }
}

/** First packets that are in order; what TLS says to them goes nowhere. The same ones for every seed: they are dear to make. */
const firstPackets: () => readonly Uint8Array[] = (() => {
  const packets: Uint8Array[] = [];
  const make = (): void => {
    const forger = new Crowd(1_000_000, symmetric({ delayMs: 1 }));
    const { endpoint } = forger.client.protocol;
    const out = new Uint8Array(2_048);
    while (packets.length < FLOOD_PACKETS) {
      const call = endpoint.dial(
        { handshake: new PlainHandshake({ isServer: false }), path: 0 },
        forger.sim.now,
      );
      packets.push(out.slice(0, call.pollTransmit(out, forger.sim.now)));
      endpoint.remove(call);
    }
  };
  return () => {
    if (packets.length === 0) make();
    return packets;
  };
})();

interface Flood {
  readonly latencyMs: number;
  readonly heapGrowth: number;
  readonly halfOpenMax: number;
  readonly answered: number;
}

/** A call under a flood, or without one. @param from Every first packet from an address of its own, all from one, or none. */
function flood(seed: number, from: 'everywhere' | 'one address' | 'nowhere'): Flood {
  const crowd = new Crowd(seed, NETWORK);
  const call = new EstablishedCall(crowd);
  crowd.run(1_000);
  call.latenciesMs.length = 0;
  // Made before anything is measured: the forger's memory is its own.
  const packets = from === 'nowhere' ? [] : firstPackets();
  const before = bytesInUse();
  const { endpoint } = crowd.server.protocol;
  let halfOpenMax = 0;
  let sentBytes = 0;
  const startBytes = crowd.network.down.statistics.offeredBytes;
  for (const [i, packet] of packets.entries()) {
    const address = addressOf(200 + (from === 'everywhere' ? i : 0), 4_000 + (i % 1_000));
    crowd.sim.schedule(crowd.sim.now + i * FLOOD_INTERVAL_US, () => {
      sentBytes += packet.length + 28;
      crowd.network.up.inject(packet, packet.length + 28, address);
      halfOpenMax = Math.max(halfOpenMax, endpoint.halfOpenCount);
    });
  }
  crowd.run(FLOOD_MS);
  const heapGrowth = bytesInUse() - before;
  if (!call.connection.isOpen) throw new Error('the call ended');
  if (halfOpenMax > HALF_OPEN_MAX) throw new Error(`${halfOpenMax} handshakes under way`);
  const answered = (crowd.network.down.statistics.offeredBytes - startBytes) / Math.max(1, sentBytes);
  return { latencyMs: call.p99(), heapGrowth, halfOpenMax, answered };
}

const undisturbed: (seed: number) => Flood = remembered((seed) => flood(seed, 'nowhere'));
const flooded: (seed: number) => Flood = remembered((seed) => flood(seed, 'everywhere'));

function scaleCase(connections: number, isLong: boolean): FailureCase {
  return {
    row: 'F16',
    name: `${connections} connections in one process, each ending with its reason`,
    figure: 'memory of one end of an idle connection',
    unit: 'kB',
    most: 64,
    ...(isLong ? { isLong } : {}),
    run: (seed) => ({ value: scale(seed, connections).bytesPerEnd / 1e3 }),
  };
}

export const crowds: readonly FailureCase[] = [
  scaleCase(100, false),
  scaleCase(10_000, true),
  {
    row: 'flood',
    name: '10 000 first packets a minute from forged addresses: latency',
    figure: "change of an established call's p99 latency",
    unit: 'ms',
    most: 5,
    run: (seed) => {
      const under = flooded(seed);
      const { halfOpenMax, answered } = under;
      const value = under.latencyMs - undisturbed(seed).latencyMs;
      return { value, notes: { halfOpenMax, bytesBackPerByte: answered } };
    },
  },
  {
    row: 'flood',
    name: '10 000 first packets a minute from forged addresses: memory',
    figure: 'growth over ten seconds, the simulator included',
    unit: 'MB',
    most: 16,
    run: (seed) => ({ value: flooded(seed).heapGrowth / 1e6 }),
  },
  {
    row: 'flood',
    name: 'slow loris: handshakes from one address that never go on',
    figure: "change of an established call's p99 latency",
    unit: 'ms',
    most: 5,
    run: (seed) => {
      const under = flood(seed, 'one address');
      const value = under.latencyMs - undisturbed(seed).latencyMs;
      return { value, notes: { halfOpenMax: under.halfOpenMax } };
    },
  },
];
