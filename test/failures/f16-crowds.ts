/**
 * F16 and the attackers that need a whole listener: ten thousand connections in one process, floods of first packets
 * from forged addresses, handshakes that never go on. The figures are memory, and what an established call feels.
 */
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { addressOf } from '../../src/sim/nat.ts';
import { symmetric } from '../../src/sim/network.ts';
import { bytesInUse } from '../helpers/memory.ts';
import type { FailureCase } from './case.ts';
import { Crowd, Forger } from './crowd.ts';
import { remembered } from './remember.ts';

const NETWORK = symmetric({
  delayMs: 30,
  rateBps: 100e6,
  queue: { ms: 50 },
  jitter: { kind: 'late', ms: 1 },
});
const UDP_BYTES = 28;
/** Hosts of the attackers: nobody else has these addresses. */
const ATTACKER_HOST = 200;
const ATTACKERS_FROM: number = addressOf(ATTACKER_HOST, 0);
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

/** What each of so many calls to one listener holds, and what it took to establish it, the simulator included. */
function scale(seed: number, connections: number): { bytesPerEnd: number; cpuUsPerEnd: number } {
  // What the first call of a process costs once, compiled code above all, is no connection's.
  established(seed, 20);
  const before = bytesInUse();
  const startedAt = process.cpuUsage();
  const { crowd, calls } = established(seed, connections);
  const { user, system } = process.cpuUsage(startedAt);
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
  return { bytesPerEnd, cpuUsPerEnd: (user + system) / connections / 2 };
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
    const forger = new Forger(1_000_000);
    for (let i = 0; i < FLOOD_PACKETS; i++) {
      packets.push(forger.first(i, 0));
      forger.forget(i);
    }
  };
  return () => {
    if (packets.length === 0) make();
    return packets;
  };
})();

/** Whoever attacks, and what it has said to the listener. */
type Attackers = 'nobody' | 'forged addresses' | 'slow loris';

interface Flood {
  readonly latencyMs: number;
  /** Bytes; 0 without attackers, where nobody asks. */
  readonly heapGrowth: number;
  /** Most handshakes under way at one time. */
  readonly halfOpenMax: number;
  /** Handshakes that the listener has begun. */
  readonly begun: number;
  /** Bytes that went to the attackers' addresses, per byte from there. */
  readonly bytesBackPerByte: number;
}

/** A call under a flood of first packets. The forged addresses never answer; the slow loris answers a Retry, then nothing. */
function flood(seed: number, who: Attackers): Flood {
  const crowd = new Crowd(seed, NETWORK);
  const call = new EstablishedCall(crowd);
  crowd.run(1_000);
  call.latenciesMs.length = 0;
  const { sim, network } = crowd;
  const { endpoint } = crowd.server.protocol;
  // Made before anything is measured: the forger's memory is its own.
  const packets = who === 'forged addresses' ? firstPackets() : [];
  const loris = who === 'slow loris' ? new Forger(seed) : undefined;
  const before = who === 'nobody' ? 0 : bytesInUse();
  let halfOpenMax = 0;
  let sentBytes = 0;
  let backBytes = 0;
  const send = (packet: Uint8Array, address: number): void => {
    sentBytes += packet.length + UDP_BYTES;
    network.up.inject(packet, packet.length + UDP_BYTES, address);
    halfOpenMax = Math.max(halfOpenMax, endpoint.halfOpenCount);
  };
  network.down.addTap((packet, now) => {
    if (packet.address < ATTACKERS_FROM) return true;
    backBytes += packet.sizeBytes;
    const answer = loris?.answer(packet.payload as Uint8Array, packet.address, now);
    if (answer !== undefined) send(answer, packet.address);
    return true;
  });
  for (let i = 0; i < (who === 'nobody' ? 0 : FLOOD_PACKETS); i++) {
    const address = addressOf(ATTACKER_HOST + (loris === undefined ? i : 0), 4_000 + i);
    sim.schedule(sim.now + i * FLOOD_INTERVAL_US, () =>
      send(loris?.first(address, sim.now) ?? (packets[i] as Uint8Array), address),
    );
  }
  crowd.run(FLOOD_MS);
  const heapGrowth = who === 'nobody' ? 0 : bytesInUse() - before;
  if (!call.connection.isOpen) throw new Error('the call ended');
  // The call is one of them.
  const begun = crowd.server.protocol.begun - 1;
  const bytesBackPerByte = backBytes / Math.max(1, sentBytes);
  return { latencyMs: call.p99(), heapGrowth, halfOpenMax, begun, bytesBackPerByte };
}

/** What a flood may cost at the most, in numbers of its own: what the listener is built with may be wrong. */
function checkBounds(under: Flood, most: { halfOpen: number; begun: number; backPerByte: number }): void {
  const { halfOpenMax, begun, bytesBackPerByte } = under;
  if (halfOpenMax === 0 || halfOpenMax > most.halfOpen)
    throw new Error(`${halfOpenMax} handshakes under way, ${most.halfOpen} are allowed`);
  if (begun > most.begun) throw new Error(`${begun} handshakes begun, ${most.begun} are allowed`);
  if (bytesBackPerByte > most.backPerByte)
    throw new Error(`${bytesBackPerByte} bytes sent per byte of the attackers`);
}

const undisturbed: (seed: number) => Flood = remembered((seed) => flood(seed, 'nobody'));
const flooded: (seed: number) => Flood = remembered((seed) => {
  const under = flood(seed, 'forged addresses');
  // Sixteen callers without a token at a time, for ten seconds each; whoever else is asked for one in 100 bytes.
  checkBounds(under, { halfOpen: 16, begun: 40, backPerByte: 0.15 });
  return under;
});
const lorises: (seed: number) => Flood = remembered((seed) => {
  const under = flood(seed, 'slow loris');
  // They have proven where they are. What they are sent first is a certificate, and it is sent again.
  checkBounds(under, { halfOpen: 1_024, begun: 1_024, backPerByte: 8 });
  return under;
});

function scaleCase(connections: number, isLong: boolean): FailureCase {
  return {
    row: 'F16',
    name: `${connections} connections in one process, each ending with its reason`,
    figure: 'memory of one end of an idle connection',
    unit: 'kB',
    most: 64,
    ...(isLong ? { isLong } : {}),
    run: (seed) => {
      const { bytesPerEnd, cpuUsPerEnd } = scale(seed, connections);
      return { value: bytesPerEnd / 1e3, notes: { cpuUsPerEnd } };
    },
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
      const { halfOpenMax, begun, bytesBackPerByte } = under;
      const value = under.latencyMs - undisturbed(seed).latencyMs;
      return { value, notes: { halfOpenMax, begun, bytesBackPerByte } };
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
      const under = lorises(seed);
      const { halfOpenMax, begun, bytesBackPerByte } = under;
      const value = under.latencyMs - undisturbed(seed).latencyMs;
      return { value, notes: { halfOpenMax, begun, bytesBackPerByte } };
    },
  },
  {
    row: 'flood',
    name: 'slow loris: memory',
    figure: 'growth over ten seconds, the simulator included',
    unit: 'MB',
    // 1024 handshakes of 100 kB each.
    most: 100,
    run: (seed) => ({ value: lorises(seed).heapGrowth / 1e6 }),
  },
];
