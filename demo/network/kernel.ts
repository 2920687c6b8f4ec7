/**
 * The network for Linux as root: the kernel's TCP and real UDP, between network namespaces joined by emulated links. Only
 * senders, receivers and the NAT live in there; the page's server reaches them by sockets in a folder.
 * In: settings. Out: two paths, alike, each with a sender and a receiver of media.
 */
import { SERVER_ADDRESS } from '../../bench/kernel/emulator/addresses.ts';
import { type Emulator, startEmulator } from '../../bench/kernel/emulator/emulator.ts';
import { createLinkStatistics, type LinkOptions, type LinkStatistics, symmetric } from '../../src/sim.ts';
import type { Place, Started } from '../server/programs.ts';
import { type DemoNetwork, type NetworkParts, SIDES, type SideName } from './network.ts';
import { linkOptions, type PathSettings } from './settings.ts';

/** Counters are asked for as often as the page shows them. */
const POLL_MS = 250;

type Emulators = Readonly<Record<SideName, Emulator>>;

interface Ends {
  readonly congestion: string;
  readonly nat: Started;
  readonly tcpSender: Started;
}

/** Where programs of one end of a path run. */
function at(emulator: Emulator, side: 'client' | 'server'): Place {
  return (command, parameters) => emulator.command(side, command, parameters);
}

async function startTcp(
  { programs, addresses, mostBps }: NetworkParts,
  emulator: Emulator,
): Promise<Started> {
  const { sender, receiver } = addresses.tcp;
  const port = await programs.start(
    'demo/tcp/receiver.ts',
    ['--host', SERVER_ADDRESS, '--serve', receiver],
    /^LISTENING .*:(\d+)$/m,
    at(emulator, 'server'),
  );
  const to = ['--to', `${SERVER_ADDRESS}:${port.match[1]}`, '--max-bitrate', `${mostBps}`, '--serve', sender];
  return await programs.start('demo/tcp/sender.ts', to, /^connected to .*, (\w+)$/m, at(emulator, 'client'));
}

async function startMillrace(parts: NetworkParts, emulator: Emulator): Promise<Started> {
  const { programs, addresses, latencyMs, mostBps } = parts;
  const { sender: serve, receiver } = addresses.millrace;
  const port = await programs.startReceiver(SERVER_ADDRESS, receiver, at(emulator, 'server'));
  const to = ['--to', `${SERVER_ADDRESS}:${port}`];
  const client = at(emulator, 'client');
  const nat = await programs.start('demo/network/nat.ts', to, /^LISTENING .*:(\d+)$/m, client);
  const target = `millrace://127.0.0.1:${nat.match[1]}/live`;
  await programs.startSender(target, { serve, latencyMs, mostBps }, client);
  return nat;
}

export class KernelNetwork implements DemoNetwork {
  readonly description: string;
  readonly #emulators: Emulators;
  readonly #ends: Ends;
  readonly #statistics: Record<SideName, LinkStatistics> = {
    tcp: createLinkStatistics(),
    millrace: createLinkStatistics(),
  };
  readonly #timer: NodeJS.Timeout;
  #settings: PathSettings;

  private constructor(emulators: Emulators, ends: Ends, settings: PathSettings) {
    this.#emulators = emulators;
    this.#ends = ends;
    this.#settings = settings;
    this.description = `Real programs and real packets: this kernel’s TCP (${ends.congestion}) and millrace over UDP, each between two network namespaces of this machine, joined by an emulated link.`;
    this.#timer = setInterval(() => void this.#poll(), POLL_MS);
  }

  /** @throws Error that says in one line why this machine cannot. */
  static async open(parts: NetworkParts): Promise<KernelNetwork> {
    const network = symmetric(linkOptions(parts.settings));
    const [tcp, millrace] = await Promise.all([startEmulator({ network }), startEmulator({ network })]);
    const emulators = { tcp, millrace };
    try {
      const [tcpSender, nat] = await Promise.all([
        startTcp(parts, emulators.tcp),
        startMillrace(parts, emulators.millrace),
      ]);
      const congestion = tcpSender.match[1] ?? 'unknown';
      return new KernelNetwork(emulators, { congestion, nat, tcpSender }, parts.settings);
    } catch (error) {
      await Promise.all([tcp.close(), millrace.close()]);
      throw error;
    }
  }

  apply(settings: PathSettings): void {
    this.#settings = settings;
    const options: LinkOptions = linkOptions(settings);
    this.#tell((emulator) => emulator.update('both', options));
  }

  blackout(durationMs: number): void {
    this.#tell((emulator) => emulator.blackout('both', durationMs));
  }

  /** The TCP server resets a connection from a port that it does not know, one round trip later: then it begins anew. */
  rebind(): void {
    this.#ends.nat.child.kill('SIGUSR2');
    setTimeout(() => this.#ends.tcpSender.child.kill('SIGUSR2'), this.#settings.rttMs).unref();
  }

  statistics(side: SideName): LinkStatistics {
    return this.#statistics[side];
  }

  #tell(what: (emulator: Emulator) => Promise<void>): void {
    for (const side of SIDES) what(this.#emulators[side]).catch(() => {});
  }

  async #poll(): Promise<void> {
    for (const side of SIDES) {
      const statistics = await this.#emulators[side].statistics().catch(() => undefined);
      if (statistics !== undefined) this.#statistics[side] = statistics.up.link;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(SIDES.map((side) => this.#emulators[side].close()));
  }
}
