/** Crowds and floods at one listener: what they cost it, and what an established call feels. */
import { describe } from 'vitest';
import { checkCases } from './check.ts';
import { crowds } from './f16-crowds.ts';
import { greedyPeers } from './greedy-peers.ts';

describe('crowds', () => checkCases(crowds));
describe('greedy peers', () => checkCases(greedyPeers));
