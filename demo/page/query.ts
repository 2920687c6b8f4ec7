/** The page's state in its address, so that a link shows the same thing. In: a query. Out: settings, and back. */
import { type PathSettings, parseSettings } from '../network/settings.ts';

export type SourceName = 'canvas' | 'camera' | 'clip';

const NAMES: readonly (readonly [string, keyof PathSettings])[] = [
  ['loss', 'lossRatio'],
  ['burst', 'burst'],
  ['rtt', 'rttMs'],
  ['jitter', 'jitterMs'],
  ['capacity', 'capacityBps'],
];

/** What the query sets; everything else stays as in `before`. */
export function settingsFrom(query: URLSearchParams, before: PathSettings): PathSettings {
  const given: Record<string, number> = {};
  for (const [name, setting] of NAMES) {
    const text = query.get(name);
    if (text !== null && text !== '') given[setting] = Number(text);
  }
  return parseSettings(given, before);
}

export function sourceFrom(query: URLSearchParams): SourceName {
  const source = query.get('source');
  return source === 'camera' || source === 'clip' ? source : 'canvas';
}

/** The same query with these settings. */
export function withSettings(query: URLSearchParams, settings: PathSettings): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const [name, setting] of NAMES) next.set(name, String(Number(settings[setting].toPrecision(4))));
  return next;
}

/** `size=640x360`, `fps=30`, `codec=vp8|h264`. */
export function pictureFrom(query: URLSearchParams): {
  width: number;
  height: number;
  framesPerSecond: number;
  codec: 'vp8' | 'h264';
} {
  const size = /^(\d{2,4})x(\d{2,4})$/.exec(query.get('size') ?? '');
  const fps = Number(query.get('fps'));
  return {
    width: size === null ? 640 : Number(size[1]),
    height: size === null ? 360 : Number(size[2]),
    framesPerSecond: fps >= 1 && fps <= 60 ? fps : 30,
    codec: query.get('codec') === 'h264' ? 'h264' : 'vp8',
  };
}
