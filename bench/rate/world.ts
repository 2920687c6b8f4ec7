/** Runs one scenario with one seed: builds the links, the flows and TCP beside them, lets time pass, gives the record. */
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import type { SeededRandom } from '../../src/base/random.ts';
import { createCapacity } from '../../src/sim/capacity.ts';
import { exponential } from '../../src/sim/distributions.ts';
import { Link } from '../../src/sim/link.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { TcpFlow } from '../../src/sim/tcp/flow.ts';
import type { Direction, RateCase, TcpSpec } from './case.ts';
import { Flow, type Way } from './flow.ts';
import { Bins, type RunResult, type TcpResult } from './result.ts';

const DELAY_MS = 50;
/** RFC 8868 §4.4: short transfers. */
const SHORT_BYTES_MIN = 30_000;
const SHORT_BYTES_MAX = 50_000;
const IDLE_SECONDS = 10;

/** @param onMade For a closer look at the connections while time passes. */
export function runCase(
  rateCase: RateCase,
  seed: number,
  onMade: (sim: Simulator, flows: readonly Flow[]) => void = () => {},
): RunResult {
  const sim = new Simulator({
    seed,
    replayCommand: `npm run bench:rate -- --case ${rateCase.name} --seed {seed}`,
  });
  const delayMs = rateCase.delayMs ?? DELAY_MS;
  const forward = bottleneck(sim, 'forward', rateCase.forward, delayMs);
  const backward = bottleneck(sim, 'backward', rateCase.backward, delayMs);
  const flows = rateCase.flows.map((spec, i) => {
    const { jitter } = rateCase;
    const access = { delayMs: spec.extraDelayMs ?? 0, ...(jitter === undefined ? {} : { jitter }) };
    const to: Way = { ...forward, access: new Link(sim, { name: `to ${i}`, ...access }) };
    const back: Way = { ...backward, access: new Link(sim, { name: `back ${i}`, ...access }) };
    const ways = spec.isBackward === true ? { to: back, back: to } : { to, back };
    return new Flow(sim, `${i + 1}`, spec, rateCase.seconds, ways);
  });
  const tcp = (rateCase.tcp ?? []).map((spec) => startTcp(sim, spec, rateCase.seconds, forward, backward));
  onMade(sim, flows);
  sim.run(rateCase.seconds * SECOND);
  return {
    seed,
    seconds: rateCase.seconds,
    flows: flows.map((flow) => flow.result()),
    tcp,
    capacityBps: (atS) => forward.capacityBps(atS * SECOND),
  };
}

function bottleneck(
  sim: Simulator,
  name: string,
  direction: Direction | undefined,
  delayMs: number,
): Omit<Way, 'access'> {
  const link = new Link(sim, { name, delayMs, ...direction });
  const capacity = direction === undefined ? undefined : createCapacity(direction.capacity);
  return {
    bottleneck: link,
    delayUs: delayMs * MILLISECOND,
    capacityBps: (atUs) => capacity?.rateAt(atUs) ?? Number.POSITIVE_INFINITY,
  };
}

function startTcp(
  sim: Simulator,
  spec: TcpSpec,
  seconds: number,
  forward: Omit<Way, 'access'>,
  backward: Omit<Way, 'access'>,
): TcpResult {
  const flow = new TcpFlow(sim, { forward: forward.bottleneck, backward: backward.bottleneck });
  const through = new Bins(seconds);
  let arrived = 0;
  let written = 0;
  const random = sim.random.fork();
  const transfer = (): void => {
    const size = SHORT_BYTES_MIN + Math.floor(random.unit() * (SHORT_BYTES_MAX - SHORT_BYTES_MIN));
    written += size;
    flow.write(size);
  };
  flow.onData = (bytes, now) => {
    // With IP and TCP headers, as the bottleneck counts.
    through.add(now, (bytes - arrived) * (1500 / 1448));
    arrived = bytes;
    if (spec.isShort === true && arrived === written) sim.schedule(now + idleUs(random), transfer);
  };
  const startUs = (spec.startS ?? 0) * SECOND;
  sim.schedule(startUs, () => {
    flow.start();
    if (spec.isShort === true) transfer();
    else flow.write(Number.POSITIVE_INFINITY);
  });
  if (spec.endS !== undefined) sim.schedule(spec.endS * SECOND, () => flow.stop());
  return { through };
}

function idleUs(random: SeededRandom): number {
  return Math.round(exponential(random, IDLE_SECONDS * SECOND));
}
