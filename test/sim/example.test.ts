/** The example of docs/testing.md, run as it stands there, and the promise that it does stand there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
// example: begin
import {
  CrossTraffic,
  checkConservation,
  Network,
  preset,
  Simulator,
  TcpFlow,
  TcpFrameSource,
} from '../../src/sim.ts';

/** What loss does to live video over TCP: the share of frames that arrive within `latencyMs`. */
function onTimeShare(lossRatio: number, latencyMs: number, seed: number): number {
  const sim = new Simulator({ seed, replayCommand: 'SEED={seed} npm test' });
  const link = { rateBps: 20e6, queue: { ms: 100 } };
  const network = new Network(sim, preset('transatlantic', { rttMs: 60, lossRatio, link }));
  sim.addChecker(checkConservation(network.up));

  const flow = new TcpFlow(sim, { forward: network.up, backward: network.down, congestion: 'cubic' });
  const video = new TcpFrameSource(sim, flow, { skipWhenBehindMs: 200 });
  new CrossTraffic(sim, network.up, { rateBps: 2e6, spacing: 'poisson' }).start();
  flow.start();
  for (let id = 0; id < 300; id++) {
    const isKeyFrame = id % 60 === 0;
    sim.schedule(1e6 + (id * 1e6) / 30, () => video.send(id, isKeyFrame ? 92_000 : 15_000, isKeyFrame));
  }
  sim.run(30e6);

  const onTime = video.frames.filter((frame) => frame.deliveredAtUs - frame.writtenAtUs <= latencyMs * 1e3);
  return onTime.length / video.frames.length;
}
// example: end

const root = join(import.meta.dirname, '..', '..');

describe('the example of docs/testing.md', () => {
  it('shows that TCP keeps its frames on time without loss and not at 2 % (seed 1)', () => {
    expect(onTimeShare(0, 150, 1)).toBeGreaterThan(0.97);
    expect(onTimeShare(0.02, 150, 1)).toBeLessThan(0.5);
  });

  it('gives the same answer for the same seed', () => {
    expect(onTimeShare(0.01, 150, 5)).toBe(onTimeShare(0.01, 150, 5));
  });

  it('is the one that the document shows', () => {
    const source = readFileSync(join(root, 'test', 'sim', 'example.test.ts'), 'utf8');
    const [, code = ''] = /\/\/ example: begin\n([\s\S]*?)\n\/\/ example: end/.exec(source) ?? [];
    const shown = code.replace("'../../src/sim.ts'", "'millrace/sim'");
    expect(shown.length).toBeGreaterThan(500);
    expect(readFileSync(join(root, 'docs', 'testing.md'), 'utf8')).toContain(shown);
  });
});
