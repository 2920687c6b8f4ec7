/**
 * MEDIA and MILLRACE URIs, split by our own hand: `new URL('millrace://:9000')` throws, and a listener has no host.
 * In: text. Out: typed parts, or a {@link UsageError} that says how it is written. Grammar: docs/cli.md.
 */
import { UsageError } from './errors.ts';
import { isSecretName, withoutSecrets } from './redact.ts';

/** `millrace://host:port/resource?parameters`. */
export interface MillraceUri {
  /** Empty = every local address (listening). IPv6 without brackets. */
  readonly host: string;
  /** 0..65535; 0 only where it listens. */
  readonly port: number;
  /** The path without its first slash, decoded; at most 512 bytes. */
  readonly resource: string;
  readonly mode: 'listen' | 'call';
  /** The query without `mode`, decoded. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Where media comes from or goes to. `label` is what follows `#`. */
export type MediaUri =
  | { readonly kind: 'stdio'; readonly label: string }
  | { readonly kind: 'file'; readonly path: string; readonly label: string }
  | { readonly kind: 'test'; readonly parameters: ReadonlyMap<string, string>; readonly label: string }
  | {
      readonly kind: 'udp' | 'rtp';
      readonly host: string;
      readonly port: number;
      readonly parameters: ReadonlyMap<string, string>;
      readonly label: string;
    };

const RESOURCE_BYTES_MAX = 512;
const LABEL_LENGTH_MAX = 128;
const MILLRACE_FORM = 'write millrace://HOST:PORT/RESOURCE to call, millrace://:PORT/RESOURCE to listen';
const MEDIA_FORM = 'write - (stdin or stdout), udp://HOST:PORT, rtp://HOST:PORT, file:PATH or test:';

/** True when `text` is meant as the MILLRACE argument. */
export function isMillraceUri(text: string): boolean {
  return /^millrace:/i.test(text);
}

/** True when `text` has the form of a MEDIA: `-`, or one of its schemes. */
export function isMediaUri(text: string): boolean {
  return text === '-' || /^(?:file|test|udp|rtp):/i.test(text);
}

/** Splits the MILLRACE argument. */
export function parseMillraceUri(text: string): MillraceUri {
  const match = /^millrace:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?(#.*)?$/i.exec(text);
  if (match === null)
    throw new UsageError(`'${withoutSecrets(text)}' is not a millrace URI: ${MILLRACE_FORM}`);
  const [, authority = '', path = '', query = '', fragment] = match;
  if (fragment !== undefined)
    throw new UsageError(`'${withoutSecrets(text)}' has a #label: labels belong to MEDIA, not here`);
  if (authority.includes('@')) {
    throw new UsageError(
      `'${withoutSecrets(text)}' has credentials before the host: use --identity and --passphrase-file`,
    );
  }
  const { host, port } = parseAuthority(authority, text, MILLRACE_FORM);
  const parameters = parseQuery(query, text);
  const mode = parameters.get('mode') ?? (host === '' ? 'listen' : 'call');
  parameters.delete('mode');
  if (mode !== 'listen' && mode !== 'call') {
    throw new UsageError(`'${withoutSecrets(text)}': mode is listen or call`);
  }
  if (mode === 'call' && host === '')
    throw new UsageError(`'${withoutSecrets(text)}' calls nobody: put a host before the port`);
  if (mode === 'call' && port === 0)
    throw new UsageError(`'${withoutSecrets(text)}' calls port 0: name the listener's port`);
  const resource = decode(path.slice(1), text);
  if (Buffer.byteLength(resource) > RESOURCE_BYTES_MAX) {
    throw new UsageError(
      `the resource in '${withoutSecrets(text)}' is longer than ${RESOURCE_BYTES_MAX} bytes`,
    );
  }
  return { host, port, resource, mode, parameters };
}

/** Splits one MEDIA argument. */
export function parseMediaUri(text: string): MediaUri {
  const hash = text.lastIndexOf('#');
  const label = hash < 0 ? '' : decode(text.slice(hash + 1), text);
  if (label.length > LABEL_LENGTH_MAX)
    throw new UsageError(`the label of '${text}' is longer than ${LABEL_LENGTH_MAX}`);
  const body = hash < 0 ? text : text.slice(0, hash);
  if (body === '-') return { kind: 'stdio', label };
  const scheme = /^([a-z]+):/i.exec(body)?.[1]?.toLowerCase();
  const rest = body.slice((scheme?.length ?? -1) + 1);
  switch (scheme) {
    case 'file': {
      const path = decode(rest.replace(/^\/\/(?=\/)/, ''), text, true);
      if (path === '') throw new UsageError(`'${text}' names no file: write file:PATH`);
      return { kind: 'file', path, label };
    }
    case 'test': {
      const match = /^(?:\/\/)?(?:\?(.*))?$/.exec(rest);
      if (match === null)
        throw new UsageError(`'${text}' is not a test source: write test: or test:?duration=10s`);
      return { kind: 'test', parameters: parseQuery(match[1] ?? '', text), label };
    }
    case 'udp':
    case 'rtp': {
      const match = /^\/\/([^/?]*)\/?(?:\?(.*))?$/.exec(rest);
      if (match === null)
        throw new UsageError(`'${text}' is not a ${scheme} URI: write ${scheme}://HOST:PORT`);
      const { host, port } = parseAuthority((match[1] as string).replace(/^@/, ''), text, MEDIA_FORM);
      if (port === 0) throw new UsageError(`'${text}' has port 0: write a port of 1 to 65535`);
      return { kind: scheme, host, port, parameters: parseQuery(match[2] ?? '', text), label };
    }
    default:
      throw new UsageError(`'${withoutSecrets(text)}' is not a MEDIA: ${MEDIA_FORM}`);
  }
}

/** `host:port` as it is printed and written: IPv6 in brackets. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseAuthority(authority: string, text: string, form: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[^\]]+)?)\]|([^[\]:]*))(?::(\d*))?$/.exec(authority);
  if (match === null) {
    const hint = authority.split(':').length > 2 ? 'an IPv6 address needs brackets, as in [::1]:9000' : form;
    throw new UsageError(`'${withoutSecrets(text)}' has no readable host and port: ${hint}`);
  }
  const portText = match[3] ?? '';
  if (portText === '') throw new UsageError(`'${withoutSecrets(text)}' names no port: ${form}`);
  const port = Number(portText);
  if (port > 65_535) throw new UsageError(`'${withoutSecrets(text)}': port ${portText} is above 65535`);
  return { host: match[1] ?? match[2] ?? '', port };
}

function parseQuery(query: string, text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals), text);
    if (parameters.has(name)) {
      // What seems to be a name may be the rest of a passphrase with an `&` in it.
      const shown = [...parameters.keys()].some(isSecretName) ? 'a parameter' : `'${name}'`;
      throw new UsageError(`'${withoutSecrets(text)}' gives ${shown} twice`);
    }
    parameters.set(name, equals < 0 ? '' : decode(part.slice(equals + 1), text));
  }
  return parameters;
}

function decode(part: string, text: string, isLenient = false): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A file may well be called `100%.ts`.
    if (isLenient) return part;
    throw new UsageError(
      `'${withoutSecrets(text)}' has a % that no two hex digits follow: write %25 for a percent sign`,
    );
  }
}
