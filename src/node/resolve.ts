/** Host names to addresses. In: a name, or an address as it is written. Out: an address, or why there is none. */
import { lookup } from 'node:dns/promises';
import { TransportError } from '../base/errors.ts';

export interface ResolvedHost {
  readonly address: string;
  readonly family: 4 | 6;
}

/**
 * All addresses of a host, the system's favourite first (RFC 6724).
 *
 * @throws TransportError ERR_MILLRACE_UNKNOWN_HOST that tells a wrong name from a name service that cannot be reached.
 */
export async function resolveHost(host: string): Promise<readonly [ResolvedHost, ...ResolvedHost[]]> {
  try {
    const found = await lookup(host, { all: true, verbatim: true });
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })) as [ResolvedHost];
  } catch (cause) {
    throw new TransportError('ERR_MILLRACE_UNKNOWN_HOST', whyUnresolved(host, cause), { cause });
  }
}

/** What to tell a person whose look-up of `host` failed. */
export function whyUnresolved(host: string, cause: unknown): string {
  // The system's resolver says so when no server has answered, whatever the name.
  if ((cause as NodeJS.ErrnoException).code === 'EAI_AGAIN')
    return `the name service cannot be reached to look up ${host}; check the network and its DNS server`;
  return `the host name ${host} does not resolve`;
}
