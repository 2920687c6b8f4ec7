/**
 * The emulator itself, a process of its own: `process.ts TASK-AS-JSON`. Makes two network namespaces and carries every
 * packet from one to the other through the links of `millrace/sim`. In: packets, requests on stdin (messages.ts). Out:
 * packets, replies on stdout. It ends when stdin does, however its parent ended, and takes with it what still runs in
 * its namespaces.
 *
 * One thread, one loop, no event loop of Node: it sleeps in ppoll(2) until a packet, a request or the next event of the
 * simulator, with real-time priority where it may. That is what keeps the timing error under a millisecond without
 * spinning (Node's timers are 1.1 ms coarse).
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import process from 'node:process';
import { applyStep, createWorld, type Link, type ScenarioStep } from '../../../src/sim.ts';
import { askForPunctuality, errorName, type LibC, requireLibC } from '../native.ts';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from './addresses.ts';
import { Lateness } from './lateness.ts';
import type { DirectionStatistics, EmulatorTask, Reply, Request } from './messages.ts';
import { RealTimeWorld } from './real-time.ts';
import { createTunNamespace, membersOf, type TunNamespace } from './tun.ts';

const POLLIN = 1;
const POLL_BYTES = 8;
/** Above the programs that use the path, and those who watch them: a network waits for nobody. */
const PRIORITY = 3;
/** Larger than any packet the devices let through. */
const SLAB_BYTES = 2_048;
const REQUEST_BYTES_MAX = 1 << 20;
/** Packets taken from one side before the other has its turn. */
const BATCH_PACKETS = 32;
/** Packets are cut from pools of this size, so that memory is asked for once in some hundred packets. */
Buffer.poolSize = 1 << 20;

/** One direction: what is read from one device passes the link and is written to the other. */
class Direction {
  readonly link: Link;
  readonly lateness: Lateness = new Lateness();
  readonly #world: RealTimeWorld;
  readonly #libc: LibC;
  readonly #from: number;
  readonly #slab = Buffer.alloc(SLAB_BYTES);
  #refused = 0;

  constructor(world: RealTimeWorld, link: Link, from: TunNamespace, to: TunNamespace) {
    const libc = requireLibC();
    this.link = link;
    this.#world = world;
    this.#libc = libc;
    this.#from = from.tun;
    link.onDeliver = (packet) => {
      const isTaken = libc.write(to.tun, packet, packet.length) === packet.length;
      this.lateness.add(world.presentUs - world.sim.now);
      if (!isTaken) this.#refused++;
    };
  }

  /** Takes what waits, at most a batch. */
  pump(): void {
    for (let i = 0; i < BATCH_PACKETS; i++) {
      const bytes = this.#libc.read(this.#from, this.#slab, SLAB_BYTES);
      if (bytes <= 0) return;
      this.#world.catchUp();
      const packet = Buffer.allocUnsafe(bytes);
      this.#slab.copy(packet, 0, 0, bytes);
      this.link.send(packet, bytes);
    }
  }

  statistics(): DirectionStatistics {
    return { link: { ...this.link.statistics }, lateness: this.lateness.summary(), refused: this.#refused };
  }
}

/** Packets that a namespace's device has dropped on their way to us; `counters` is its open `/proc/net/dev`. */
function deviceDrops(counters: number): number {
  const buffer = Buffer.alloc(8_192);
  const text = buffer.toString('latin1', 0, readSync(counters, buffer, 0, buffer.length, 0));
  const line = text.split('\n').find((row) => row.trim().startsWith('link0:'));
  return Number(line?.split(':')[1]?.trim().split(/\s+/)[11] ?? Number.NaN);
}

/** A namespace and its open counters: made one after the other, since the thread moves on with the next one. */
function createEnd(address: string): { namespace: TunNamespace; counters: number } {
  const namespace = createTunNamespace(address);
  return { namespace, counters: openSync('/proc/thread-self/net/dev', 'r') };
}

function say(reply: Reply): void {
  writeSync(1, `${JSON.stringify(reply)}\n`);
}

class Emulator {
  readonly #libc = requireLibC();
  readonly #world;
  readonly #time: RealTimeWorld;
  readonly #client = createEnd(CLIENT_ADDRESS);
  readonly #server = createEnd(SERVER_ADDRESS);
  readonly #up: Direction;
  readonly #down: Direction;
  #requests = '';

  constructor(task: EmulatorTask) {
    if (task.network.nat !== undefined) throw new RangeError('the emulator has no NAT');
    this.#world = createWorld({ name: 'kernel', durationMs: 0, steps: [], ...task });
    this.#time = new RealTimeWorld(this.#world.sim);
    const { up, down } = this.#world.network;
    this.#up = new Direction(this.#time, up, this.#client.namespace, this.#server.namespace);
    this.#down = new Direction(this.#time, down, this.#server.namespace, this.#client.namespace);
  }

