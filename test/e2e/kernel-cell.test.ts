/** One short cell of the bench against the kernel per transport: real programs and sockets on an emulated path. */
import { describe, expect, it } from 'vitest';
import { adapterOf } from '../../bench/kernel/adapters/all.ts';
import { kernelTcp } from '../../bench/kernel/adapters/kernel-tcp.ts';
import { type KernelSpec, runKernelCell } from '../../bench/kernel/cell.ts';
import { emulatorObstacle } from '../../bench/kernel/emulator/emulator.ts';
import { symmetric } from '../../src/sim.ts';

const obstacle = await emulatorObstacle();
const NAME = obstacle === undefined ? 'a cell' : `a cell (not here: ${obstacle})`;

function spec(transport: string): KernelSpec {
  return {
    transport,
    network: symmetric({ rateBps: 20e6, queue: { ms: 100 }, delayMs: 10 }),
    workload: { video: { bitrateBps: 1e6 }, audio: { sizeBytes: 160, everyMs: 20 } },
    latencyMs: 120,
    startupMs: 500,
    durationMs: 1_500,
    drainMs: 1_000,
    seed: 1,
  };
}

describe.skipIf(obstacle !== undefined)(NAME, () => {
  for (const transport of ['millrace', 'tcp-cubic', 'tcp-cubic-skip', 'udp']) {
    it(`over ${transport} carries every frame whole, and counts what it took`, async () => {
      const result = await runKernelCell(spec(transport), adapterOf(transport));
      expect(result.faults).toEqual([]);
      for (const { steady, startup, damaged } of result.sources) {
        expect(damaged).toBe(0);
        expect(startup.delivered).toBeGreaterThan(0);
        expect(steady.delivered).toBeGreaterThan(0);
        expect(steady.latency.p50Ms).toBeGreaterThan(10);
      }
      expect(result.up.bytes).toBeGreaterThan(result.mediaBytes);
    });
  }

  it('of bulk counts what arrives', async () => {
    const result = await runKernelCell({ ...spec('tcp-cubic'), isBulk: true }, adapterOf('tcp-cubic'));
    expect(result.faults).toEqual([]);
    expect(result.goodputBps).toBeGreaterThan(1e5);
    expect(result.sources).toEqual([]);
  });

  it('fails when the kernel uses another congestion control than was asked for', async () => {
    const { plan, ...rest } = kernelTcp('cubic', false);
    const impostor = {
      ...rest,
      plan: (context: Parameters<typeof plan>[0]) => ({
        ...kernelTcp('reno', false).plan(context),
        confirm: plan(context).confirm ?? (() => undefined),
      }),
    };
    await expect(runKernelCell(spec('tcp-cubic'), impostor)).rejects.toThrow(/uses reno, not cubic/);
  });

  it('fails when a program does not start, and says which and why', async () => {
    const { plan, ...rest } = adapterOf('udp');
    const broken = {
      ...rest,
      plan: (context: Parameters<typeof plan>[0]) => {
        const right = plan(context);
        return {
          ...right,
          sender: { ...right.sender, command: 'sh', parameters: ['-c', 'echo no luck >&2; exit 3'] },
        };
      },
    };
    await expect(runKernelCell(spec('udp'), broken)).rejects.toThrow(/sh ended \(exit code 3\): no luck/);
  });
});
