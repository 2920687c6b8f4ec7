import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Connection,
  connect,
  createLadder,
  type Frame,
  type IncomingTrack,
  type Listener,
  listen,
  type Rendition,
  type RenditionEvent,
} from '../../src/index.ts';

const passphrase = 'only for a test';
let listener: Listener;
let connection: Connection;
const incoming: IncomingTrack[] = [];
/** A busy machine must not make media frames late. */
const LATENCY_MS = 60_000;

beforeAll(async () => {
  listener = await listen({ host: '127.0.0.1', passphrase });
  void (async () => {
    for await (const peer of listener) for await (const track of peer.incomingTracks) incoming.push(track);
  })().catch(() => {});
  connection = await connect(
    { host: '127.0.0.1', port: listener.address.port },
    { passphrase, startBitrate: 2_000_000 },
  );
});
afterAll(async () => {
  await connection.close();
  await listener.close();
});

const TWO: readonly Rendition[] = [
  { name: 'large', targetBitrate: 1_500_000, layers: [0.6, 1] },
  { name: 'small', targetBitrate: 300_000 },
];

describe('createLadder', () => {
  it.each([
    ['no rendition', []],
    ['a name twice', [TWO[0], TWO[0]]],
    ['no name', [{ targetBitrate: 1e6 }]],
    ['no target', [{ name: 'a' }]],
    ['a minimum above the target', [{ name: 'a', targetBitrate: 1e6, minBitrate: 2e6 }]],
    ['a maximum below the target', [{ name: 'a', targetBitrate: 1e6, maxBitrate: 5e5 }]],
    ['layers that do not end with 1', [{ name: 'a', targetBitrate: 1e6, layers: [0.5, 0.9] }]],
    ['layers that do not ascend', [{ name: 'a', targetBitrate: 1e6, layers: [0.5, 0.5, 1] }]],
  ])('throws for %s', (_, renditions) => {
    expect(() => createLadder(connection, renditions as readonly Rendition[])).toThrow(
      /rendition|layers|itrate/,
    );
  });

  it('throws for a reliable track', () => {
    expect(() => createLadder(connection, TWO, { latency: Number.POSITIVE_INFINITY })).toThrow(RangeError);
  });

  it('sends the frames of one rendition, all layers, and tells which and what its encoder may make', async () => {
    const ladder = createLadder(connection, TWO, { latency: LATENCY_MS, metadata: { label: 'camera' } });
    const seen: string[] = [];
    ladder.addEventListener('renditionchange', (event) => seen.push((event as RenditionEvent).rendition));
    expect(ladder.renditions).toEqual(['small', 'large']);
    expect([ladder.current, ladder.wanted, ladder.layers]).toEqual(['large', 'large', 2]);
    expect(ladder.targetBitrate).toBe(1_500_000);
    for (let i = 0; i < 20; i++) {
      const options = { timestamp: i * 33_333, keyFrame: i === 0, layer: i % 2 };
      ladder.send('small', Uint8Array.of(1, i), options);
      ladder.send('large', Uint8Array.of(2, i), options);
    }
    expect(() => ladder.send('medium', new Uint8Array(1), { timestamp: 0 })).toThrow(/no rendition 'medium'/);
    await ladder.track.end();
    await expect.poll(() => incoming.find(({ metadata }) => metadata.label === 'camera')).toBeDefined();
    const track = incoming.find(({ metadata }) => metadata.label === 'camera') as IncomingTrack;
    const frames: Frame[] = [];
    for await (const frame of track) frames.push(frame);
    expect(frames.map(({ data }) => [...data])).toEqual(Array.from({ length: 20 }, (_, i) => [2, i]));
    expect(frames.map(({ discardable }) => discardable)).toEqual(
      Array.from({ length: 20 }, (_, i) => i % 2 === 1),
    );
    expect(seen).toEqual(['large']);
  });

  it("hands the receiver's request for a key frame to the right encoder", async () => {
    const ladder = createLadder(connection, TWO, { metadata: { label: 'second' } });
    const asked = new Promise<string>((resolve) => {
      ladder.addEventListener('keyframerequest', (event) => resolve((event as RenditionEvent).rendition));
    });
    ladder.send(ladder.current, new Uint8Array(100), { timestamp: 0, keyFrame: true });
    await expect.poll(() => incoming.find(({ metadata }) => metadata.label === 'second')).toBeDefined();
    incoming.find(({ metadata }) => metadata.label === 'second')?.requestKeyFrame();
    expect(await asked).toBe(ladder.wanted);
    await ladder.track.end();
  });
});
