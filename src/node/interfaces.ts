/**
 * Notices that an address of this machine is gone: its network was left, a cable pulled. No system tells a UDP socket so.
 * In: the address that a socket sends from. Out: true once it is no address of any interface.
 */
import { networkInterfaces } from 'node:os';

/** How often a caller looks: it costs some 50 us. A connection with traffic notices sooner, by silence. */
export const INTERFACE_POLL_MS = 1000;

/** True when no interface has this address any more. Addresses of the machine itself are never gone. */
export function isAddressGone(host: string): boolean {
  const address = withoutZone(host);
  if (address === '' || address.startsWith('127.') || address === '::1') return false;
  let interfaces: ReturnType<typeof networkInterfaces>;
  try {
    interfaces = networkInterfaces();
  } catch {
    // The system does not tell, for want of a file descriptor for instance: silence tells then.
    return false;
  }
  for (const list of Object.values(interfaces)) {
    for (const entry of list ?? []) if (withoutZone(entry.address) === address) return false;
  }
  return true;
}

function withoutZone(host: string): string {
  const zone = host.indexOf('%');
  return zone < 0 ? host : host.slice(0, zone);
}
