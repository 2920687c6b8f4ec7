/** What the media worker measures of one side, for the page, for tests and for the measurement. */
import type { Figures } from '../media-protocol.ts';

/** How one side does. Times in ms, rates in bits per second; totals count from the page's opening. */
export interface SideReport {
  readonly framesDecoded: number;
  readonly freezes: number;
  readonly freezeMs: number;
  readonly latencyMsP50: number;
  readonly latencyMsP95: number;
  /** Age of the picture on the screen, the largest since the last report; undefined before the first picture. */
  readonly latencyMs: number | undefined;
  /** From the page's opening to the first picture; undefined before. */
  readonly firstPictureMs: number | undefined;
  /** Time since the first picture. */
  readonly watchedMs: number;
  readonly targetBps: number;
  /** Bytes out of the encoder, video and audio. */
  readonly encodedBytes: number;
  /** Encoding pauses because earlier pictures have not left. */
  readonly isBehind: boolean;
  /** Of the program that sends. */
  readonly figures: Figures;
  /** What stands in the way, in words; empty when nothing does. */
  readonly status: string;
  /** Samples of sound decoded; none while nobody listens to this side. */
  readonly soundSamples: number;
}
