/**
 * The Retry packet: a listener under load asks a caller to prove its address before anything is kept of it. In: fields.
 * Out: bytes, and back. Source: RFC 9000 §17.2.5; docs/wire-format.md §1.4.
 */
import { concatBytes, copyBytes, equalBytes, Writer } from '../base/bytes.ts';
import { CONNECTION_ID_BYTES_MAX, hasInvariantHeader, VERSION } from './header.ts';

const RETRY = 0xf0;
const TAG_BYTES = 16;
/** A longer token is none of ours, and would crowd out what the next packet must carry. */
export const TOKEN_BYTES_MAX = 256;
/** "millrace/1 retry" in ASCII. */
const LABEL: Uint8Array = Uint8Array.from('millrace/1 retry', (letter) => letter.charCodeAt(0));

/** SHA-256. */
type Hash = (bytes: Uint8Array) => Uint8Array;

/** True if a long header of our version is a Retry packet. */
export function isRetry(datagram: Uint8Array): boolean {
  return datagram[0] === RETRY;
}

/**
 * A Retry packet. Connection IDs as in the packet that it answers, with their places exchanged: whoever did not see that
 * one cannot know them.
 */
export function writeRetry(
  sha256: Hash,
  callerId: Uint8Array,
  originalId: Uint8Array,
  token: Uint8Array,
): Uint8Array {
  const out = new Uint8Array(7 + callerId.length + originalId.length + token.length + TAG_BYTES);
  const writer = new Writer().reset(out);
  writer.u8(RETRY);
  writer.u32(VERSION);
  writer.u8(callerId.length);
  writer.copy(callerId);
  writer.u8(originalId.length);
  writer.copy(originalId);
  writer.copy(token);
  writer.copy(tagOf(sha256, out.subarray(0, writer.at)));
  return out;
}

/** The token of a Retry packet that answers this call, undamaged; else undefined. */
export function readRetry(
  sha256: Hash,
  datagram: Uint8Array,
  callerId: Uint8Array,
  originalId: Uint8Array,
): Uint8Array | undefined {
  if (!hasInvariantHeader(datagram)) return undefined;
  const dcidEnd = 6 + (datagram[5] as number);
  const scidEnd = dcidEnd + 1 + (datagram[dcidEnd] as number);
  if (dcidEnd - 6 > CONNECTION_ID_BYTES_MAX || scidEnd - dcidEnd - 1 > CONNECTION_ID_BYTES_MAX)
    return undefined;
  const tagAt = datagram.length - TAG_BYTES;
  if (tagAt <= scidEnd || tagAt - scidEnd > TOKEN_BYTES_MAX) return undefined;
  if (!equalBytes(datagram.subarray(6, dcidEnd), callerId)) return undefined;
  if (!equalBytes(datagram.subarray(dcidEnd + 1, scidEnd), originalId)) return undefined;
  if (!equalBytes(datagram.subarray(tagAt), tagOf(sha256, datagram.subarray(0, tagAt)))) return undefined;
  return copyBytes(datagram, scidEnd, tagAt);
}

function tagOf(sha256: Hash, packet: Uint8Array): Uint8Array {
  return sha256(concatBytes([LABEL, packet])).slice(0, TAG_BYTES);
}
