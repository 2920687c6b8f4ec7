/**
 * Keys of Initial packets, and the first look at a caller's first packet: only one that opens is worth a connection.
 * Source: docs/wire-format.md §2.1; RFC 9001 §5.2.
 */
import { copyBytes } from '../base/bytes.ts';
import type { CryptoProvider, PacketProtection } from '../crypto/protection.ts';
import type { PacketHeader } from '../wire/header.ts';

/** What one end seals and opens Initial packets with. */
export interface InitialKeys {
  readonly sealer: PacketProtection;
  readonly opener: PacketProtection;
}

/** The keys that follow from the client's first destination connection ID. */
export function initialKeys(crypto: CryptoProvider, originalId: Uint8Array, isServer: boolean): InitialKeys {
  const { client, server } = crypto.initialSecrets(originalId);
  return {
    sealer: crypto.protection(isServer ? server : client),
    opener: crypto.protection(isServer ? client : server),
  };
}

/** Server: true when the datagram begins with an Initial packet that opens. Opens in a copy. */
export function canOpenInitial(keys: InitialKeys, datagram: Uint8Array, header: PacketHeader): boolean {
  const copy = copyBytes(datagram, 0, header.end);
  return keys.opener.open(copy, 0, header.payloadStart, header.end, header.truncatedNumber);
}
