/** Paths on real sockets: a relay on loopback stands for the NAT. What happens when is measured in virtual time elsewhere. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  type Connection,
  connect,
  type IncomingTrack,
  type Listener,
  type ListenOptions,
  listen,
} from '../../src/index.ts';
import { UdpRelay } from '../helpers/udp-relay.ts';

const passphrase = 'correct horse battery';
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface World {
  readonly listener: Listener;
  readonly relay: UdpRelay;
  readonly caller: Connection;
  readonly called: Connection;
}

async function listenHere(options: ListenOptions = {}): Promise<Listener> {
  const listener = await listen({ host: '127.0.0.1', passphrase, ...options });
  open.push(() => listener.close());
  return listener;
}

/** A call through the relay. */
async function makeCall(options: ListenOptions = {}): Promise<World> {
  const listener = await listenHere(options);
  const relay = await UdpRelay.open(listener.address.port);
  open.push(() => relay.close());
  const caller = await connect({ host: '127.0.0.1', port: relay.port, resource: '' }, { passphrase });
  open.push(() => caller.close());
  const { value: called } = await listener[Symbol.asyncIterator]().next();
  return { listener, relay, caller, called: called as Connection };
}

/** Datagrams from one end to the other every 20 ms until one arrives that was sent from now on. */
async function untilHeard(from: Connection, to: Connection): Promise<void> {
  const token = Buffer.from(`${Math.random()}`);
  const timer = setInterval(() => from.datagrams.send(token), 20);
  try {
    for await (const bytes of to.datagrams) if (token.equals(bytes)) return;
  } finally {
    clearInterval(timer);
  }
}

const event = (target: EventTarget, name: string): Promise<unknown> =>
  new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

describe('a call through a NAT', () => {
  test('that gives it another port goes on, and the listener knows the new address', async () => {
    const { relay, caller, called } = await makeCall();
    await untilHeard(caller, called);
    const before = called.remoteAddress.port;
    const changed = event(called, 'pathchange');
    relay.rebind();
    await untilHeard(caller, called);
    await changed;
    expect(called.remoteAddress.port).not.toBe(before);
    await untilHeard(called, caller);
  });

  test('that forgets it goes on from a fresh port, and a stream loses nothing', async () => {
    const { relay, caller, called } = await makeCall();
    const writer = (await caller.createUnidirectionalStream()).getWriter();
    const total = 1_000_000;
    const piece = new Uint8Array(100_000).fill(7);
    const written = (async () => {
      for (let sent = 0; sent < total; sent += piece.length) await writer.write(piece);
      await writer.close();
    })();
    let received = 0;
    for await (const stream of called.incomingUnidirectionalStreams) {
      for await (const bytes of stream) {
        if (received < 100_000 && received + bytes.length >= 100_000) relay.forget();
        received += bytes.length;
      }
      break;
    }
    await written;
    expect(received).toBe(total);
    expect(relay.callers.size).toBeGreaterThan(1);
  });

  test('that forgets it while it only listens goes on as well', async () => {
    const { relay, caller, called } = await makeCall();
    await untilHeard(called, caller);
    const changed = event(caller, 'pathchange');
    const media = setInterval(() => called.datagrams.send(new Uint8Array(10)), 10);
    open.push(() => clearInterval(media));
    await new Promise((resolve) => setTimeout(resolve, 200));
    relay.forget();
    await changed;
    await untilHeard(called, caller);
    expect(relay.callers.size).toBeGreaterThan(1);
  });
});

describe('ICMP in the middle of a call', () => {
  test('ends nothing: the caller counts it, and its media arrive once the port is open again', async () => {
    const { relay, caller, called } = await makeCall();
    const track = caller.createTrack();
    let sent = 0;
    const media = setInterval(() => track.send(Buffer.from(`${sent++}`)), 20);
    open.push(() => clearInterval(media));
    const { value: incoming } = await called.incomingTracks[Symbol.asyncIterator]().next();
    const frames = (incoming as IncomingTrack)[Symbol.asyncIterator]();
    await frames.next();
    expect(caller.stats().icmpErrors).toBe(0);
    await relay.refuse();
    await expect.poll(() => caller.stats().icmpErrors, { timeout: 20_000 }).toBeGreaterThan(2);
    const before = sent;
    relay.admit();
    for (let id = -1; id < before; ) {
      const { done, value } = await frames.next();
      if (done === true) throw new Error('the track has ended');
      id = Number(Buffer.from(value.data).toString());
    }
    expect((await caller.report()).icmpErrors).toBe(caller.stats().icmpErrors);
    // A listener's socket is told of no ICMP at all.
    expect(called.stats().icmpErrors).toBe(0);
  });
});

describe('migrate', () => {
  test('moves a call to a fresh port while it goes on; the listener follows', async () => {
    const { relay, caller, called } = await makeCall();
    await untilHeard(caller, called);
    const followed = event(called, 'pathchange');
    await caller.migrate();
    await followed;
    expect(relay.callers.size).toBeGreaterThan(1);
    await untilHeard(caller, called);
    await untilHeard(called, caller);
  });

  test('may be asked for as soon as the connection is there', async () => {
    const { caller, called } = await makeCall();
    await caller.migrate();
    await untilHeard(caller, called);
  });

  test("is a caller's affair, and ends with the connection", async () => {
    const { caller, called } = await makeCall();
    await expect(called.migrate()).rejects.toThrow(TypeError);
    const moving = caller.migrate();
    void caller.close();
    await expect(moving).rejects.toMatchObject({ code: 'ERR_MILLRACE_CLOSED' });
  });
});
