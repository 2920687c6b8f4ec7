/** The example of a connection in docs/testing.md, run as it stands there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
// example of a connection: begin
import {
  checkConservation,
  createPair,
  joinPair,
  listenTo,
  Network,
  preset,
  Simulator,
} from '../../src/sim.ts';

/** An application on a lossy path: the share of its frames that are there within one-way delay + `latencyMs`. */
function shownShare(lossRatio: number, latencyMs: number, seed: number): number {
  const sim = new Simulator({ seed, replayCommand: 'SEED={seed} npm test' });
  const network = new Network(sim, preset('transatlantic', { rttMs: 60, lossRatio }));
  sim.addChecker(checkConservation(network.up));
  const { client, server } = createPair(sim, { startBitrateBps: 4e6 });
  joinPair(client, server, network);

  const sentAtUs: number[] = [];
  listenTo(client, (event) => {
    if (event.type !== 'connected') return;
    const { connection, host } = client;
    const track = connection.tracks.openLive({ kind: 'video', latencyUs: latencyMs * 1e3 });
    for (let id = 0; id < 300; id++) {
      const isKeyFrame = id % 60 === 0;
      const send = (now: number): void => {
        sentAtUs.push(now);
        const frame = new Uint8Array(isKeyFrame ? 92_000 : 15_000);
        track?.send(frame, { timestampUs: now, keyFrame: isKeyFrame }, now);
      };
      sim.schedule(sim.now + (id * 1e6) / 30, () => host.call(send));
    }
  });
  let shown = 0;
  listenTo(server, (event, now) => {
    if (event.type !== 'track-readable') return;
    const receiver = server.connection.tracks.receiver(event.trackId);
    for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
      const latencyUs = now - (sentAtUs[frame.frameId] ?? 0);
      if (latencyUs <= (30 + latencyMs) * 1e3) shown++;
    }
  });
  client.host.start();
  sim.run(15e6);
  return shown / sentAtUs.length;
}
// example of a connection: end

const root = join(import.meta.dirname, '..', '..');

describe('the example of a connection in docs/testing.md', () => {
  it('shows every frame of a clean path, and nearly all at 2 % loss (seed 1)', () => {
    expect(shownShare(0, 120, 1)).toBe(1);
    expect(shownShare(0.02, 120, 1)).toBeGreaterThan(0.97);
  });

  it('gives the same answer for the same seed', () => {
    expect(shownShare(0.05, 120, 5)).toBe(shownShare(0.05, 120, 5));
  });

  it('is the one that the document shows', () => {
    const source = readFileSync(join(root, 'test', 'sim', 'example-connection.test.ts'), 'utf8');
    const [, code = ''] =
      /\/\/ example of a connection: begin\n([\s\S]*?)\n\/\/ example of a connection: end/.exec(source) ?? [];
    const shown = code.replace("'../../src/sim.ts'", "'millrace/sim'");
    expect(shown.length).toBeGreaterThan(500);
    expect(readFileSync(join(root, 'docs', 'testing.md'), 'utf8')).toContain(shown);
  });
});
