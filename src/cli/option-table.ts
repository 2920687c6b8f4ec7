/** Every option of `send` and `receive` in one table. Order is that of the help. Source: docs/cli.md. */
import { parseLadder } from './ladder-spec.ts';
import {
  type CliOptions,
  type Command,
  FRAMINGS,
  KINDS,
  parseBitrateTarget,
  parseInject,
  parsePin,
  parseStatsTarget,
} from './option-values.ts';
import { parseChoice, parseInteger, parseRate, parseTime, START_RATE } from './units.ts';

/** One option: how it is written, read and explained. */
export interface OptionSpec {
  readonly name: string;
  /** What stands for the value in the help; absent = a switch. */
  readonly value?: string;
  readonly commands: readonly Command[];
  readonly group: 'Media' | 'Connection' | 'Credentials' | 'Statistics' | 'Advanced';
  readonly help: string;
  /** May also be given as a parameter of the MILLRACE URI. */
  readonly inUri?: true;
  readonly set: (options: CliOptions, text: string) => void;
}

const BOTH: readonly Command[] = ['send', 'receive'];
const ALL: readonly Command[] = ['send', 'receive', 'doctor'];

/** The table. */
export const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'latency',
    value: 'TIME',
    commands: BOTH,
    group: 'Media',
    inUri: true,
    help: 'recovery budget on top of the one-way delay; the larger of both ends wins (default 120ms)',
    set: (o, text) => {
      o.latency = parseTime(text, 'latency', 1, 60_000);
    },
  },
  {
    name: 'framing',
    value: 'ts|u32|record|raw',
    commands: BOTH,
    group: 'Media',
    help: 'how media frames are cut from, and written to, a byte stream (default: ts if it looks like MPEG-TS, else raw)',
    set: (o, text) => {
      o.framing = parseChoice(text, '--framing', FRAMINGS);
    },
  },
  {
    name: 'bitrate',
    value: 'RATE',
    commands: ['send'],
    group: 'Media',
    help: 'send a file at this rate instead of by its PCR; rate of test:; where the connection starts',
    set: (o, text) => {
      o.bitrate = parseRate(text, '--bitrate');
    },
  },
  {
    name: 'pace',
    value: 'real|off',
    commands: ['send'],
    group: 'Media',
    help: 'real: in real time (default for file:). off: as fast as the path takes it, on a reliable ordered track',
    set: (o, text) => {
      o.pace = parseChoice(text, '--pace', ['real', 'off'] as const);
    },
  },
  {
    name: 'ladder',
    value: '1080p:4M,540p:1.5M',
    commands: ['send'],
    group: 'Media',
    help: 'encode the input with ffmpeg into these renditions (lines, rate), and send the one that fits',
    set: (o, text) => {
      o.ladder = parseLadder(text);
    },
  },
  {
    name: 'on-bitrate',
    value: 'CMD|fd:N|URL',
    commands: ['send'],
    group: 'Media',
    help: 'tell an encoder what fits: a JSON line per change, to the stdin of CMD, to fd:N, or as POST to http://...',
    set: (o, text) => {
      o.onBitrate = parseBitrateTarget(text);
    },
  },
  {
    name: 'kind',
    value: 'video|audio|data',
    commands: ['send'],
    group: 'Media',
    help: 'kind of the tracks (default: what the label begins with, else video)',
    set: (o, text) => {
      o.kind = parseChoice(text, '--kind', KINDS);
    },
  },
  {
    name: 'delivery',
    value: 'asap|timed',
    commands: BOTH,
    group: 'Media',
    inUri: true,
    help: 'give media frames out at once, or smoothly at their times (default: timed to udp: and rtp:, else asap)',
    set: (o, text) => {
      o.delivery = parseChoice(text, 'delivery', ['asap', 'timed'] as const);
    },
  },
  {
    name: 'order',
    value: 'send|none',
    commands: ['send'],
    group: 'Media',
    inUri: true,
    help: 'none: a complete media frame never waits for an earlier one (default send)',
    set: (o, text) => {
      o.order = parseChoice(text, 'order', ['send', 'none'] as const);
    },
  },
  {
    name: 'track',
    value: 'LABEL',
    commands: ['receive'],
    group: 'Media',
    help: 'which track to write when there are several (default the first; --framing record writes all)',
    set: (o, text) => {
      o.track = text;
    },
  },
  {
    name: 'start-bitrate',
    value: 'RATE',
    commands: ALL,
    group: 'Connection',
    inUri: true,
    help: 'where rate control begins (default 4M for test:, ts, u32 and record, else 500k)',
    set: (o, text) => {
      o.startBitrate = parseRate(text, 'start-bitrate', START_RATE);
    },
  },
  {
    name: 'timeout',
    value: 'TIME',
    commands: ALL,
    group: 'Connection',
    inUri: true,
    help: 'give up calling after this time (default 5s)',
    set: (o, text) => {
      o.timeout = parseTime(text, 'timeout', 1, 600_000);
    },
  },
  {
    name: 'reconnect',
    commands: BOTH,
    group: 'Connection',
    help: 'a caller calls again, with growing pauses, when the connection fails',
    set: (o) => {
      o.reconnect = true;
    },
  },
  {
    name: 'max-peers',
    value: 'N',
    commands: ['send'],
    group: 'Connection',
    inUri: true,
    help: 'a listening sender serves at most N callers at once (default 32)',
    set: (o, text) => {
      o.maxPeers = parseInteger(text, 'max-peers', 1, 1000);
    },
  },
  {
    name: 'no-doctor',
    commands: BOTH,
    group: 'Connection',
    help: 'a listener refuses millrace doctor (by default it answers whoever has the credentials)',
    set: (o) => {
      o.doctor = false;
    },
  },
  {
    name: 'duration',
    value: 'TIME',
    commands: ['doctor'],
    group: 'Connection',
    help: 'how long each measurement takes, at most 5s (default 3s)',
    set: (o, text) => {
      o.duration = parseTime(text, '--duration', 100, 5_000);
    },
  },
  {
    name: 'json',
    commands: ['doctor'],
    group: 'Statistics',
    help: 'one JSON object instead of words',
    set: (o) => {
      o.json = true;
    },
  },
  {
    name: 'passphrase',
    value: 'TEXT',
    commands: ALL,
    group: 'Credentials',
    inUri: true,
    help: '10 to 79 characters, the same on both sides; others can see it in the process list',
    set: (o, text) => {
      o.passphrase = text;
    },
  },
  {
    name: 'passphrase-file',
    value: 'PATH',
    commands: ALL,
    group: 'Credentials',
    help: 'read it from the first line of a file; or set MILLRACE_PASSPHRASE',
    set: (o, text) => {
      o.passphraseFile = text;
    },
  },
  {
    name: 'identity',
    value: 'NAME',
    commands: ALL,
    group: 'Credentials',
    inUri: true,
    help: 'who calls, for listeners that tell callers apart',
    set: (o, text) => {
      o.identity = text;
    },
  },
  {
    name: 'cert',
    value: 'PATH',
    commands: ALL,
    group: 'Credentials',
    help: 'own certificate chain (PEM), with --key: for a listener, or a caller whom the listener asks',
    set: (o, text) => {
      o.cert = text;
    },
  },
  {
    name: 'key',
    value: 'PATH',
    commands: ALL,
    group: 'Credentials',
    help: 'private key of --cert (PEM)',
    set: (o, text) => {
      o.key = text;
    },
  },
  {
    name: 'ca',
    value: 'PATH',
    commands: ALL,
    group: 'Credentials',
    help: 'certificates to trust (PEM) instead of the system ones',
    set: (o, text) => {
      o.ca = text;
    },
  },
  {
    name: 'pin',
    value: 'sha256:HEX',
    commands: ALL,
    group: 'Credentials',
    inUri: true,
    help: "trust exactly the listener's certificate with this fingerprint",
    set: (o, text) => {
      o.pin = parsePin(text);
    },
  },
  {
    name: 'servername',
    value: 'NAME',
    commands: ALL,
    group: 'Credentials',
    inUri: true,
    help: 'name to expect in the certificate (default the host)',
    set: (o, text) => {
      o.servername = text;
    },
  },
  {
    name: 'request-cert',
    commands: BOTH,
    group: 'Credentials',
    help: 'a listener demands a certificate that --ca signed',
    set: (o) => {
      o.requestCert = true;
    },
  },
  {
    name: 'stats',
    value: 'TIME',
    commands: BOTH,
    group: 'Statistics',
    help: 'a line for people on stderr, this often',
    set: (o, text) => {
      o.stats = parseTime(text, '--stats', 10, 3_600_000);
    },
  },
  {
    name: 'stats-json',
    value: 'stderr|fd:N|file:PATH',
    commands: BOTH,
    group: 'Statistics',
    help: 'one JSON object a line, as often as --stats says (default 1s), the last with "final":true',
    set: (o, text) => {
      o.statsJson = parseStatsTarget(text);
    },
  },
  {
    name: 'inject',
    value: 'loss=5%,...',
    commands: ALL,
    group: 'Advanced',
    help: 'for tests: loss=, reorder=, duplicate= (shares), seed=, as datagrams leave: give it at both ends',
    set: (o, text) => {
      o.inject = parseInject(text);
    },
  },
  {
    name: 'help',
    commands: ALL,
    group: 'Advanced',
    help: 'this text',
    set: (o) => {
      o.help = true;
    },
  },
];
