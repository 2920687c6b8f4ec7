/** Why and how a connection is ended, as applications say it, checked. Source: docs/api.md. */

/** Why and how `close` ends a connection. */
export interface CloseInfo {
  /** The application's own code, 0..2^53-1; 0 is a clean end. */
  readonly closeCode?: number;
  /** For people; at most 256 bytes of UTF-8 travel. */
  readonly reason?: string;
}

/** @throws RangeError, TypeError for a code that does not travel, or a reason that is no text. */
export function checkCloseInfo({ closeCode = 0, reason = '' }: CloseInfo): Required<CloseInfo> {
  if (!Number.isSafeInteger(closeCode) || closeCode < 0) {
    throw new RangeError('a close code is an integer from 0 to 2^53-1');
  }
  if (typeof reason !== 'string') throw new TypeError('the reason of a close is text');
  return { closeCode, reason };
}