  /** Carries packets until stdin ends. */
  run(): void {
    const sources = [this.#client.namespace.tun, this.#server.namespace.tun, 0];
    const polled = Buffer.alloc(sources.length * POLL_BYTES);
    for (const [i, fd] of sources.entries()) {
      polled.writeInt32LE(fd, i * POLL_BYTES);
      polled.writeInt16LE(POLLIN, i * POLL_BYTES + 4);
    }
    const timeout = Buffer.alloc(16);
    askForPunctuality(PRIORITY);
    const handles = { client: this.#client.namespace.handle, server: this.#server.namespace.handle };
    say({ type: 'ready', pid: process.pid, handles });
    for (;;) {
      const idleUs = Math.min(this.#time.catchUp(), 1e9);
      timeout.writeUInt32LE(Math.floor(idleUs / 1e6), 0);
      timeout.writeUInt32LE((idleUs % 1e6) * 1_000, 8);
      if (this.#libc.ppoll(polled, sources.length, timeout, null) <= 0) continue;
      if (polled.readInt16LE(6) !== 0) this.#up.pump();
      if (polled.readInt16LE(POLL_BYTES + 6) !== 0) this.#down.pump();
      if (polled.readInt16LE(2 * POLL_BYTES + 6) !== 0 && !this.#readRequests()) return;
    }
  }

  /** Ends everything that still runs between the two ends. */
  close(): void {
    const { identity } = this.#client.namespace;
    for (const pid of membersOf([identity, this.#server.namespace.identity])) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It was faster.
      }
    }
    closeSync(this.#client.namespace.tun);
    closeSync(this.#server.namespace.tun);
  }

  #readRequests(): boolean {
    const buffer = Buffer.alloc(65_536);
    const bytes = this.#libc.read(0, buffer, buffer.length);
    if (bytes <= 0) return false;
    this.#requests += buffer.toString('utf8', 0, bytes);
    if (this.#requests.length > REQUEST_BYTES_MAX) throw new RangeError('a request of more than 1 MiB');
    const lines = this.#requests.split('\n');
    this.#requests = lines.pop() ?? '';
    for (const line of lines) say(this.#answer(JSON.parse(line) as Request));
    return true;
  }

  #answer(request: Request): Reply {
    this.#time.catchUp();
    try {
      return this.#obey(request);
    } catch (error) {
      return { type: 'refused', reason: (error as Error).message };
    }
  }

  #obey(request: Request): Reply {
    switch (request.do) {
      case 'update':
        applyStep({ atMs: 0, do: 'set', link: request.link, options: request.options }, this.#world);
        break;
      case 'blackout':
        applyStep({ ...request, atMs: 0 }, this.#world);
        break;
      case 'play':
        this.#play(request.steps);
        break;
      case 'clear-lateness':
        this.#up.lateness.clear();
        this.#down.lateness.clear();
        break;
      case 'statistics':
        return { type: 'statistics', statistics: this.#statistics() };
    }
    this.#time.catchUp();
    return { type: 'done' };
  }

  #play(steps: readonly ScenarioStep[]): void {
    for (const step of steps) {
      if (step.do !== 'set' && step.do !== 'blackout')
        throw new RangeError(`step '${step.do}' is not possible here: no NAT, nobody to call`);
      if (!(step.atMs >= 0)) throw new RangeError(`a step cannot happen at ${step.atMs} ms`);
    }
    const { sim } = this.#world;
    const startUs = sim.now;
    for (const step of steps) {
      sim.schedule(startUs + step.atMs * 1_000, () => applyStep(step, this.#world));
    }
  }

  #statistics(): Extract<Reply, { type: 'statistics' }>['statistics'] {
    const { user, system } = process.cpuUsage();
    return {
      up: this.#up.statistics(),
      down: this.#down.statistics(),
      deviceDrops: [deviceDrops(this.#client.counters), deviceDrops(this.#server.counters)],
      cpuSeconds: (user + system) / 1e6,
    };
  }
}

function main(): void {
  let emulator: Emulator;
  try {
    emulator = new Emulator(JSON.parse(process.argv[2] ?? '') as EmulatorTask);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isDevice = message.includes('/dev/net/tun');
    say({
      type: 'refused',
      reason: isDevice ? `/dev/net/tun does not open (${code ?? errorName(0)})` : message,
    });
    process.exitCode = 1;
    return;
  }
  try {
    emulator.run();
  } finally {
    emulator.close();
  }
}

main();
