/** Every field failure that this project exists to end (docs/failures.md), in virtual time. */
import { describe } from 'vitest';
import { checkCases } from './check.ts';
import { FIELD } from './field.ts';

describe('field failures', () => checkCases(FIELD));
