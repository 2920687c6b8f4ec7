/** Every failure case there is: the field's rows, then the suites. */
import type { FailureCase } from './case.ts';
import { crowds } from './f16-crowds.ts';
import { FIELD } from './field.ts';
import { greedyPeers } from './greedy-peers.ts';
import { SUITES } from './suites/suites.ts';

export const ALL: readonly FailureCase[] = [...FIELD, ...crowds, ...greedyPeers, ...SUITES];
