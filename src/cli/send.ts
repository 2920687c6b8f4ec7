/**
 * `millrace send MEDIA... MILLRACE`: each MEDIA is one track, sent to the listener that is called or to everybody who
 * calls. Source: docs/cli.md.
 */

import { BUSY_CODE, type CallRequest, type Connection, type TrackOptions, type Verdict } from '../index.ts';
import { readCredentials } from './credentials.ts';
import { UsageError } from './errors.ts';
import type { MediaUnit } from './framing.ts';
import type { InputContext } from './input-context.ts';
import type { CliIo } from './io.ts';
import { checkFfmpeg, runLadderInput } from './ladder-input.ts';
import type { RenditionSpec } from './ladder-spec.ts';
import { checkInput, runInput } from './media-input.ts';
import { BitrateWatch, openBitrateListener } from './on-bitrate.ts';
import type { CliOptions } from './option-values.ts';
import { applyUriParameters, parseOptions } from './options.ts';
import { LiveTimeline, systemClock } from './pace.ts';
import { MEDIA_IS_OVER, Peers, type TrackKey } from './peers.ts';
import { hasResource, NO_RESOURCE, runSession } from './session.ts';
import { StatsReporter } from './stats.ts';
import { TEST_BITRATE_DEFAULT } from './test-media.ts';
import { kindOf, labelOf, nameOf } from './track-labels.ts';
import { START_RATE } from './units.ts';
import { isMillraceUri, type MediaUri, type MillraceUri, parseMediaUri, parseMillraceUri } from './uri.ts';

const LATENCY_MS = 120;
const TIMEOUT_MS = 5_000;
const PEERS_MAX = 32;
/** Where paths begin: six packets of MPEG-TS fit a datagram of 1200 bytes. */
const SYMBOL_BYTES = 1128;
/** On a reliable track nothing is gained by small media frames: 348 packets of MPEG-TS. */
const RELIABLE_FRAME_BYTES = 65_424;
const INPUTS_MAX = 16;

/** What ffmpeg encodes into the renditions of `--ladder`. */
interface LadderSource {
  readonly kind: 'ladder';
  /** A MEDIA, or whatever else ffmpeg can open. */
  readonly input: string;
  readonly label: string;
  readonly renditions: readonly RenditionSpec[];
}

type SendSource = MediaUri | LadderSource;

/** What the arguments ask for. */
interface SendPlan {
  readonly media: readonly SendSource[];
  readonly uri: MillraceUri;
  readonly options: CliOptions;
}

/** Reads the arguments after `send`. */
export function parseSend(args: readonly string[]): SendPlan {
  const { options, positionals } = parseOptions('send', args);
  const target = positionals.at(-1);
  if (positionals.length < 2 || target === undefined) {
    throw new UsageError(
      'send needs MEDIA and MILLRACE: millrace send file:clip.mpegts millrace://HOST:9000/live',
    );
  }
  if (!isMillraceUri(target)) {
    throw new UsageError(
      'the last argument of send is where to send: write millrace send MEDIA... millrace://HOST:PORT',
    );
  }
  const { ladder } = options;
  if (ladder !== undefined) {
    const uri = parseMillraceUri(target);
    return {
      media: [parseLadderSource(positionals.slice(0, -1), ladder, options)],
      uri,
      options: applyUriParameters(options, uri.parameters),
    };
  }
  const media = positionals.slice(0, -1).map((text) => parseMediaUri(text));
  if (media.length > INPUTS_MAX) throw new UsageError(`send takes at most ${INPUTS_MAX} MEDIA`);
  if (media.filter(({ kind }) => kind === 'stdio').length > 1)
    throw new UsageError('send can read stdin (-) once');
  const uri = parseMillraceUri(target);
  return { media, uri, options: applyUriParameters(options, uri.parameters) };
}

