/** What `connect` calls: a `millrace://` URI in code, taken apart and checked. */

/** Parts of a URI; the query's options are those of `connect`. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Names what is wanted; at most 512 bytes. Default empty. */
  readonly resource?: string | undefined;
}

/** A target with the options that its query gave. */
export interface ParsedTarget extends Target {
  readonly resource: string;
  readonly passphrase?: string;
  readonly identity?: string;
  readonly pin?: string;
  readonly servername?: string;
  readonly latency?: number;
  readonly startBitrate?: number;
  readonly timeout?: number;
  readonly idleTimeout?: number;
  readonly keepAlive?: number;
}

const TEXTS = ['passphrase', 'identity', 'pin', 'servername'] as const;
const NUMBERS = ['latency', 'startBitrate', 'timeout', 'idleTimeout', 'keepAlive'] as const;
const RESOURCE_BYTES_MAX = 512;
const SCALE: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 };

/** @throws TypeError with the form that is expected. The message never repeats secrets. */
export function parseTarget(target: string | Target): ParsedTarget {
  if (typeof target !== 'string') return checked({ ...target, resource: target.resource ?? '' });
  let url: URL;
  try {
    url = new URL(target);
  } catch {
    throw new TypeError('not a URI: write millrace://HOST:PORT/RESOURCE');
  }
  if (url.protocol !== 'millrace:')
    throw new TypeError(`the scheme is ${url.protocol} but must be millrace:`);
  const parsed: Record<string, unknown> = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port),
    resource: decoded(url.pathname.replace(/^\//, '')),
  };
  for (const [given, value] of url.searchParams) {
    // `start-bitrate`, as on the command line, is `startBitrate`.
    const name = given.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());
    if ((TEXTS as readonly string[]).includes(name)) parsed[name] = value;
    else if ((NUMBERS as readonly string[]).includes(name)) parsed[name] = parseNumber(name, value);
    else
      throw new TypeError(
        `the URI has an unknown parameter '${name}'; known are ${[...TEXTS, ...NUMBERS].join(', ')}`,
      );
  }
  return checked(parsed as unknown as ParsedTarget);
}

/** The resource as it was meant. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new TypeError(`the resource has a % that begins no UTF-8 escape; write %25 for a % of its own`);
  }
}

function checked(target: ParsedTarget): ParsedTarget {
  const { host, port, resource } = target;
  if (typeof host !== 'string' || host === '')
    throw new TypeError('whom to call? write millrace://HOST:PORT/RESOURCE');
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new TypeError('which port? write millrace://HOST:PORT');
  if (Buffer.byteLength(resource) > RESOURCE_BYTES_MAX) {
    throw new RangeError(`the resource is longer than ${RESOURCE_BYTES_MAX} bytes`);
  }
  return target;
}

/** `120`, `120ms`, `5s` (times) or `4M` (rates). */
function parseNumber(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|k|M|G)?$/.exec(text);
  if (match === null) throw new TypeError(`${name}=${text} in the URI is no number`);
  const unit = match[2] ?? '';
  if (name === 'startBitrate') return Number(match[1]) * (SCALE[unit] ?? Number.NaN);
  return Number(match[1]) * (unit === 's' ? 1000 : 1);
}
