/**
 * A call outlives the interface that it began on: its cable is pulled, another network comes up, and the call goes on from
 * there by itself. Two network namespaces joined by two cables (veth pairs); Linux and root, and otherwise not run.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { call, type End, endEnds, obstacleToNamespaces, startEnds } from '../helpers/namespace-ends.ts';

/** The listener's address, that of no cable: it can be reached over either. */
const LISTENER = '10.77.0.1';

const why = obstacleToNamespaces();
const NAME = why === undefined ? 'a call' : `a call (not here: ${why})`;

afterEach(endEnds);

/** A cable between both: network 10.77.`net`.0, the caller 1, the listener 2. */
function plug(caller: End, listener: End, net: number): void {
  const name = `cable${net}`;
  caller.ip(`link add ${name} type veth peer name ${name} netns ${listener.program.pid}`);
  for (const [end, host] of [
    [caller, 1],
    [listener, 2],
  ] as const) {
    end.ip(`addr add 10.77.${net}.${host}/24 dev ${name}`);
    end.ip(`link set ${name} up`);
  }
  caller.ip(`route add ${LISTENER} via 10.77.${net}.2`);
}

/** A call over the first cable, with a stream under way. */
async function makeCall(): Promise<{ caller: End; listener: End }> {
  const { caller, listener } = await startEnds();
  listener.ip(`addr add ${LISTENER}/32 dev lo`);
  plug(caller, listener, 1);
  await call(caller, listener, LISTENER);
  return { caller, listener };
}

describe.skipIf(why !== undefined)(NAME, () => {
  test('goes on over another interface when the address of its own is gone, and a stream loses nothing', async () => {
    const { caller, listener } = await makeCall();
    expect(listener.last('connected')).toBe('10.77.1.1');

    caller.ip('link delete cable1');
    const before = Number(listener.last('bytes'));
    plug(caller, listener, 2);
    await expect.poll(() => listener.last('moved')).toBe('10.77.2.1');
    await expect.poll(() => listener.last('bytes')).toBeGreaterThan(before + 1_000);
    expect(caller.last('moved')).toBe(LISTENER);
  });

  test('goes on when its interface is given another address', async () => {
    const { caller, listener } = await makeCall();

    caller.ip('addr delete 10.77.1.1/24 dev cable1');
    caller.ip('addr add 10.77.1.9/24 dev cable1');
    caller.ip(`route replace ${LISTENER} via 10.77.1.2`);
    const before = Number(listener.last('bytes'));
    await expect.poll(() => listener.last('moved')).toBe('10.77.1.9');
    await expect.poll(() => listener.last('bytes')).toBeGreaterThan(before + 1_000);
  });
});
