/** What the page and the server of the demo say to one another over `/control`: JSON, one object a message. */
import type { PathSettings } from './network/settings.ts';

/** What one path has carried in the media direction, cumulative; bytes with IP headers. */
export interface PathCounters {
  readonly packets: number;
  readonly bytes: number;
  /** Lost by chance, in a blackout, and by a full queue. */
  readonly lost: number;
}

export type FromPage =
  | { readonly type: 'open'; readonly takesOver: boolean }
  | { readonly type: 'settings'; readonly settings: PathSettings }
  | { readonly type: 'blackout' }
  | { readonly type: 'rebind' };

export type ToPage =
  /** The page may begin. */
  | {
      readonly type: 'welcome';
      readonly description: string;
      readonly latencyMs: number;
      readonly settings: PathSettings;
    }
  /** Another page is open; `open` with `takesOver` ends it. */
  | { readonly type: 'busy' }
  /** Another page took over: this one ends. */
  | { readonly type: 'replaced' }
  | { readonly type: 'paths'; readonly tcp: PathCounters; readonly millrace: PathCounters }
  | { readonly type: 'problem'; readonly text: string };

/** How long the blackout button's blackout lasts, ms. */
export const BLACKOUT_MS = 2_000;
