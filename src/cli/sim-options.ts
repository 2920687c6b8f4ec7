/** Options of `millrace sim`, and its help. In: arguments. Out: what to simulate, or a {@link UsageError}. */
import { parseArgs } from 'node:util';
import type { TransportName } from '../lab/cell.ts';
import { PRESET_NAMES, type PresetName } from '../sim/presets.ts';
import { UsageError } from './errors.ts';
import { explainArguments } from './options.ts';
import { parseChoice, parseInteger, parseRate, parseRatio, parseTime } from './units.ts';

const TRANSPORTS: readonly TransportName[] = ['millrace', 'tcp-cubic', 'tcp-reno', 'tcp-skip', 'udp'];
/** Long enough for a burst of losses, short enough to wait for. */
const DURATION_MS = 20_000;
const BITRATE_BPS = 4e6;
const LATENCY_MS = 120;

/** What the user asked for. Times in ms, rates in bit/s, shares 0..1. */
export interface SimOptions {
  readonly preset: PresetName | undefined;
  readonly lossRatio: number | undefined;
  /** Mean length of a burst of losses, packets. */
  readonly burst: number;
  readonly rttMs: number | undefined;
  readonly rateBps: number | undefined;
  readonly seed: number;
  /** Measured, behind the start-up. */
  readonly durationMs: number;
  readonly latencyMs: number;
  readonly bitrateBps: number;
  readonly transports: readonly TransportName[];
  readonly isJson: boolean;
}

const FLAGS = {
  preset: { type: 'string' },
  loss: { type: 'string' },
  burst: { type: 'string' },
  rtt: { type: 'string' },
  rate: { type: 'string' },
  seed: { type: 'string' },
  duration: { type: 'string' },
  latency: { type: 'string' },
  bitrate: { type: 'string' },
  transport: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** `millrace sim --help`. */
export const SIM_HELP: string = `Examples:
  millrace sim --loss 5% --rtt 80
  millrace sim --preset wifi-lossy --latency 200 --bitrate 8M
  millrace sim --loss 2% --burst 4 --seed 7 --json

Usage: millrace sim [options]

Live video over a simulated path, in virtual time: millrace and TCP side by side, the same for the same seed.

Path:
  --preset NAME             ${PRESET_NAMES.slice(0, 7).join(', ')},
                            ${PRESET_NAMES.slice(7, 11).join(', ')},
                            ${PRESET_NAMES.slice(11, 14).join(', ')},
                            ${PRESET_NAMES.slice(14).join(', ')}
                            (default: 20 Mbit/s, a queue of 100 ms)
  --loss SHARE              loss one way, in both directions: 5% or 0.05 (default that of the preset, else 0)
  --burst N                 losses come in bursts of N packets on average (default 1)
  --rtt TIME                round-trip time (default that of the preset, else 60ms)
  --rate RATE               capacity each way (default that of the preset, else 20M)

Media:
  --bitrate RATE            of the video: 30 frames a second, a key frame every 60 (default 4M)
  --latency TIME            recovery budget on top of the one-way delay (default 120ms)

Run:
  --duration TIME           measured for so long, after 3 s of start-up; bare numbers are seconds (default 20s)
  --seed N                  0 to 2^53-1 (default 1)
  --transport NAME          ${TRANSPORTS.join(', ')};
                            again for more (default millrace, tcp-cubic, tcp-skip, udp)
  --json                    one JSON object on stdout, with the hash of everything that happened`;

/** Parses the arguments after `sim`. */
export function parseSimOptions(args: readonly string[]): SimOptions {
  let parsed: ReturnType<typeof parseFlags>;
  try {
    parsed = parseFlags(args);
  } catch (error) {
    throw new UsageError(explainArguments('sim', error as NodeJS.ErrnoException));
  }
  const { values, positionals } = parsed;
  if (positionals.length > 0)
    throw new UsageError(
      `sim takes no '${positionals[0]}': everything is an option, see millrace sim --help`,
    );
  const given = <Value>(text: string | undefined, parse: (text: string) => Value): Value | undefined =>
    text === undefined ? undefined : parse(text);
  const lossRatio = given(values.loss, (text) => parseRatio(text, '--loss'));
  const burst = given(values.burst, (text) => parseInteger(text, '--burst', 1, 1_000)) ?? 1;
  if (burst > 1 && (lossRatio === undefined || lossRatio > 0.5))
    throw new UsageError('--burst shapes the loss that --loss names, of at most 50%: give both');
  return {
    preset: given(values.preset, (text) => parseChoice(text, '--preset', PRESET_NAMES)),
    lossRatio,
    burst,
    rttMs: given(values.rtt, (text) => parseTime(text, '--rtt', 0, 10_000)),
    rateBps: given(values.rate, (text) => parseRate(text, '--rate')),
    seed: given(values.seed, (text) => parseInteger(text, '--seed', 0, Number.MAX_SAFE_INTEGER)) ?? 1,
    durationMs: given(values.duration, parseDuration) ?? DURATION_MS,
    latencyMs: given(values.latency, (text) => parseTime(text, '--latency', 1, 60_000)) ?? LATENCY_MS,
    bitrateBps: given(values.bitrate, (text) => parseRate(text, '--bitrate')) ?? BITRATE_BPS,
    transports: values.transport?.map((name) => parseChoice(name, '--transport', TRANSPORTS)) ?? [
      'millrace',
      'tcp-cubic',
      'tcp-skip',
      'udp',
    ],
    isJson: values.json === true,
  };
}

/** Bare numbers are seconds here: nobody simulates 20 ms. */
function parseDuration(text: string): number {
  return parseTime(/^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text, '--duration', 1_000, 3_600_000);
}

type Parsed = ReturnType<typeof parseArgs<{ options: typeof FLAGS; allowPositionals: true; strict: true }>>;

function parseFlags(args: readonly string[]): Parsed {
  return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true, strict: true });
}
