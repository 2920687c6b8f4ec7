/** The rows of the table of field failures, in its order. */
import type { FailureCase } from './case.ts';
import { headOfLine } from './f01-head-of-line.ts';
import { boundedResend } from './f02-bounded-resend.ts';
import { outages } from './f03-outage.ts';
import { verdicts } from './f04-verdicts.ts';
import { slowReaders } from './f05-slow-reader.ts';
import { feedback } from './f07-feedback.ts';
import { closes } from './f09-close.ts';
import { attackers } from './f10-attackers.ts';
import { timers } from './f12-timers.ts';
import { halfCloses } from './f14-half-close.ts';
import { PATHS } from './f15-paths.ts';
import { product } from './f17-product.ts';

export const FIELD: readonly FailureCase[] = [
  ...headOfLine,
  ...boundedResend,
  ...outages,
  ...verdicts,
  ...slowReaders,
  ...feedback,
  ...closes,
  ...attackers,
  ...timers,
  ...halfCloses,
  ...PATHS,
  ...product,
];
