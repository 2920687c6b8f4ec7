/**
 * What the demo must hold, measured in a headless browser: time to the first picture, freezes, latency, and what the
 * sender and receiver programs cost. `npx tsx demo/measure.ts --minutes 10 [--query 'loss=0.05&rtt=150'] [--network model]
 * [--latency 120]`. Linux with chromium. Out: a table, and what else the machine was doing, which matters.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import type { SideReport } from './page/side-report.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    query: { type: 'string', default: 'loss=0.05&rtt=150' },
    network: { type: 'string', default: 'auto' },
    latency: { type: 'string', default: '120' },
  },
});
const seconds = Number(values.minutes) * 60;
/** The start has a row of its own. */
const START_SECONDS = 3;
/** Memory is looked at after so many looks at the load. */
const MEMORY_EVERY = 6;
/** Clock ticks a second in /proc, on every Linux that Node.js runs on. */
const TICKS = 100;

/** Processor time in seconds and resident memory in megabytes of the millrace programs that `parent` has started. */
function cost(parent: number): { cpuSeconds: number; megabytes: number } {
  let [cpuSeconds, megabytes] = [0, 0];
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      if (!/\0demo\/(?:sender|receiver)\.ts\0/.test(command) || !status.includes(`PPid:\t${parent}\n`))
        continue;
      const fields = readFileSync(`/proc/${entry}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      cpuSeconds += (Number(fields[11]) + Number(fields[12])) / TICKS;
      megabytes += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
    } catch {
      // It ended while we looked.
    }
  }
  return { cpuSeconds, megabytes };
}

interface Reports {
  readonly tcp: SideReport;
  readonly millrace: SideReport;
}

function print(name: string, tcp: string, millrace: string): void {
  console.log(`${name.padEnd(34)}${tcp.padStart(14)}${millrace.padStart(14)}`);
}

const script = fileURLToPath(new URL('server.ts', import.meta.url));
const options = ['--port', '0', '--no-open', '--network', values.network, '--latency', values.latency];
const demo = spawn(process.execPath, ['--import', 'tsx', script, ...options], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise<string>((resolve, reject) => {
  createInterface({ input: demo.stdout }).once('line', resolve);
  demo.once('exit', () => reject(new Error('the demo has ended')));
});
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  await page.goto(`${url}?${values.query}`);
  const read = async (): Promise<Reports> => (await page.evaluate('globalThis.millraceDemo')) as Reports;
  await page.waitForFunction('globalThis.millraceDemo?.tcp && globalThis.millraceDemo.millrace');
  await sleep(START_SECONDS * 1_000);
  const [begin, beginCost, beginMs] = [await read(), cost(demo.pid as number), performance.now()];
  const loads: number[] = [];
  const megabytes: number[] = [];
  while (performance.now() - beginMs < seconds * 1_000) {
    await sleep(5_000);
    loads.push(loadavg()[0] as number);
    if (loads.length % MEMORY_EVERY === 0) megabytes.push(cost(demo.pid as number).megabytes);
  }
  const [end, endCost, lasted] = [
    await read(),
    cost(demo.pid as number),
    (performance.now() - beginMs) / 1_000,
  ];
  print('', 'TCP', 'millrace');
  const row = (name: string, value: (side: 'tcp' | 'millrace') => string): void =>
    print(name, value('tcp'), value('millrace'));
  row('first picture', (side) => `${Math.round(end[side].firstPictureMs ?? Number.NaN)} ms`);
  row(`frozen after ${START_SECONDS} s`, (side) => {
    return `${(((end[side].freezeMs - begin[side].freezeMs) / lasted) * 0.1).toFixed(2)} %`;
  });
  row('freezes', (side) => `${end[side].freezes - begin[side].freezes}`);
  row('pictures a second', (side) => {
    return ((end[side].framesDecoded - begin[side].framesDecoded) / lasted).toFixed(1);
  });
  row('behind, p50', (side) => `${end[side].latencyMsP50} ms`);
  row('behind, p95', (side) => `${end[side].latencyMsP95} ms`);
  row('encoded', (side) => {
    return `${(((end[side].encodedBytes - begin[side].encodedBytes) * 8) / lasted / 1e6).toFixed(2)} Mbit/s`;
  });
  const change = (name: string): number =>
    (end.millrace.figures[name] ?? 0) - (begin.millrace.figures[name] ?? 0);
  const missed = change('framesLate') + change('framesLost');
  print('media frames sent', '', `${change('framesSent')}`);
  print('of them late or lost', '', `${missed}`);
  print(
    'resends, by media bytes',
    '',
    `${((100 * change('resendBytes')) / change('mediaBytes')).toFixed(1)} %`,
  );
  print(
    'repair, by media bytes',
    '',
    `${((100 * change('repairBytes')) / change('mediaBytes')).toFixed(1)} %`,
  );
  const share = (100 * (endCost.cpuSeconds - beginCost.cpuSeconds)) / lasted;
  print('CPU of sender + receiver', '', `${share.toFixed(1)} %`);
  print('memory of both, begin', '', `${beginCost.megabytes.toFixed(0)} MB`);
  print('memory of both, end', '', `${endCost.megabytes.toFixed(0)} MB`);
  console.log(`memory of both, every half minute: ${megabytes.map((each) => each.toFixed(0)).join(' ')} MB`);
  const load = loads.reduce((sum, value) => sum + value, 0) / loads.length;
  console.log(
    `${lasted.toFixed(0)} s, ?${values.query}, latency ${values.latency} ms; load average ${load.toFixed(1)}`,
  );
} finally {
  await browser.close();
  demo.kill('SIGINT');
}
