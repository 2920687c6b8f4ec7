/** The host that drives a Protocol, and the paths it runs over: NAT, presets, scenarios, checkers. */
import { describe, expect, it } from 'vitest';
import { NEVER, type Protocol, SECOND } from '../../src/base/protocol.ts';
import {
  checkCap,
  checkConservation,
  checkDeadline,
  checkSizeLimit,
  PrefixCheck,
  UniqueNumbers,
} from '../../src/sim/checkers.ts';
import { CrossTraffic } from '../../src/sim/cross-traffic.ts';
import { Link } from '../../src/sim/link.ts';
import type { NatSpec } from '../../src/sim/nat.ts';
import { CLIENT_ADDRESS, connectHosts, Network, type NetworkSpec, symmetric } from '../../src/sim/network.ts';
import { PRESET_NAMES, preset } from '../../src/sim/presets.ts';
import { ProtocolHost } from '../../src/sim/protocol-host.ts';
import { createWorld, runScenario, type Scenario } from '../../src/sim/scenario.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { EchoClient, type EchoEvent, EchoServer } from '../helpers/sim-echo.ts';

interface EchoWorld {
  readonly sim: Simulator;
  readonly network: Network;
  readonly client: ProtocolHost<EchoEvent>;
  readonly server: ProtocolHost<number>;
  readonly protocol: EchoClient;
  readonly echoes: EchoEvent[];
  /** The server's path of each datagram. */
  readonly serverPaths: number[];
  readonly openPath: (address: number) => number;
}

function echoWorld(
  spec: NetworkSpec,
  { seed = 1, count = 100, intervalUs = 10_000, repeatUs = NEVER, timerGranularityUs = 1 } = {},
): EchoWorld {
  const sim = new Simulator({ seed });
  const network = new Network(sim, spec);
  const protocol = new EchoClient({ count, sizeBytes: 500, intervalUs, repeatUs });
  const echoes: EchoEvent[] = [];
  const serverPaths: number[] = [];
  const client = new ProtocolHost(sim, protocol, {
    name: 'client',
    timerGranularityUs,
    onEvent: (event) => echoes.push(event),
  });
  const server = new ProtocolHost(sim, new EchoServer(), {
    name: 'server',
    onEvent: (path) => serverPaths.push(path),
  });
  const openPath = connectHosts(client, server, network);
  sim.addChecker(checkConservation(network.up));
  sim.addChecker(checkConservation(network.down));
  client.start();
  return { sim, network, client, server, protocol, echoes, serverPaths, openPath };
}

