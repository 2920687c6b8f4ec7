/** How long a call takes to be ready at RTT 60 ms and 10 % loss each way, with a stand-in and with TLS itself. */
import { expect, test } from 'vitest';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Connection } from '../../src/connection/connection.ts';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import { localParameters } from '../../src/connection/options.ts';
import type { Handshake } from '../../src/crypto/handshake.ts';
import { codec } from '../../src/fec/kernel.ts';
import { nodeCrypto } from '../../src/node/seal.ts';
import { createClientHandshake, createServerHandshake } from '../../src/node/tls.ts';
import { MediaController } from '../../src/rate/media.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { connectHosts, Network } from '../../src/sim/network.ts';
import { ProtocolHost } from '../../src/sim/protocol-host.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { answerLate } from '../helpers/calls.ts';
import { makePair } from '../helpers/pair.ts';
import { settle } from '../helpers/tls-pair.ts';

const LOSSY: LinkOptions = { delayMs: 30, loss: { kind: 'iid', ratio: 0.1 } };
const RTT_MS = 60;
const psk = new Uint8Array(32).fill(7);

/** More than 90 % within 1.2 round trips, the 99th percentile under half a second. */
function judge(times: number[]): void {
  times.sort((a, b) => a - b);
  const soon = times.filter((ms) => ms <= 1.2 * RTT_MS).length / times.length;
  expect(soon).toBeGreaterThan(0.9);
  expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(500);
}

/** ms of virtual time until the caller may send. @param answerMs What the listener takes to answer. */
function readyAfterMs(seed: number, answerMs: number): number {
  const pair = makePair({ seed, up: LOSSY, down: LOSSY });
  if (answerMs > 0) answerLate(pair, answerMs);
  const before = pair.client.onEvent;
  let readyMs = Number.POSITIVE_INFINITY;
  pair.client.onEvent = (event, now) => {
    before(event, now);
    if (event.type === 'connected') readyMs = now / MILLISECOND;
  };
  for (let i = 0; i < 100 && readyMs === Number.POSITIVE_INFINITY; i++) pair.run(50);
  return readyMs;
}

test.each([
  [1000, 0],
  [300, 3],
])(
  '%i calls, seeds from 1 on, to a listener that takes %i ms to answer are ready in time',
  (calls, answerMs) => {
    judge(Array.from({ length: calls }, (_, i) => readyAfterMs(i + 1, answerMs)));
  },
);

/** The same with TLS, which takes time of its own outside of virtual time. */
async function readyAfterMsWithTls(seed: number): Promise<number> {
  const sim = new Simulator({ seed });
  const ids = { client: new Uint8Array(8).fill(1), server: new Uint8Array(8).fill(2) };
  const tls: Handshake[] = [];
  let readyMs = Number.POSITIVE_INFINITY;
  const common = {
    originalId: new Uint8Array(8).fill(9),
    path: 0,
    parameters: localParameters({}),
    crypto: nodeCrypto,
    codec,
    controller: () => new MediaController({}),
    handshakeTimeoutUs: 10 * SECOND,
    keepAliveUs: 15 * SECOND,
    datagramBytesMax: 1452,
    nowUs: sim.now,
    random: new SeededRandom(seed),
  };
  const attend = (
    handshake: Handshake,
    host: () => ProtocolHost<ConnectionEvent>,
    core: () => Connection,
  ): Handshake => {
    tls.push(handshake);
    handshake.onProgress = () => host().call((now) => core().handshakeProgress(now));
    return handshake;
  };
  const handshake = attend(
    createClientHandshake({ psk }),
    () => client,
    () => caller,
  );
  const caller: Connection = new Connection({
    ...common,
    isServer: false,
    localId: ids.client,
    remoteId: common.originalId,
    handshake,
  });
  const called: Connection = new Connection({
    ...common,
    isServer: true,
    localId: ids.server,
    remoteId: ids.client,
  });
  const client: ProtocolHost<ConnectionEvent> = new ProtocolHost(sim, caller, {
    onEvent: (event, now) => {
      if (event.type === 'connected') readyMs = now / MILLISECOND;
    },
  });
  const server: ProtocolHost<ConnectionEvent> = new ProtocolHost(sim, called, {
    onEvent: (event, now) => {
      if (event.type !== 'incoming') return;
      called.attachHandshake(
        attend(
          createServerHandshake({ psk }),
          () => server,
          () => called,
        ),
        now,
      );
    },
  });
  connectHosts(client, server, new Network(sim, { up: LOSSY, down: LOSSY }));
  await settle();
  client.start();
  for (let ms = 0; ms < 5000 && readyMs === Number.POSITIVE_INFINITY; ms++) {
    const before = client.statistics.receivedDatagrams + server.statistics.receivedDatagrams;
    sim.run(sim.now + MILLISECOND);
    if (client.statistics.receivedDatagrams + server.statistics.receivedDatagrams > before) await settle();
  }
  for (const end of tls) end.close();
  return readyMs;
}

test('150 calls with TLS and a passphrase (seeds 1 to 150) are ready in time', async () => {
  const times: number[] = [];
  for (let seed = 1; seed <= 150; seed++) times.push(await readyAfterMsWithTls(seed));
  judge(times);
});
