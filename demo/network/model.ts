/**
 * The network that needs nothing but Node.js: both sides cross links of the simulator in real time, millrace as real
 * UDP datagrams between real programs, TCP as the simulator's model of it.
 * In: settings. Out: two paths, alike, each with a sender and a receiver of media.
 */
import { RealTimeDriver, RealTimeWorld } from '../../bench/kernel/emulator/real-time.ts';
import { type LinkStatistics, Network, Simulator, symmetric } from '../../src/sim.ts';
import { TcpModel } from '../tcp/model.ts';
import type { DemoNetwork, NetworkParts, SideName } from './network.ts';
import { linkOptions, type PathSettings } from './settings.ts';
import { UdpRelay } from './udp-relay.ts';

/** The same for both paths: they lose the same numbers of packets. */
const SEED = 1;

interface Path {
  readonly driver: RealTimeDriver;
  readonly network: Network;
}

function createPath(settings: PathSettings): Path {
  const sim = new Simulator({ seed: SEED });
  const network = new Network(sim, symmetric(linkOptions(settings)));
  return { driver: new RealTimeDriver(new RealTimeWorld(sim)), network };
}

export class ModelNetwork implements DemoNetwork {
  readonly description: string =
    'millrace: real UDP datagrams between two programs. TCP: the simulator’s TCP (CUBIC, SACK, RACK), in real time.';
  readonly #paths: Readonly<Record<SideName, Path>>;
  readonly #relay: UdpRelay;
  readonly #tcp: TcpModel;

  private constructor(paths: Readonly<Record<SideName, Path>>, relay: UdpRelay, tcp: TcpModel) {
    this.#paths = paths;
    this.#relay = relay;
    this.#tcp = tcp;
  }

  static async open(parts: NetworkParts): Promise<ModelNetwork> {
    const { settings, programs, mostBps, latencyMs, addresses } = parts;
    const paths = { tcp: createPath(settings), millrace: createPath(settings) };
    const listenerPort = await programs.startReceiver('127.0.0.1', addresses.millrace.receiver);
    const relay = await UdpRelay.open(paths.millrace.driver, paths.millrace.network, listenerPort);
    await programs.startSender(`millrace://127.0.0.1:${relay.port}/live`, {
      serve: addresses.millrace.sender,
      latencyMs,
      mostBps,
    });
    const tcp = await TcpModel.open(paths.tcp.driver, paths.tcp.network, mostBps, addresses.tcp);
    return new ModelNetwork(paths, relay, tcp);
  }

  apply(settings: PathSettings): void {
    const options = linkOptions(settings);
    this.#change(({ up, down }) => {
      up.update(options);
      down.update(options);
    });
  }

  #change(change: (network: Network) => void): void {
    for (const { driver, network } of Object.values(this.#paths)) driver.do(() => change(network));
  }

  blackout(durationMs: number): void {
    this.#change(({ up, down }) => {
      up.blackout(durationMs);
      down.blackout(durationMs);
    });
  }

  rebind(): void {
    void this.#relay.rebind();
    this.#tcp.rebind();
  }

  statistics(side: SideName): LinkStatistics {
    return this.#paths[side].network.up.statistics;
  }

  async close(): Promise<void> {
    this.#relay.close();
    await this.#tcp.close();
    for (const { driver } of Object.values(this.#paths)) driver.stop();
  }
}
