/** Starts the media worker with the canvases of the page. In: sides and picture. Out: the worker; what it says. */
import type { FromWorker, SideAddresses, SourceOptions, ToWorker } from './messages.ts';

export function startWorker(
  sides: readonly SideAddresses[],
  source: SourceOptions,
  onMessage: (message: FromWorker) => void,
): Worker {
  const worker = new Worker('worker.js', { type: 'module', name: 'media' });
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => onMessage(data);
  const canvases: Record<string, OffscreenCanvas> = {};
  for (const { name } of sides) {
    const canvas = document.querySelector(`canvas[data-side="${name}"]`) as HTMLCanvasElement;
    // A preview is drawn in the picture's own size; a player sets the size of what it shows.
    canvas.width = source.width;
    canvas.height = source.height;
    canvases[name] = canvas.transferControlToOffscreen();
  }
  const start: ToWorker = { type: 'start', sides, canvases, source, openedAtMs: performance.timeOrigin };
  worker.postMessage(start, Object.values(canvases));
  return worker;
}
