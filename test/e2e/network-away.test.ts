/**
 * A machine that loses its network for a while: calls that are under way outlive it, new ones are told. Network namespaces
 * joined by a cable (veth pair); Linux and root, and otherwise not run.
 */
import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { root } from '../helpers/checkout.ts';
import { call, type End, endEnds, obstacleToNamespaces, startEnds } from '../helpers/namespace-ends.ts';

const why = obstacleToNamespaces();
const NAME = why === undefined ? 'without a network' : `without a network (not here: ${why})`;

/** Both ends of a cable, and the listener's other network, which is reached over it. */
interface Addresses {
  readonly name: string;
  readonly caller: string;
  readonly gateway: string;
  readonly listener: string;
  /** For `ip addr`: an IPv6 address is usable at once. */
  readonly flags: string;
}

const FAMILIES: readonly Addresses[] = [
  { name: 'IPv4', caller: '10.77.1.1/24', gateway: '10.77.1.2', listener: '10.77.0.1', flags: '' },
  { name: 'IPv6', caller: 'fd77:1::1/64', gateway: 'fd77:1::2', listener: 'fd77::1', flags: ' nodad' },
];

afterEach(endEnds);

function giveAddress(caller: End, { caller: address, gateway, flags }: Addresses): void {
  caller.ip('link set cable up');
  caller.ip(`addr replace ${address} dev cable${flags}`);
  caller.ip(`route replace default via ${gateway}`);
}

async function makeCall(addresses: Addresses): Promise<{ caller: End; listener: End }> {
  const { gateway, caller: callerAddress, listener: host, flags } = addresses;
  const { caller, listener } = await startEnds();
  caller.ip(`link add cable type veth peer name cable netns ${listener.program.pid}`);
  listener.ip('link set cable up');
  listener.ip(`addr add ${gateway}/${callerAddress.split('/')[1]} dev cable${flags}`);
  listener.ip(`addr add ${host} dev lo${flags}`);
  giveAddress(caller, addresses);
  await call(caller, listener, host);
  return { caller, listener };
}

/** The caller has noticed, and has found no way to the listener. */
async function untilLost(caller: End): Promise<void> {
  const before = caller.withoutSocket;
  await expect.poll(() => caller.last('waiting') === true && caller.withoutSocket > before + 1).toBe(true);
}

/** Media of now, and everything of the streams, in both directions. */
async function expectToGoOn(caller: End, listener: End): Promise<void> {
  for (const [from, to] of [
    [caller, listener],
    [listener, caller],
  ] as const) {
    const number = Number(from.last('sent'));
    const bytes = Number(to.last('bytes'));
    await expect.poll(() => to.last('seen')).toBeGreaterThan(number);
    await expect.poll(() => to.last('bytes')).toBeGreaterThan(bytes + 1_000);
  }
}

describe.skipIf(why !== undefined)(NAME, () => {
  test.each(FAMILIES)('$name: a call goes on when its link comes back, both ways', async (addresses) => {
    const { caller, listener } = await makeCall(addresses);
    caller.ip('link set cable down');
    await untilLost(caller);
    giveAddress(caller, addresses);
    await expectToGoOn(caller, listener);
  });

  test.each(FAMILIES)(
    '$name: a call goes on when its default route comes back, both ways',
    async (addresses) => {
      const { caller, listener } = await makeCall(addresses);
      const family = addresses.name === 'IPv6' ? '-6 ' : '';
      caller.ip(`${family}route delete default`);
      await untilLost(caller);
      giveAddress(caller, addresses);
      await expectToGoOn(caller, listener);
    },
  );

  test.each(['10.77.0.1', 'fd77::1'])('connect to %s says at once that there is no way', (host) => {
    const said = runWithoutNetwork(`
      import { connect } from './src/node/connect.ts';
      await connect({ host: '${host}', port: 9 }, { passphrase: 'correct horse battery', timeout: 60_000 })
        .catch((error) => console.log(error.code, error.message));`);
    expect(said).toMatch(/^ERR_MILLRACE_UNREACHABLE .*check its network/);
  });

  test('a batch that fails is lost, and the next ones are batches still', () => {
    const said = runWithoutNetwork(`
      import { UdpSocket } from './src/node/socket.ts';
      const socket = await UdpSocket.open({ port: 0, family: 4 }, {});
      const could = socket.canBatch;
      socket.sendBatch(Buffer.alloc(2400), 2400, socket.paths.pathOf('10.77.0.1', 9));
      setImmediate(() => {
        console.log(socket.canBatch === could);
        socket.close();
      });`);
    expect(said).toBe('true\n');
  });
});

/** What a script prints in a namespace that has not even a loopback interface. */
function runWithoutNetwork(script: string): string {
  const parameters = ['--net', process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync('unshare', parameters, { encoding: 'utf8', cwd: root });
  expect(stderr).toBe('');
  return stdout;
}
