import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Metrics, RateCase } from './case.ts';
import { CASES_8867 } from './cases-8867.ts';
import { CASES_PATHS } from './cases-paths.ts';
import { median } from './measure.ts';
import { runCase } from './world.ts';

const CASES: readonly RateCase[] = [...CASES_8867, ...CASES_PATHS];
const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    seed: { type: 'string', multiple: true },
    json: { type: 'string' },
    quick: { type: 'boolean' },
  },
});
const seeds = (values.seed ?? ['1']).flatMap((s) => s.split(',')).map(Number);
const names = values.case?.flatMap((c) => c.split(','));
for (const rateCase of CASES) {
  if (
    names !== undefined &&
    !names.some((n) => n === rateCase.name || (n.endsWith('*') && rateCase.name.startsWith(n.slice(0, -1))))
  )
    continue;
  const t0 = Date.now();
  const all: Metrics[] = seeds.map((seed) => rateCase.measure(runCase(rateCase, seed)));
  const parts: string[] = [];
  for (const key of Object.keys(all[0] as Metrics)) {
    const vs = all.map((m) => m[key] as number);
    const m = median(vs);
    const gate = rateCase.gates.find((g) => g.metric === key);
    const ok =
      gate === undefined
        ? ''
        : (gate.min === undefined || m >= gate.min) && (gate.max === undefined || m <= gate.max)
          ? ' ok'
          : ` FAIL(${gate.min ?? ''}..${gate.max ?? ''})`;
    parts.push(`${key} ${m.toFixed(3)}${ok}`);
  }
  console.log(`${rateCase.name}: ${parts.join('  ')}  [${((Date.now() - t0) / 1000).toFixed(1)} s]`);
}
process.exitCode = 0;
