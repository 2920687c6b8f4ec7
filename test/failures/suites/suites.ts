/** The suites that other transports trust, in the order of docs/failures.md. */
import type { FailureCase } from '../case.ts';
import { HANDSHAKES } from './handshakes.ts';
import { INTEROP } from './interop.ts';

export const SUITES: readonly FailureCase[] = [...INTEROP, ...HANDSHAKES];
