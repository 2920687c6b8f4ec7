/**
 * Where the rate of a connection begins: what the application says, else half of what the path to that peer carried
 * lately, else the usual. In: routes, rates of connections that ended. Out: bits per second.
 * Source: DESIGN D9; half, and what a path is, as in draft-ietf-tsvwg-careful-resume (it may have changed since).
 */
import type { Connection as Core } from '../connection/connection.ts';
import { nowUs } from './driver.ts';
import type { Address } from './paths.ts';

/** Peers that are remembered; beyond it the one that was not heard of for longest is forgotten. */
const PEERS_MAX = 1024;
/** What was known so long ago says nothing any more. */
const MEMORY_US = 3_600_000_000;
/** A connection that sent less has learned nothing. */
const LEARNED_BYTES = 200_000;
const START_SHARE = 0.5;
const START_BPS_MIN = 100_000;
const START_BPS_USUAL = 500_000;

interface Known {
  readonly bps: number;
  readonly atUs: number;
}

/** By route, in the order in which they were noted. */
const peers: Map<string, Known> = new Map();
let usualBps = START_BPS_USUAL;

/**
 * A caller's route. Its own address is a part of it, for what one network carried says nothing of another, and the
 * peer's port, for behind one address there may be many machines.
 */
export function routeOfCaller(localHost: string, { host, port }: Address): string {
  return `${localHost} ${host} ${port}`;
}

/** A listener's route to a caller, whose port is another with every call. */
export function routeOfListener({ host }: Address): string {
  return host;
}

/** Bits per second at which a connection on `route` begins when the application does not say. */
export function startRateOf(route: string): number {
  const known = peers.get(route);
  if (known === undefined || nowUs() - known.atUs > MEMORY_US) return usualBps;
  return Math.max(START_BPS_MIN, Math.round(known.bps * START_SHARE));
}

/** A connection on `route` has ended: remembers what its path carried, if it has sent enough to know. */
export function noteRate(route: string, core: Core): void {
  const { counters, controller, recovery } = core.state;
  if (counters.bytesSent < LEARNED_BYTES || recovery.statistics.acked === 0) return;
  peers.delete(route);
  peers.set(route, { bps: controller.capacityBps, atUs: nowUs() });
  if (peers.size > PEERS_MAX) peers.delete(peers.keys().next().value as string);
}

/** For programs that know what is usual for them: where a connection to an unknown peer begins. */
export function setUsualStartRate(bps: number): void {
  usualBps = bps;
}
