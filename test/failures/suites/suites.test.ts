/** The cases by which QUIC stacks, GNS and str0m are judged, where they have a meaning here. */
import { describe } from 'vitest';
import { checkCases } from '../check.ts';
import { SUITES } from './suites.ts';

describe('trusted suites', () => checkCases(SUITES));
