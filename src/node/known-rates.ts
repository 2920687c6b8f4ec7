/**
 * Where the rate of a connection begins: what the application says, else half of what the path to that peer carried
 * lately, else the usual. In: addresses, rates of connections that ended. Out: bits per second.
 * Source: DESIGN D9; half, as in draft-ietf-tsvwg-careful-resume (the path may have changed since).
 */
import type { Connection as Core } from '../connection/connection.ts';
import { nowUs } from './driver.ts';

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

/** In the order in which they were noted. Host names and addresses only: ports change from call to call. */
const peers: Map<string, Known> = new Map();
let usualBps = START_BPS_USUAL;

/** Bits per second at which a connection to `host` begins when the application does not say. */
export function startRateOf(host: string): number {
  const known = peers.get(host);
  if (known === undefined || nowUs() - known.atUs > MEMORY_US) return usualBps;
  return Math.max(START_BPS_MIN, Math.round(known.bps * START_SHARE));
}

/** A connection to `host` has ended: remembers what its path carried, if it has sent enough to know. */
export function noteRate(host: string, core: Core): void {
  const { counters, controller, recovery } = core.state;
  if (host === '' || counters.bytesSent < LEARNED_BYTES || recovery.statistics.acked === 0) return;
  peers.delete(host);
  peers.set(host, { bps: controller.capacityBps, atUs: nowUs() });
  if (peers.size > PEERS_MAX) peers.delete(peers.keys().next().value as string);
}

/** For programs that know what is usual for them: where a connection to an unknown peer begins. */
export function setUsualStartRate(bps: number): void {
  usualBps = bps;
}
