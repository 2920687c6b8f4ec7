/**
 * Random applications over a random link against a model: what is read is a prefix of what was written, everything
 * arrives that nobody gave up, no credit is exceeded (the receiver would close), and both ends forget every stream.
 * Applications act on events only, so a missing one shows as a stream that never ends.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CONNECTION_WINDOW_MAX } from '../../src/stream/flow.ts';
import type { SendStream } from '../../src/stream/send.ts';
import type { StreamKind } from '../../src/stream/stream-id.ts';
import type { Stream } from '../../src/stream/types.ts';
import { byteAt, type StreamEnd, StreamPair, testBytes } from '../helpers/stream-pair.ts';

type Action = 'open' | 'write' | 'finish' | 'reset' | 'stop' | 'read';

interface Step {
  readonly action: Action;
  readonly atServer: boolean;
  /** Which stream, kind or size: reduced to what exists. */
  readonly pick: number;
  readonly afterUs: number;
}

interface Writing {
  readonly send: SendStream;
  wanted: number;
  isFinishing: boolean;
  isWritable: boolean;
}

interface Reading {
  readonly stream: Stream;
  read: number;
  isReadable: boolean;
}

const KINDS: readonly StreamKind[] = ['bidirectional', 'unidirectional', 'track'];

/** One end's application and what it knows. */
class App {
  readonly end: StreamEnd;
  readonly writings: Map<number, Writing> = new Map();
  readonly readings: Map<number, Reading> = new Map();
  #seen = 0;
  #surfaced = 0;
  #tracks = 0;

  constructor(end: StreamEnd) {
    this.end = end;
  }

  take(stream: Stream): void {
    const { id, send, receive } = stream;
    if (send !== undefined) {
      this.writings.set(id, { send, wanted: 0, isFinishing: false, isWritable: true });
    }
    if (receive !== undefined) this.readings.set(id, { stream, read: 0, isReadable: false });
  }

  /** Follows the events since the last call. */
  follow(): void {
    const { log } = this.end;
    while (this.#surfaced < log.opened.length) this.take(log.opened[this.#surfaced++] as Stream);
    while (this.#tracks < log.trackStreams.length) this.take(log.trackStreams[this.#tracks++] as Stream);
    for (; this.#seen < log.lines.length; this.#seen++) {
      const [event, id] = (log.lines[this.#seen] as string).split(' ');
      const reading = this.readings.get(Number(id));
      if (event === 'readable' && reading !== undefined) reading.isReadable = true;
      const writing = this.writings.get(Number(id));
      if (event === 'writable' && writing !== undefined) writing.isWritable = true;
    }
  }

  writeMore(): void {
    for (const writing of this.writings.values()) {
      const { send } = writing;
      while (writing.isWritable && send.writtenBytes < writing.wanted) {
        const size = Math.min(writing.wanted - send.writtenBytes, 50_000);
        const taken = send.write(testBytes(send.id, send.writtenBytes, size));
        if (taken < size) writing.isWritable = false;
      }
      if (writing.isFinishing && send.writtenBytes === writing.wanted) send.finish();
    }
  }

  /** Reads what events allow, checking every byte. */
  readMore(): void {
    for (const reading of this.readings.values()) {
      const { receive, id } = reading.stream;
      while (reading.isReadable) {
        const piece = receive?.read();
        if (piece === undefined) {
          reading.isReadable = false;
          break;
        }
        for (const byte of piece) {
          if (byte !== byteAt(id, reading.read++))
            throw new Error(`stream ${id}: wrong byte ${reading.read - 1}`);
        }
      }
    }
  }

  checkBounds(): void {
    let buffered = 0;
    for (const { stream } of this.readings.values()) {
      const receive = stream.receive;
      if (receive === undefined) continue;
      buffered += receive.bufferedBytes;
      if (receive.window.received > receive.window.limit) throw new Error('credit exceeded');
      if (receive.gapCount > 1000) throw new Error('too many gaps');
    }
    if (buffered > CONNECTION_WINDOW_MAX) throw new Error('more held than credit allows');
  }

  act(step: Step): void {
    const writings = [...this.writings.values()];
    const writing = writings[step.pick % Math.max(1, writings.length)];
    switch (step.action) {
      case 'open': {
        const send = this.end.set.open(KINDS[step.pick % 3] as StreamKind);
        if (send !== undefined) this.take(this.end.set.get(send.id) as Stream);
        return;
      }
      case 'write':
        // Mostly small; one in sixteen fills the send buffer.
        if (writing !== undefined && !writing.isFinishing && writing.send.resetCode === undefined) {
          writing.wanted += step.pick % 16 === 0 ? 600_000 : step.pick % 9000;
        }
        return;
      case 'finish':
        if (writing !== undefined) writing.isFinishing = true;
        return;
      case 'reset':
        writing?.send.reset(step.pick);
        return;
      case 'stop': {
        const readings = [...this.readings.values()];
        readings[step.pick % Math.max(1, readings.length)]?.stream.receive?.stop(step.pick);
        return;
      }
      case 'read':
        this.readMore();
    }
  }
}

const stepOf: fc.Arbitrary<Step> = fc.record({
  action: fc.constantFrom<Action>(
    'open',
    'open',
    'write',
    'write',
    'write',
    'write',
    'finish',
    'reset',
    'stop',
    'read',
    'read',
  ),
  atServer: fc.boolean(),
  pick: fc.nat(100_000),
  afterUs: fc.nat(15_000),
});

const linkOf = fc.record({
  seed: fc.nat(),
  lossRatio: fc.constantFrom(0, 0.02, 0.1, 0.4),
  duplicateRatio: fc.constantFrom(0, 0.2),
  ackLossRatio: fc.constantFrom(0, 0.2),
  jitterUs: fc.constantFrom(0, 5_000, 60_000),
  packetBytes: fc.constantFrom(200, 1200, 1452),
});

/** What became of every sending half of `from`, compared with its reader at `to`. */
function expectDelivered(from: App, to: App): void {
  for (const [id, { send, wanted }] of from.writings) {
    const reading = to.readings.get(id);
    if (reading === undefined) throw new Error(`stream ${id} never reached its reader`);
    const { receive } = reading.stream;
    if (receive?.stopCode !== undefined) continue;
    if (receive?.resetCode !== undefined) {
      expect(receive.resetCode).toBe(send.resetCode);
      continue;
    }
    // A reset that came after the last byte changes nothing.
    expect([receive?.isFinished, reading.read]).toEqual([
      true,
      send.resetCode === undefined ? wanted : send.writtenBytes,
    ]);
  }
}

const SEED = 20_261_121;

it(`random applications over random links (seed ${SEED})`, () => {
  fc.assert(
    fc.property(linkOf, fc.array(stepOf, { minLength: 1, maxLength: 80 }), (link, steps) => {
      const pair = new StreamPair(link);
      const client = new App(pair.client);
      const server = new App(pair.server);
      let isDraining = false;
      pair.check = () => {
        for (const app of [client, server]) {
          app.follow();
          if (isDraining) {
            app.readMore();
            for (const writing of app.writings.values()) writing.isFinishing = true;
          }
          app.writeMore();
          app.checkBounds();
        }
      };
      for (const step of steps) {
        pair.run(pair.now + step.afterUs);
        pair.now += step.afterUs;
        (step.atServer ? server : client).act(step);
      }
      isDraining = true;
      pair.run();
      expectDelivered(client, server);
      expectDelivered(server, client);
      expect([pair.client.set.count, pair.server.set.count]).toEqual([0, 0]);
    }),
    { numRuns: 80, seed: SEED },
  );
});