function parseLadderSource(
  inputs: readonly string[],
  renditions: readonly RenditionSpec[],
  options: CliOptions,
): LadderSource {
  for (const [name, value] of [
    ['--framing', options.framing],
    ['--pace', options.pace],
    ['--bitrate', options.bitrate],
  ] as const) {
    if (value !== undefined)
      throw new UsageError(`${name} is not for --ladder, which encodes its input itself`);
  }
  if (inputs.length !== 1) throw new UsageError('--ladder encodes one input');
  const [, input = '', label = ''] = /^(.*?)(?:#([^#/]*))?$/.exec(inputs[0] as string) ?? [];
  return { kind: 'ladder', input, label, renditions };
}

/** Runs the command. Resolves when everything has settled; rejects with what ended it. */
export async function runSend(args: readonly string[], io: CliIo): Promise<void> {
  const plan = parseSend(args);
  const { media, uri, options } = plan;
  const credentials = readCredentials(uri, options, io.env);
  for (const source of media) {
    if (source.kind === 'ladder') checkFfmpeg();
    else await checkInput(source, options);
  }
  const reporter = new StatsReporter(io.stderr, options.stats, options.statsJson);
  const note = (line: string): void => reporter.note(line);
  const listener = options.onBitrate === undefined ? undefined : openBitrateListener(options.onBitrate, note);
  const isReliable = options.pace === 'off';
  const latencyMs = isReliable ? Number.POSITIVE_INFINITY : (options.latency ?? LATENCY_MS);
  const peers = new Peers(
    reporter,
    (key) => trackOptions(plan, key, latencyMs),
    announcedTracks(plan),
    latencyMs,
    { renditions: options.ladder, onBitrate: (key) => bitrates?.look(key), note },
  );
  const bitrates =
    listener === undefined
      ? undefined
      : new BitrateWatch<TrackKey>(
          listener,
          (key) => trackName(plan, key),
          (key) => peers.bitrateOf(key),
        );
  const inputs = new AbortController();
  const session = new AbortController();
  io.onSignal(() => inputs.abort());
  const abortSession = (): void => session.abort();
  try {
    const serving = runSession(
      {
        uri,
        options,
        credentials,
        startBitrate: startBitrate(options.bitrate),
        usualStartBitrate: usualStartBitrate(plan),
        admit: (request) => admit(plan, peers, request),
        note,
        signal: session.signal,
      },
      (connection) => serve(plan, peers, connection, note),
    );
    const sending = sendAll(plan, io, peers, note, inputs).finally(abortSession);
    // A session that is over ends the inputs; inputs that end, or fail, end the session.
    const stopInputs = (): void => inputs.abort();
    serving.then(stopInputs, stopInputs);
    await Promise.all([sending, serving]);
  } finally {
    inputs.abort();
    session.abort();
    await listener?.close();
    await reporter.close();
  }
}

/** True = the session is over. A listening sender outlives each of its receivers. */
async function serve(
  { uri, options }: SendPlan,
  peers: Peers,
  connection: Connection,
  note: (line: string) => void,
): Promise<boolean> {
  const isCall = uri.mode === 'call';
  const maxPeers = options.pace === 'off' ? 1 : (options.maxPeers ?? PEERS_MAX);
  if (!isCall && peers.count >= maxPeers) {
    await connection.close({ closeCode: BUSY_CODE, reason: 'as many receivers as --max-peers allows' });
    return false;
  }
  try {
    await peers.serve(connection);
    return isCall;
  } catch (error) {
    // Of a file that has been begun nobody else would get the whole.
    if (isCall || (options.pace === 'off' && peers.hasServed)) throw error;
    note(`receiver left: ${(error as Error).message}`);
    return false;
  }
}

function admit({ uri, options }: SendPlan, peers: Peers, request: CallRequest): Verdict {
  if (!hasResource(uri, request)) return NO_RESOURCE;
  if (peers.isFinishing) return { reject: { code: BUSY_CODE, reason: MEDIA_IS_OVER } };
  const maxPeers = options.pace === 'off' ? 1 : (options.maxPeers ?? PEERS_MAX);
  if (peers.count < maxPeers) return true;
  return { reject: { code: BUSY_CODE, reason: 'as many receivers as --max-peers allows' } };
}

/** Runs every input to its end, or all of them until the first fails, then waits until everything has settled. */
async function sendAll(
  plan: SendPlan,
  io: CliIo,
  peers: Peers,
  note: (line: string) => void,
  control: AbortController,
): Promise<void> {
  const { media, options } = plan;
  const { signal } = control;
  const isReliable = options.pace === 'off';
  const startUs = systemClock.nowUs();
  const context: InputContext = {
    framing: options.framing,
    bitrate: options.bitrate,
    pace: options.pace,
    frameBytes: () => (isReliable ? RELIABLE_FRAME_BYTES : peers.symbolBytes(SYMBOL_BYTES)),
    targetBps: () => peers.targetBps / media.length,
    stdin: io.stdin,
    clock: systemClock,
    note,
    signal,
  };
  const inputs = media.map(async (source, input) => {
    await whenWanted(source, options, peers, signal);
    const timeline = new LiveTimeline();
    const sink = (unit: MediaUnit): void | Promise<void> => {
      unit.timestampUs = timeline.timeOf(unit.timestampUs, systemClock.nowUs() - startUs);
      return peers.send({ input, track: unit.track }, unit);
    };
    await (source.kind === 'ladder'
      ? runLadderInput(source.input, source.renditions, sink, signal)
      : runInput(source, context, sink));
  });
  const ended = Promise.all(inputs);
  try {
    // A reliable input may wait for a receiver that never reads on: the signal ends it with the connection.
    await (isReliable ? Promise.race([ended, aborted(signal)]) : ended);
  } catch (error) {
    control.abort();
    // The others must be silent before their tracks end. Reliable ones do not end: their connection is closed as it is,
    // which is what an input that waits for a slow receiver waits for.
    if (!isReliable) await Promise.allSettled(inputs);
    await peers.finish(true);
    throw error;
  }
  await peers.finish(signal.aborted);
}

/**
 * Files wait for the first receiver. So does stdin for a while, or its beginning would be lost while a call is set up;
 * then it is read whether anybody is there or not, as UDP is from the start.
 */
async function whenWanted(
  source: SendSource,
  options: CliOptions,
  peers: Peers,
  signal: AbortSignal,
): Promise<void> {
  if (source.kind === 'udp' || source.kind === 'rtp') return;
  const isLive = source.kind === 'stdio' && options.pace === undefined;
  const waitMs = options.timeout ?? TIMEOUT_MS;
  const patience = isLive ? [systemClock.waitUntil(systemClock.nowUs() + waitMs * 1000, signal)] : [];
  await Promise.race([peers.first, aborted(signal), ...patience]);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Tracks that are there before their media: all but those of `record`, whose numbers are in the pipe. */
function announcedTracks({ media, options }: SendPlan): TrackKey[] {
  return options.framing === 'record' ? [] : media.map((_, input) => ({ input, track: 0 }));
}

function trackOptions({ media, options }: SendPlan, key: TrackKey, latencyMs: number): TrackOptions {
  const record = options.framing === 'record' ? key.track : undefined;
  const label = labelOf(media[key.input]?.label ?? '', record);
  const kind = options.kind ?? kindOf(label);
  const metadata: Record<string, unknown> = {};
  if (label !== '') metadata.label = label;
  if (record !== undefined) metadata.record = record;
  return {
    kind,
    latency: latencyMs,
    metadata,
    delivery: options.delivery ?? 'asap',
    order: options.order ?? 'send',
  };
}

/** What a track is called where bitrates are told. */
function trackName({ media, options }: SendPlan, key: TrackKey): string {
  const record = options.framing === 'record' ? key.track : undefined;
  return nameOf(media[key.input]?.label ?? '', key.input, record);
}

/** What is sent may be slower or faster than rate control may begin. */
function startBitrate(bitrate: number | undefined): number | undefined {
  return bitrate === undefined ? undefined : Math.min(Math.max(bitrate, START_RATE.min), START_RATE.max);
}

/** Where rate control begins towards an unknown peer: at 4 Mbit/s where media is likely, at most at what there is. */
function usualStartBitrate({ media, options }: SendPlan): number | undefined {
  const { ladder } = options;
  if (ladder !== undefined)
    return Math.min(TEST_BITRATE_DEFAULT, ladder[ladder.length - 1]?.bitsPerSecond ?? 0);
  const isMedia = media.some(
    ({ kind }) => kind === 'test' || (options.framing !== 'raw' && (kind === 'file' || kind === 'stdio')),
  );
  return isMedia || options.framing === 'ts' ? TEST_BITRATE_DEFAULT : undefined;
}
