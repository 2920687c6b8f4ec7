/** What the page and its media worker say to one another with `postMessage`. */
import type { SideReport } from './side-report.ts';

/** One side of the comparison: where its encoder's chunks go, and where its player's come from. */
export interface SideAddresses {
  readonly name: string;
  /** WebSocket addresses; undefined where this page has no such end. */
  readonly sender: string | undefined;
  readonly receiver: string | undefined;
}

export interface SourceOptions {
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  readonly codec: 'vp8' | 'h264';
}

export type ToWorker =
  | {
      readonly type: 'start';
      readonly sides: readonly SideAddresses[];
      /** Where each side's pictures are drawn, by its name. */
      readonly canvases: Readonly<Record<string, OffscreenCanvas>>;
      readonly source: SourceOptions;
      /** When the page was opened, on the clock of `performance` counted from 1970, ms. */
      readonly openedAtMs: number;
    }
  /** The camera's pictures, instead of the test picture; undefined goes back. */
  | { readonly type: 'camera'; readonly pictures: ReadableStream<VideoFrame> | undefined }
  /** Whose sound is wanted. */
  | { readonly type: 'listen'; readonly side: string | undefined }
  | { readonly type: 'stop' };

export type FromWorker =
  | {
      readonly type: 'report';
      readonly sides: Readonly<Record<string, SideReport>>;
      /** Of the source now: fewer than asked for where the machine is too slow. */
      readonly picturesPerSecond: number;
      /** What the encoders make, in WebCodecs' words. */
      readonly codec: string;
    }
  | {
      readonly type: 'sound';
      readonly samples: Float32Array<ArrayBuffer>;
      readonly sampleRate: number;
      /** Of the first sample, on the encoder's clock. */
      readonly timestampUs: number;
    }
  /** The camera was pulled out. */
  | { readonly type: 'cameraEnded' }
  | { readonly type: 'failed'; readonly text: string };