describe('the protocol host', () => {
  it('carries datagrams both ways at the round trip of the path and counts headers', () => {
    const world = echoWorld(symmetric({ delayMs: 30 }));
    world.sim.run(2 * SECOND);
    expect(world.echoes.map((echo) => echo.number)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(new Set(world.echoes.map((echo) => echo.roundTripUs))).toEqual(new Set([60_000]));
    expect(world.client.statistics.sentBytes).toBe(100 * 528);
    expect(world.network.down.statistics.deliveredBytes).toBe(100 * 528);
  });

  it('meets deadlines late by the granularity of its timer, as a driver does', () => {
    const world = echoWorld(symmetric({ delayMs: 5 }), { intervalUs: 10_300, timerGranularityUs: 1_000 });
    const sentAtUs: number[] = [];
    world.network.up.addTap((_packet, nowUs) => sentAtUs.push(nowUs) > 0);
    world.sim.run(2 * SECOND);
    expect(world.echoes).toHaveLength(100);
    expect(sentAtUs.every((atUs) => atUs % 1_000 === 0)).toBe(true);
  });

  it('runs timers until a lossy path has answered everything (seed 9)', () => {
    const world = echoWorld(preset('wifi', { lossRatio: 0.3 }), { seed: 9, repeatUs: 50_000 });
    world.sim.run(5 * SECOND);
    expect(world.protocol.unanswered).toBe(0);
    expect(world.client.statistics.sentDatagrams).toBeGreaterThan(150);
  });

  it('pumps after a call of the application, and again when an event handler makes work', () => {
    const sim = new Simulator({ seed: 1 });
    let queued = 0;
    const events = ['first'];
    const protocol: Protocol<string> = {
      handleDatagram: () => {},
      handleTimeout: () => {},
      pollTransmit: () => (queued > 0 ? queued-- * 0 + 10 : 0),
      pollTimeout: () => NEVER,
      pollEvent: () => events.shift(),
    };
    const host = new ProtocolHost(sim, protocol, { onEvent: () => queued++ });
    const link = new Link(sim);
    host.addPath(link);
    host.call(() => queued++);
    expect(host.statistics.sentDatagrams).toBe(2);
  });

  it('ends a run whose protocol never settles, in handleTimeout or in pollTransmit', () => {
    const broken = (size: number, deadlineUs: number): (() => void) => {
      const sim = new Simulator({ seed: 1 });
      const host = new ProtocolHost(sim, {
        handleDatagram: () => {},
        handleTimeout: () => {},
        pollTransmit: () => size,
        pollTimeout: () => deadlineUs,
        pollEvent: () => undefined,
      });
      host.addPath({ send: () => {} });
      return () => {
        host.start();
        sim.run(SECOND);
      };
    };
    expect(broken(0, 5)).toThrow('handleTimeout leaves its deadline in the past');
    expect(broken(1, NEVER)).toThrow('pollTransmit does not come to an end');
  });

  it('sends nothing and takes nothing once it has stopped', () => {
    const world = echoWorld(symmetric({ delayMs: 30 }));
    world.sim.schedule(495_000, () => world.server.stop());
    world.sim.run(2 * SECOND);
    expect(world.echoes).toHaveLength(47);
  });
});

describe('the NAT', () => {
  const withNat = (nat: NatSpec): NetworkSpec => ({ ...symmetric({ delayMs: 10 }), nat });

  it('gives the server a new path when it rebinds, and loses only answers in flight to the old one', () => {
    const world = echoWorld(withNat({ rebindAtMs: [500] }));
    world.sim.run(2 * SECOND);
    expect(new Set(world.serverPaths)).toEqual(new Set([0, 1]));
    expect(world.network.nat?.statistics.droppedInbound).toBe(2);
    expect(world.echoes).toHaveLength(98);
    const [first, second] = [world.server.addressOf(0), world.server.addressOf(1)];
    expect(Math.floor((first as number) / 65_536)).toBe(Math.floor((second as number) / 65_536));
  });

  it('changes the host too when the address is rebound, first at 1 s and then every 5 s', () => {
    const spec = preset('interop-rebind-addr');
    const world = echoWorld(spec, { count: 1_200 });
    world.sim.run(13 * SECOND);
    expect(world.server.pathCount).toBe(4);
    expect(Math.floor((world.server.addressOf(1) as number) / 65_536)).toBe(2);
  });

  it('forgets a flow both ways until the client opens another port', () => {
    const world = echoWorld(withNat({ forgetAtMs: [305] }));
    world.sim.run(600_000);
    const before = world.echoes.length;
    expect(before).toBe(29);
    expect(world.network.nat?.statistics.droppedOutbound).toBeGreaterThan(20);
    expect(world.openPath(CLIENT_ADDRESS + 1)).toBe(1);
    expect(world.server.pathCount).toBe(1);
    // The first datagram from the new socket; the echo client goes on where it hears something.
    world.network.nat
      ?.outbound(world.network.up.open(world.server.receive))
      .send(new Uint8Array(500), 528, CLIENT_ADDRESS + 1);
    world.sim.run(2 * SECOND);
    expect(world.server.pathCount).toBe(2);
    expect(world.echoes.at(-1)).toMatchObject({ number: 99, path: 1 });
  });

  it('leaves addresses behind that the server forgets; who comes from there again is new', () => {
    const world = echoWorld(withNat({ rebindAtMs: [500] }));
    world.sim.run(SECOND);
    const old = world.server.addressOf(0) as number;
    world.server.forgetPaths((path) => path === 1);
    expect(world.server.addressOf(0)).toBeUndefined();
    world.server.receive(new Uint8Array(500), 528, old);
    expect([world.server.pathCount, world.server.addressOf(2)]).toEqual([3, old]);
    world.sim.run(2 * SECOND);
    expect(world.echoes).toHaveLength(98);
  });

  it('lets an idle flow expire', () => {
    const world = echoWorld(withNat({ idleTimeoutMs: 60 }), { count: 5, intervalUs: 100_000 });
    world.sim.run(SECOND);
    expect(world.server.pathCount).toBe(5);
    expect(world.echoes).toHaveLength(5);
  });
});

describe('presets', () => {
  it.each(PRESET_NAMES)('%s carries datagrams, and its accounting adds up (seed 3)', (name) => {
    const world = echoWorld(preset(name), { seed: 3, count: 300 });
    world.sim.run(10 * SECOND);
    expect(world.echoes.length).toBeGreaterThan(100);
    expect(world.network.up.statistics.held).toBe(0);
  });

  it('take another round trip and loss', () => {
    const spec = preset('cellular', { rttMs: 80, lossRatio: 0.05 });
    expect(spec.up).toMatchObject({ delayMs: 40, loss: { kind: 'iid', ratio: 0.05 }, rateBps: 30e6 });
    expect(spec.down).toEqual(spec.up);
  });

  it('name what there is when asked for what there is not', () => {
    expect(() => preset('wlan')).toThrow(/no preset is called 'wlan'; there are wifi, /);
    expect(() => preset('toString')).toThrow(RangeError);
  });
});

describe('scenarios', () => {
  const scenario: Scenario = {
    name: 'everything at its time',
    seed: 5,
    durationMs: 3_000,
    network: { ...symmetric({ delayMs: 10 }), nat: {} },
    steps: [
      { atMs: 2_000, do: 'call', action: 'note', arguments: ['late', 7] },
      { atMs: 500, do: 'blackout', link: 'both', durationMs: 200 },
      { atMs: 1_000, do: 'rebind' },
      { atMs: 1_500, do: 'set', link: 'up', options: { delayMs: 40 } },
    ],
  };

  function play(): { echoes: EchoEvent[]; notes: unknown[]; traceHash: string } {
    const world = createWorld(scenario);
    const echoes: EchoEvent[] = [];
    const notes: unknown[] = [];
    const protocol = new EchoClient({ count: 200, sizeBytes: 100, intervalUs: 10_000 });
    const client = new ProtocolHost(world.sim, protocol, { onEvent: (event) => echoes.push(event) });
    const server = new ProtocolHost(world.sim, new EchoServer());
    connectHosts(client, server, world.network);
    client.start();
    const note = (...parameters: readonly unknown[]): void => {
      notes.push(world.sim.now, ...parameters);
    };
    const { traceHash } = runScenario(scenario, world, { note });
    return { echoes, notes, traceHash };
  }

  it('happen at their times, whatever their order in the list', () => {
    const { echoes, notes } = play();
    const roundTripOf = (number: number): number | undefined =>
      echoes.find((echo) => echo.number === number)?.roundTripUs;
    expect([48, 50, 69, 70].map(roundTripOf)).toEqual([20_000, undefined, undefined, 20_000]);
    expect(roundTripOf(99)).toBeUndefined();
    expect(roundTripOf(120)).toBe(20_000);
    expect(roundTripOf(151)).toBe(50_000);
    expect(notes).toEqual([2_000_000, 'late', 7]);
  });

  it('replay to the same hash', () => {
    expect(play().traceHash).toBe(play().traceHash);
  });

  it('are refused before anything runs when a step cannot be', () => {
    const world = (): ReturnType<typeof createWorld> => createWorld({ ...scenario, network: symmetric({}) });
    expect(() => runScenario(scenario, world())).toThrow("unknown action 'note'");
    const rebind: Scenario = { ...scenario, steps: [{ atMs: 1, do: 'rebind' }] };
    expect(() => runScenario(rebind, world())).toThrow('needs a network with a NAT');
    const early: Scenario = { ...scenario, steps: [{ atMs: -1, do: 'forget' }] };
    expect(() => runScenario(early, world())).toThrow('cannot happen at -1 ms');
  });
});

describe('checkers', () => {
  it('catch a packet above the size limit, a queue above its cap, and a deadline in the past', () => {
    const sim = new Simulator({ seed: 1 });
    const link = new Link(sim, { rateBps: 1e6 });
    const size = checkSizeLimit(link, 1_228);
    const cap = checkCap('queue', () => link.queueBytes, 2_000);
    link.send(new Uint8Array(1_200), 1_228);
    size.check(0);
    cap.check(0);
    link.send(new Uint8Array(1_201), 1_229);
    expect(() => size.check(0)).toThrow('a packet of 1229 bytes, at most 1228 allowed');
    expect(() => cap.check(0)).toThrow('2457 is above its cap of 2000');
    expect(() => checkDeadline('d', () => 5).check(6)).toThrow('before now');
    expect(() => checkDeadline('d', () => 5).check(5)).not.toThrow();
  });

  it('catch bytes that differ, that were never sent, and numbers used twice', () => {
    const prefix = new PrefixCheck('stream');
    prefix.sent(new Uint8Array([1, 2, 3]));
    prefix.sent(new Uint8Array([4, 5]));
    prefix.delivered(new Uint8Array([1, 2]));
    prefix.delivered(new Uint8Array([3, 4]));
    expect(prefix.isComplete).toBe(false);
    expect(() => prefix.delivered(new Uint8Array([6]))).toThrow('bytes differ after 4');
    prefix.delivered(new Uint8Array([5]));
    expect(prefix.isComplete).toBe(true);
    expect(() => prefix.delivered(new Uint8Array([7]))).toThrow('more than was sent');
    const unique = new UniqueNumbers('packet numbers');
    unique.add(1);
    expect(() => unique.add(1)).toThrow('number 1 is used twice');
  });

  it('catch a link that loses a packet without a reason', () => {
    const sim = new Simulator({ seed: 1 });
    const link = new Link(sim);
    link.send(new Uint8Array(1), 29);
    link.statistics.offered++;
    expect(() => checkConservation(link).check(0)).toThrow('2 packets entered, 1 are accounted for');
  });
});

describe('cross traffic', () => {
  it.each(['constant', 'poisson'] as const)('offers its rate, %s (seed 4)', (spacing) => {
    const sim = new Simulator({ seed: 4 });
    const link = new Link(sim);
    const traffic = new CrossTraffic(sim, link, { rateBps: 6e6, spacing });
    traffic.start();
    sim.run(20 * SECOND);
    expect(Math.abs((link.statistics.deliveredBytes * 8) / 20 / 6e6 - 1)).toBeLessThan(0.03);
    traffic.stop();
    sim.run(21 * SECOND);
    expect(traffic.arrivedPackets).toBe(traffic.sentPackets);
  });

  it('goes on and off', () => {
    const sim = new Simulator({ seed: 4 });
    const link = new Link(sim);
    const traffic = new CrossTraffic(sim, link, { rateBps: 12e6, onMs: 100, offMs: 300 });
    traffic.start();
    sim.run(4 * SECOND - 1);
    expect(traffic.sentPackets).toBe(10 * 100);
  });
});

describe('cost', () => {
  it('of a packet that is queued, delayed and answered is five events at the most', () => {
    const spec: NetworkSpec = symmetric({
      rateBps: 20e6,
      queue: { ms: 100 },
      delayMs: 30,
      loss: { kind: 'burst', ratio: 0.05, meanBurst: 3 },
    });
    const sim = new Simulator({ seed: 1 });
    const network = new Network(sim, spec);
    const down = network.down.open<undefined>(() => {});
    const up = network.up.open<Uint8Array>(() => down.send(undefined, 80));
    const payload = new Uint8Array(1_200);
    const gapUs = (1_228 * 8) / 4;
    const send = (): void => {
      up.send(payload, 1_228);
      sim.schedule(sim.now + gapUs, send);
    };
    send();
    sim.run(60 * SECOND);
    const { offered } = network.up.statistics;
    expect(offered).toBeGreaterThan(24_000);
    // Sent, served and delivered, and the answer delivered: 60 ms for a minute of 4 Mbit/s on an idle core.
    expect(sim.eventCount / offered).toBeLessThan(5);
  });
});
