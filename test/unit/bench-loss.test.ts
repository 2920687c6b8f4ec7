/** The loss bench around its cells: pooling, limits, the plan, what is printed. */
import { describe, expect, it } from 'vitest';
import { matrixCells, quickMatrixCells } from '../../bench/loss/matrix.ts';
import type { BenchCell } from '../../bench/loss/plan.ts';
import { plannerCells } from '../../bench/loss/planner.ts';
import { hasNaN, type PooledCell, poolCell, spreadOf } from '../../bench/loss/pool.ts';
import { publishedCells } from '../../bench/loss/published.ts';
import { matrixSections } from '../../bench/loss/sections-matrix.ts';
import { plannerSections } from '../../bench/loss/sections-planner.ts';
import { publishedSections, tableSections } from '../../bench/loss/sections-tables.ts';
import { markdownOf } from '../../bench/loss/tables.ts';
import { cheapestAsGood, perFrameReedSolomon } from '../../bench/loss/tambur.ts';
import { verdictsOf } from '../../bench/loss/verdict.ts';
import { type Answer, runTask } from '../../bench/loss/worker.ts';
import { renderPage } from '../../bench/report/page.ts';

const ALL = [...matrixCells(), ...publishedCells(), ...plannerCells()];

/** The cell in short: two seeds, one second of start-up and two measured. */
function runShort(cell: BenchCell): PooledCell {
  const spec = { ...cell.spec, startupMs: 1_000, durationMs: 3_000 };
  const short = { ...cell, spec, seeds: [1, 2] };
  const answers = short.seeds.map((seed) =>
    runTask({ key: seed, spec: { ...spec, seed }, hasTimeline: cell.hasTimeline ?? false }),
  );
  return poolCell(short, answers);
}

function cellNamed(id: string): BenchCell {
  const cell = ALL.find((candidate) => candidate.id === id);
  if (cell === undefined) throw new Error(`no cell ${id}`);
  return cell;
}

describe('the plan', () => {
  it('has every cell once: 4 round trips, 12 channels, 7 transports; all published set-ups', () => {
    expect(new Set(ALL.map(({ id }) => id)).size).toBe(ALL.length);
    expect(matrixCells()).toHaveLength(4 * 12 * 7);
    const scenarios = new Set(publishedCells().map(({ facets }) => facets.scenario));
    expect([...scenarios]).toEqual(Array.from({ length: 10 }, (_, i) => `B${i + 1}`));
    expect(quickMatrixCells().every(({ seeds }) => seeds.length === 1)).toBe(true);
  });
});

describe('a median', () => {
  it('of seeds one of which never delivered is no number between', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spreadOf([1, 3])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spreadOf([1, Number.POSITIVE_INFINITY])).toEqual({
      median: Number.POSITIVE_INFINITY,
      min: 1,
      max: Number.POSITIVE_INFINITY,
    });
    expect(hasNaN({ a: [1, { b: Number.NaN }] })).toBe(true);
  });
});

describe('pooling', () => {
  const pooled = runShort(cellNamed('matrix/60/5%/millrace-120'));

  it('adds up frames of all seeds, and the parts of the wire', () => {
    expect(pooled.faults).toEqual([]);
    expect(pooled.sources[0]?.steady.frames).toBe(120);
    const { total, ...parts } = pooled.parts;
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBeCloseTo(total, 12);
    expect(new Set(pooled.traceHashes).size).toBe(2);
  });

  it('calls a seed that failed, and one that is missing, a fault', () => {
    const { cell } = pooled;
    // As the answers of workers begin: nothing but holes.
    const answers: Answer[] = new Array(2);
    answers[0] = { key: 1, error: 'broken' };
    expect(poolCell(cell, answers).faults).toEqual(['seed 1: broken', 'seed 2: did not run']);
  });
});

