/**
 * A listener that asks every caller to prove its address first: quic-interop-runner's `retry`, and quic-go's
 * HandshakeWithPacketLoss with Retry. In: a network, a seed. Out: how long a request takes whose answer is 10 kB.
 */
import { MILLISECOND, SECOND } from '../../../src/base/protocol.ts';
import type { Connection } from '../../../src/connection/connection.ts';
import { type NetworkSpec, symmetric } from '../../../src/sim/network.ts';
import { preset } from '../../../src/sim/presets.ts';
import type { FailureCase } from '../case.ts';
import { Crowd } from '../crowd.ts';

const ANSWER_BYTES = 10_000;

/** Answers every request with so many bytes, once it has ended. */
function serve(crowd: Crowd): void {
  crowd.server.onEvent = ({ connection, event }) => {
    if (event.type !== 'stream-readable') return;
    const stream = connection.streams.get(event.streamId);
    while (stream?.receive?.read() !== undefined);
    if (stream?.receive?.isFinished !== true) return;
    stream.send?.write(new Uint8Array(ANSWER_BYTES));
    stream.send?.finish();
  };
}

/** Asks once it can, and returns what has come back so far. */
function ask(crowd: Crowd, call: Connection): () => number {
  let received = 0;
  crowd.client.onEvent = ({ connection, event }) => {
    if (connection !== call) return;
    if (event.type === 'connected') {
      const stream = call.streams.open('bidirectional');
      stream?.write(Uint8Array.of(1));
      stream?.finish();
    } else if (event.type === 'stream-readable') {
      const receive = call.streams.get(event.streamId)?.receive;
      for (let piece = receive?.read(); piece !== undefined; piece = receive?.read())
        received += piece.length;
    }
    crowd.client.protocol.touch(call);
  };
  return () => received;
}

/** ms from the call to the last byte of the answer. */
function retried(seed: number, network: NetworkSpec, limitS: number): number {
  const crowd = new Crowd(seed, network, 0);
  serve(crowd);
  const call = crowd.call();
  const received = ask(crowd, call);
  if (!crowd.sim.runWhile(() => received() < ANSWER_BYTES, limitS * SECOND)) {
    throw new Error(`${received()} bytes of the answer in ${limitS} s`);
  }
  const { counters } = crowd.server.protocol.endpoint;
  if (counters.retriesSent === 0) throw new Error('nobody was asked for a token');
  if (crowd.server.protocol.live.size !== 1) throw new Error('more than one connection was made of one call');
  const tookMs = crowd.sim.now / MILLISECOND;
  crowd.run(2_000);
  if (!call.isOpen) throw new Error('the connection ended');
  return tookMs;
}

export const RETRIES: readonly FailureCase[] = [
  {
    row: 'interop',
    name: 'retry',
    figure: 'until 10 kB are there, a token asked for first',
    unit: 's',
    most: 60,
    run: (seed) => ({ value: retried(seed, preset('interop'), 60) / 1e3 }),
  },
  {
    row: 'quic-go',
    name: 'HandshakeWithPacketLoss, with Retry',
    figure: 'until 10 kB are there, a third of all packets lost, at most ten in a row',
    unit: 's',
    most: 30,
    run: (seed) => {
      const loss = { kind: 'iid', ratio: 1 / 3, burstMax: 10 } as const;
      return { value: retried(seed, symmetric({ delayMs: 10, loss }), 30) / 1e3 };
    },
  },
];
