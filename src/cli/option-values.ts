/**
 * What options hold, and how the unusual ones are read. In: the text after an option. Out: typed values, or a
 * {@link UsageError}.
 */
import { UsageError } from './errors.ts';
import type { RenditionSpec } from './ladder-spec.ts';
import { parseInteger, parseRatio } from './units.ts';

export type Command = 'send' | 'receive' | 'doctor';
export const FRAMINGS = ['ts', 'u32', 'record', 'raw'] as const;
export type Framing = (typeof FRAMINGS)[number];
export const KINDS = ['video', 'audio', 'data'] as const;

/** Where the JSON lines go. */
export type StatsTarget =
  | { readonly kind: 'stderr' }
  | { readonly kind: 'fd'; readonly fd: number }
  | { readonly kind: 'file'; readonly path: string };

/** Who hears what bitrate fits. */
export type BitrateTarget =
  | { readonly kind: 'command'; readonly command: string }
  | { readonly kind: 'fd'; readonly fd: number }
  | { readonly kind: 'http'; readonly url: string };

/** Faults that `--inject` adds to datagrams as they leave the socket. Shares 0..1. */
export interface InjectedFaults {
  lossRatio?: number;
  reorderRatio?: number;
  duplicateRatio?: number;
  seed?: number;
}

/** What the user asked for; undefined = not said. Times in ms, rates in bit/s. */
export interface CliOptions {
  latency?: number;
  framing?: Framing;
  kind?: (typeof KINDS)[number];
  delivery?: 'asap' | 'timed';
  order?: 'send' | 'none';
  bitrate?: number;
  pace?: 'real' | 'off';
  ladder?: readonly RenditionSpec[];
  onBitrate?: BitrateTarget;
  track?: string;
  startBitrate?: number;
  passphrase?: string;
  passphraseFile?: string;
  identity?: string;
  cert?: string;
  key?: string;
  ca?: string;
  pin?: string;
  servername?: string;
  requestCert?: boolean;
  timeout?: number;
  reconnect?: boolean;
  maxPeers?: number;
  doctor?: boolean;
  duration?: number;
  json?: boolean;
  stats?: number;
  statsJson?: StatsTarget;
  inject?: InjectedFaults;
  help?: boolean;
}

export function parsePin(text: string): string {
  const hex = /^sha256:([0-9a-f]{64}|(?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(text)?.[1];
  if (hex === undefined)
    throw new UsageError(`pin '${text}' is not a fingerprint: write sha256: and 64 hex digits`);
  return `sha256:${hex.replaceAll(':', '').toLowerCase()}`;
}

export function parseStatsTarget(text: string): StatsTarget {
  if (text === 'stderr') return { kind: 'stderr' };
  if (text.startsWith('fd:'))
    return { kind: 'fd', fd: parseInteger(text.slice(3), '--stats-json fd', 2, 1023) };
  if (text.startsWith('file:') && text.length > 5) return { kind: 'file', path: text.slice(5) };
  throw new UsageError(`--stats-json '${text}' is not a place: write stderr, fd:N or file:PATH`);
}

/** `fd:N`, an HTTP address, or else a command for the shell. */
export function parseBitrateTarget(text: string): BitrateTarget {
  if (/^fd:/.test(text)) return { kind: 'fd', fd: parseInteger(text.slice(3), '--on-bitrate fd', 1, 1023) };
  if (!/^https?:/i.test(text)) {
    if (text.trim() === '')
      throw new UsageError('--on-bitrate is empty: write a command, fd:N or http://...');
    return { kind: 'command', command: text };
  }
  if (!URL.canParse(text))
    throw new UsageError('--on-bitrate has an address that is none: write http://HOST:PORT/PATH');
  return { kind: 'http', url: text };
}

export function parseInject(text: string): InjectedFaults {
  const faults: InjectedFaults = {};
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=');
    if (name === 'loss') faults.lossRatio = parseRatio(value, 'loss');
    else if (name === 'reorder') faults.reorderRatio = parseRatio(value, 'reorder');
    else if (name === 'duplicate') faults.duplicateRatio = parseRatio(value, 'duplicate');
    else if (name === 'seed') faults.seed = parseInteger(value, 'seed', 0, Number.MAX_SAFE_INTEGER);
    else throw new UsageError(`--inject has no '${name}': write loss=5%,reorder=2%,duplicate=1%,seed=7`);
  }
  return faults;
}