describe('a limit', () => {
  const pooled = runShort(cellNamed('planner/60-120-1%'));
  const verdicts = (limits: BenchCell['limits'] & {}): boolean[] =>
    verdictsOf({ ...pooled, cell: { ...pooled.cell, limits } }).map(({ isMet }) => isMet);

  it('is met or missed by what was measured', () => {
    const share = pooled.sources[0]?.steady.onTimeShare ?? 0;
    expect(verdicts({ onTimeMin: share })).toEqual([true]);
    expect(verdicts({ onTimeMin: share + 1e-9 })).toEqual([false]);
    expect(verdicts({ overheadMax: pooled.overhead })).toEqual([true]);
    expect(verdicts({ overheadMax: pooled.overhead - 1e-9 })).toEqual([false]);
    expect(verdicts({})).toEqual([]);
  });

  it('after a step is judged by the delay that the step has made', () => {
    const stepped = runShort({
      ...cellNamed('planner/step-rtt-120'),
      hasTimeline: true,
      limits: { recovery: { stepMs: 0, settleMs: 0, onTimeMin: 0.1 } },
    });
    const early = { ...stepped.cell.spec, latencyMs: 1, steps: [] };
    expect(verdictsOf(stepped)[0]?.isMet).toBe(true);
    const slow = stepped.timelines.map((timeline) => ({
      ...timeline,
      frames: timeline.frames.map((frame) => ({ ...frame, latencyMs: 110 })),
    }));
    expect(
      verdictsOf({ ...stepped, cell: { ...stepped.cell, spec: early }, timelines: slow })[0]?.isMet,
    ).toBe(false);
    const steps = [{ atMs: 0, do: 'set', link: 'both', options: { delayMs: 120 } }] as const;
    const later = { ...early, steps };
    expect(
      verdictsOf({ ...stepped, cell: { ...stepped.cell, spec: later }, timelines: slow })[0]?.isMet,
    ).toBe(true);
  });

  it('after a step is judged until the next', () => {
    const limits = { recovery: { stepMs: 0, settleMs: 0, onTimeMin: 1 } };
    const stepped = runShort({ ...cellNamed('planner/step-rtt-120'), hasTimeline: true, limits });
    const step = (atMs: number) => ({ atMs, do: 'set', link: 'both', options: { delayMs: 10 } }) as const;
    const judged = (...steps: ReturnType<typeof step>[]): boolean | undefined => {
      const spec = { ...stepped.cell.spec, latencyMs: 100, steps };
      const timelines = stepped.timelines.map((timeline) => ({
        ...timeline,
        frames: timeline.frames.map((frame) => ({ ...frame, latencyMs: frame.sentAtMs < 1_500 ? 50 : 500 })),
      }));
      return verdictsOf({ ...stepped, cell: { ...stepped.cell, spec }, timelines })[0]?.isMet;
    };
    expect(judged(step(0))).toBe(false);
    expect(judged(step(0), step(1_500))).toBe(true);
  });
});

describe("Tambur's baseline", () => {
  it('loses as many frames as its channel loses packets when a frame is one packet (seed 16)', () => {
    const points = perFrameReedSolomon(1_000, 2);
    // Stationary loss: (0.852 * 0.04 + 0.068 * 0.5) / 0.92.
    expect(points[0]?.undecodable).toBeCloseTo(0.074, 2);
    expect(points[1]?.overhead).toBe(1);
    expect(cheapestAsGood(points, 0.08)).toBe(points[0]);
    expect(cheapestAsGood(points, 0)).toBeUndefined();
  });
});

describe('the report', () => {
  it('has a section for every set, and prints no NaN and no undefined', () => {
    const ids = [
      ...['millrace-120', 'tcp-cubic', 'tcp-skip', 'udp'].map((who) => `matrix/60/2%/${who}`),
      'matrix/60/5%/millrace-120',
      'planner/60-120-1%',
      'planner/tambur-0.5M',
      'published/B10/RTT-60-ms/udp',
    ];
    const cells = ids.map((id) => runShort(cellNamed(id)));
    const sections = [
      ...matrixSections(cells),
      ...plannerSections(cells),
      ...publishedSections(cells),
      ...tableSections(cells),
    ];
    expect(sections.map(({ id }) => id)).toEqual([
      ...['on-time', 'latency', 'cost', 'timeline', 'startup'],
      ...['planner', 'published', 'elsewhere', 'cells'],
    ]);
    const page = renderPage('loss', [{ title: 'loss', facts: { seeds: '1' }, sections }]);
    const text = markdownOf(cells, { seeds: '1' }, true);
    for (const made of [page, text]) expect(made).not.toMatch(/NaN|undefined|\[object/);
    expect(text).toContain('elsewhere');
  });
});
