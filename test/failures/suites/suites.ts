/** The suites that other transports trust, in the order of docs/failures.md. */
import type { FailureCase } from '../case.ts';
import { EXTREMES } from './extremes.ts';
import { HANDSHAKES } from './handshakes.ts';
import { INTEROP } from './interop.ts';
import { NETWORKS } from './networks.ts';
import { PACKETS } from './packets.ts';
import { RETRIES } from './retry.ts';

export const SUITES: readonly FailureCase[] = [
  ...INTEROP,
  ...RETRIES,
  ...HANDSHAKES,
  ...PACKETS,
  ...NETWORKS,
  ...EXTREMES,
];
