/**
 * Who we are and whom we trust: from options, the URI, files and the environment. In: what the user gave. Out: the
 * credential options of `listen` and `connect`, or a {@link UsageError} that names the ways.
 */
import { readFileSync } from 'node:fs';
import { ioError, UsageError } from './errors.ts';
import type { CliOptions } from './option-values.ts';
import type { MillraceUri } from './uri.ts';

/** Credentials as the library takes them. */
export interface Credentials {
  readonly passphrase?: string;
  readonly identity?: string;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly ca?: Buffer;
  readonly pin?: string;
  readonly servername?: string;
  readonly requestCert?: boolean;
}

const PASSPHRASE_MIN = 10;
const PASSPHRASE_MAX = 79;
const WAYS =
  'give --passphrase-file PATH, set MILLRACE_PASSPHRASE (millrace keygen makes one), or give --cert PATH --key PATH';

/** Reads them. The command line wins over a file, a file over the environment. */
export function readCredentials(
  uri: MillraceUri,
  options: CliOptions,
  env: Readonly<Record<string, string | undefined>>,
): Credentials {
  const isListener = uri.mode === 'listen';
  if ((options.cert === undefined) !== (options.key === undefined)) {
    throw new UsageError('--cert and --key belong together: give both');
  }
  const isCertificate = options.cert !== undefined || options.pin !== undefined || options.ca !== undefined;
  // A passphrase that merely lies in the environment does not contradict a certificate on the command line.
  const passphrase = readPassphrase(options, isCertificate ? {} : env);
  if (passphrase !== undefined && isCertificate) {
    throw new UsageError('a passphrase and certificates exclude each other: give one of them');
  }
  if (isListener && passphrase === undefined && options.cert === undefined) {
    throw new UsageError(`a listener needs a passphrase or a certificate: ${WAYS}`);
  }
  if (isListener && options.pin !== undefined)
    throw new UsageError('--pin is for callers: a listener uses --ca');
  if (options.requestCert === true && (!isListener || options.ca === undefined)) {
    throw new UsageError('--request-cert is for listeners, with the --ca that signs the callers');
  }
  return {
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(options.identity === undefined ? {} : { identity: options.identity }),
    ...(options.cert === undefined ? {} : { cert: readFile('--cert', options.cert) }),
    ...(options.key === undefined ? {} : { key: readFile('--key', options.key) }),
    ...(options.ca === undefined ? {} : { ca: readFile('--ca', options.ca) }),
    ...(options.pin === undefined ? {} : { pin: options.pin }),
    ...(options.servername === undefined ? {} : { servername: options.servername }),
    ...(options.requestCert === undefined ? {} : { requestCert: options.requestCert }),
  };
}

function readPassphrase(
  options: CliOptions,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  let passphrase = options.passphrase;
  let source = '--passphrase';
  if (passphrase === undefined && options.passphraseFile !== undefined) {
    source = `--passphrase-file ${options.passphraseFile}`;
    passphrase =
      readFile('--passphrase-file', options.passphraseFile).toString('utf8').split(/\r?\n/, 1)[0] ?? '';
  }
  if (passphrase === undefined && env.MILLRACE_PASSPHRASE) {
    source = 'MILLRACE_PASSPHRASE';
    passphrase = env.MILLRACE_PASSPHRASE;
  }
  if (passphrase === undefined) return undefined;
  const length = [...passphrase].length;
  if (length < PASSPHRASE_MIN || length > PASSPHRASE_MAX) {
    throw new UsageError(
      `the passphrase (${source}) has ${length} characters: use ${PASSPHRASE_MIN} to ${PASSPHRASE_MAX}`,
    );
  }
  return passphrase;
}

function readFile(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw ioError(`${option} ${path}`, error);
  }
}
