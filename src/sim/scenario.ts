/**
 * Scenarios: what happens to a network and its hosts at which time, as data that can be stored, printed and replayed.
 *
 * Use:
 *   const scenario: Scenario = {
 *     name: 'outage', seed: 7, durationMs: 10_000, network: preset('wifi'),
 *     steps: [
 *       { atMs: 2_000, do: 'blackout', link: 'both', durationMs: 1_000 },
 *       { atMs: 5_000, do: 'set', link: 'up', options: { loss: { kind: 'iid', ratio: 0.3 } } },
 *       { atMs: 6_000, do: 'call', action: 'requestKeyFrame' },
 *     ],
 *   };
 *   const world = createWorld(scenario);                       // world.sim, world.network
 *   ... make hosts, connectHosts(client, server, world.network) ...
 *   const { traceHash } = runScenario(scenario, world, { requestKeyFrame: () => server.call(...) });
 */

import type { Link } from './link.ts';
import type { LinkOptions } from './link-options.ts';
import { Network, type NetworkSpec } from './network.ts';
import { Simulator, type SimulatorOptions } from './simulator.ts';

/** Which direction a step means: `up` is what the client sends. */
export type LinkChoice = 'up' | 'down' | 'both';

/** One thing that happens at a time. Times are milliseconds since the start. */
export type ScenarioStep =
  /** Changes the options named, leaves the others. */
  | { readonly atMs: number; readonly do: 'set'; readonly link: LinkChoice; readonly options: LinkOptions }
  | { readonly atMs: number; readonly do: 'blackout'; readonly link: LinkChoice; readonly durationMs: number }
  /** The NAT gives every flow another port or address. */
  | { readonly atMs: number; readonly do: 'rebind'; readonly changes?: 'port' | 'address' }
  /** The NAT silently forgets every flow. */
  | { readonly atMs: number; readonly do: 'forget' }
  /** Calls what the runner was given under this name, with these arguments. */
  | {
      readonly atMs: number;
      readonly do: 'call';
      readonly action: string;
      readonly arguments?: readonly (number | string | boolean)[];
    };

/** A world and what happens in it. */
export interface Scenario {
  readonly name: string;
  readonly seed: number;
  readonly durationMs: number;
  readonly network: NetworkSpec;
  /** In any order. */
  readonly steps: readonly ScenarioStep[];
}

/** The world of a scenario, before it runs. */
export interface World {
  readonly sim: Simulator;
  readonly network: Network;
}

/** What steps of kind `call` may call. */
export type ScenarioActions = Readonly<
  Record<string, (...parameters: readonly (number | string | boolean)[]) => void>
>;

/** What a run leaves behind. */
export interface ScenarioResult {
  readonly name: string;
  readonly seed: number;
  readonly traceHash: string;
  readonly eventCount: number;
}

/** Makes the simulator and the network of a scenario. */
export function createWorld(scenario: Scenario, options: Omit<SimulatorOptions, 'seed'> = {}): World {
  const sim = new Simulator({ ...options, seed: scenario.seed });
  return { sim, network: new Network(sim, scenario.network) };
}

/**
 * Runs a scenario to its end. All steps are checked before anything runs.
 * @throws RangeError for a step that cannot be: an unknown action, a NAT step without a NAT, a bad time.
 */
export function runScenario(scenario: Scenario, world: World, actions: ScenarioActions = {}): ScenarioResult {
  const { sim } = world;
  for (const step of scenario.steps) {
    checkStep(step, world, actions);
    sim.schedule(step.atMs * 1_000, () => applyStep(step, world, actions));
  }
  sim.run(scenario.durationMs * 1_000);
  return { name: scenario.name, seed: scenario.seed, traceHash: sim.traceHash, eventCount: sim.eventCount };
}

function checkStep(step: ScenarioStep, world: World, actions: ScenarioActions): void {
  if (!(step.atMs >= 0)) throw new RangeError(`a step cannot happen at ${step.atMs} ms`);
  const needsNat = step.do === 'rebind' || step.do === 'forget';
  if (needsNat && world.network.nat === undefined)
    throw new RangeError(`step '${step.do}' needs a network with a NAT`);
  if (step.do === 'call' && !Object.hasOwn(actions, step.action)) {
    throw new RangeError(`step 'call' names an unknown action '${step.action}'`);
  }
}

/** Does what a step says, now: its time is not looked at. For runs that count time from something else than 0. */
export function applyStep(step: ScenarioStep, world: World, actions: ScenarioActions = {}): void {
  const { network } = world;
  switch (step.do) {
    case 'set':
      for (const link of choose(network, step.link)) link.update(step.options);
      return;
    case 'blackout':
      for (const link of choose(network, step.link)) link.blackout(step.durationMs);
      return;
    case 'rebind':
      network.nat?.rebind(step.changes ?? 'port');
      return;
    case 'forget':
      network.nat?.forget();
      return;
    case 'call':
      actions[step.action]?.(...(step.arguments ?? []));
  }
}

function choose(network: Network, choice: LinkChoice): readonly Link[] {
  if (choice === 'both') return [network.up, network.down];
  return [choice === 'up' ? network.up : network.down];
}
