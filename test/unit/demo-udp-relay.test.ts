/** The demo's relay of datagrams: what becomes of its sockets. */
import { expect, it } from 'vitest';
import type { RealTimeDriver } from '../../bench/kernel/emulator/real-time.ts';
import { UdpRelay } from '../../demo/network/udp-relay.ts';
import { Network, Simulator, symmetric } from '../../src/sim.ts';

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name.includes('UDP')).length;
}

it('rebindings that are asked for at once leave one socket, and it closes with the relay', async () => {
  const before = sockets();
  const network = new Network(new Simulator({ seed: 1 }), symmetric({}));
  const driver = { do: (run: () => void) => run() } as unknown as RealTimeDriver;
  const relay = await UdpRelay.open(driver, network, 9);
  await Promise.all([relay.rebind(), relay.rebind(), relay.rebind()]);
  await expect.poll(sockets).toBe(before + 2);
  relay.close();
  await expect.poll(sockets).toBe(before);
});
