/** The emulated path between two network namespaces: it carries, changes while it carries, and leaves nothing behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from '../../bench/kernel/emulator/addresses.ts';
import {
  type Emulator,
  emulatorObstacle,
  startEmulator,
  TYPESCRIPT,
} from '../../bench/kernel/emulator/emulator.ts';
import type { Side } from '../../bench/kernel/emulator/messages.ts';
import { membersOf } from '../../bench/kernel/emulator/tun.ts';
import { type NetworkSpec, symmetric } from '../../src/sim.ts';
import { sleep } from '../helpers/cli.ts';

const obstacle = await emulatorObstacle();
const NAME = obstacle === undefined ? 'an emulated path' : `an emulated path (not here: ${obstacle})`;
const HOLDER = fileURLToPath(new URL('../helpers/emulator-holder.ts', import.meta.url));

/** Prints the sizes of the datagrams that arrive, ends with an empty one. */
const LISTEN = `
  const socket = require('node:dgram').createSocket('udp4');
  const sizes = [];
  socket.on('message', (m) => {
    if (m.length > 0) { sizes.push(m.length); return; }
    console.log(JSON.stringify(sizes));
    process.exit();
  });
  socket.bind(5000, () => console.error('bound'));`;

function send(address: string, sizes: readonly number[]): string {
  return `
  const socket = require('node:dgram').createSocket('udp4');
  socket.connect(5000, '${address}', () => {
    for (const size of ${JSON.stringify(sizes)}) socket.send(Buffer.alloc(size));
    socket.send('', () => socket.close());
  });`;
}

const open: Emulator[] = [];
afterEach(async () => {
  for (const emulator of open.splice(0)) await emulator.close();
});

async function start(network: NetworkSpec): Promise<Emulator> {
  const emulator = await startEmulator({ network });
  open.push(emulator);
  return emulator;
}

function node(emulator: Emulator, side: Side, code: string): ChildProcess {
  return emulator.spawn(side, process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The sizes of what the other end received of datagrams sent from `side`. */
async function carried(emulator: Emulator, side: Side, sizes: readonly number[]): Promise<number[]> {
  const receiver = node(emulator, side === 'client' ? 'server' : 'client', LISTEN);
  await new Promise((resolve) => receiver.stderr?.once('data', resolve));
  node(emulator, side, send(side === 'client' ? SERVER_ADDRESS : CLIENT_ADDRESS, sizes));
  if (receiver.stdout === null) throw new Error('no stdout');
  return JSON.parse(await text(receiver.stdout)) as number[];
}

describe.skipIf(obstacle !== undefined)(NAME, () => {
  it('carries packets of up to 1500 bytes both ways, and counts them by direction', async () => {
    const emulator = await start(symmetric({ delayMs: 2 }));
    expect(await carried(emulator, 'client', [100, 1_472])).toEqual([100, 1_472]);
    expect(await carried(emulator, 'server', [7])).toEqual([7]);
    const { up, down, deviceDrops } = await emulator.statistics();
    expect(up.link).toMatchObject({ offered: 3, offeredBytes: 128 + 1_500 + 28, delivered: 3, held: 0 });
    expect(down.link).toMatchObject({ offered: 2, offeredBytes: 35 + 28, delivered: 2, held: 0 });
    expect([up.lateness.count, up.refused, down.refused]).toEqual([3, 0, 0]);
    expect(deviceDrops).toEqual([0, 0]);
  });

  it('changes what its links do while it runs', async () => {
    const emulator = await start(symmetric({ loss: { kind: 'iid', ratio: 1 } }));
    node(emulator, 'client', send(SERVER_ADDRESS, [1, 2, 3]));
    while ((await emulator.statistics()).up.link.lost < 4) await sleep(20);
    await emulator.update('up', { loss: { kind: 'size', minBytes: 500 } });
    expect(await carried(emulator, 'client', [10, 600, 20])).toEqual([10, 20]);
    await emulator.clearLateness();
    expect((await emulator.statistics()).up.lateness.count).toBe(0);
  });

  it('plays the steps of a scenario from the moment it is told', async () => {
    const emulator = await start(symmetric({}));
    await sleep(50);
    await emulator.play([
      { atMs: 0, do: 'blackout', link: 'both', durationMs: 600_000 },
      { atMs: 1, do: 'set', link: 'down', options: { delayMs: 7 } },
    ]);
    node(emulator, 'client', send(SERVER_ADDRESS, [1]));
    while ((await emulator.statistics()).up.link.blackedOut < 2) await sleep(20);
    expect((await emulator.statistics()).up.link.delivered).toBe(0);
  });

  it('says no to what makes no sense, and goes on', async () => {
    const emulator = await start(symmetric({}));
    await expect(emulator.update('up', { loss: { kind: 'iid', ratio: 2 } })).rejects.toThrow(/0\.\.1/);
    await expect(emulator.update('up', { rateBps: Number.POSITIVE_INFINITY })).rejects.toThrow(/finite/);
    await expect(emulator.play([{ atMs: 0, do: 'forget' }])).rejects.toThrow(/NAT/);
    await emulator.update('up', { loss: { kind: 'none' } });
    expect(await carried(emulator, 'client', [9])).toEqual([9]);
  });

  it('tells when the emulator died, and ends the programs inside', async () => {
    const emulator = await start(symmetric({}));
    const program = emulator.spawn('client', 'sh', ['-c', 'echo; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => program.stdout?.once('data', resolve));
    const ended = new Promise((resolve) => program.on('exit', (_code, signal) => resolve(signal)));
    process.kill(emulator.pid, 'SIGKILL');
    await expect(emulator.closed).rejects.toThrow(/SIGKILL/);
    expect(await ended).toBe('SIGKILL');
    await expect(emulator.statistics()).rejects.toThrow(/has ended/);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    it(`leaves no namespace, device or process behind when its program ends by ${signal}`, async () => {
      const mounts = readFileSync('/proc/self/mounts', 'utf8');
      const program = spawn(process.execPath, [...TYPESCRIPT, HOLDER], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const line = await new Promise<string>((resolve) =>
        program.stdout.once('data', (bytes) => resolve(String(bytes))),
      );
      const { emulator, namespaces } = JSON.parse(line) as { emulator: number; namespaces: string[] };
      expect(membersOf(namespaces).length).toBeGreaterThanOrEqual(4);
      program.kill(signal);
      // Nameless: a namespace, and the device in it, lives as long as a process or a descriptor of the emulator has it.
      while (membersOf(namespaces).length > 0 || existsSync(`/proc/${emulator}`)) await sleep(20);
      expect(readFileSync('/proc/self/mounts', 'utf8')).toBe(mounts);
    });
  }
});
