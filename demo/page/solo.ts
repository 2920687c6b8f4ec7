/**
 * The page of a sender or a receiver on its own, between two machines: one picture, and a line that says how it goes.
 * In: the role. Out: the source and its preview, or the player.
 */
import { openCamera } from './camera.ts';
import type { FromWorker } from './messages.ts';
import { pictureFrom, sourceFrom } from './query.ts';
import { rate } from './sentence.ts';
import type { SideReport } from './side-report.ts';
import { startWorker } from './start-worker.ts';

const SIDE = 'millrace';

export function playSolo(role: 'send' | 'receive', query: URLSearchParams, hasCodecs: boolean): void {
  const sentence = document.getElementById('sentence') as HTMLElement;
  const heading = role === 'send' ? 'What this machine sends' : 'What this machine receives';
  (document.querySelector('h1') as HTMLElement).textContent = `${heading}, over millrace`;
  const source = document.getElementById('source') as HTMLSelectElement;
  if (!hasCodecs) {
    sentence.textContent =
      'This page has no WebCodecs: open it on the machine itself (127.0.0.1), in a recent browser.';
    return;
  }
  const address = new URL('media', location.href.replace(/^http/, 'ws').split('?')[0]).href;
  let last: SideReport | undefined;
  const say = (message: FromWorker): void => {
    if (message.type === 'failed') sentence.textContent = `${message.text}.`;
    if (message.type !== 'report') return;
    const report = message.sides[SIDE];
    if (report === undefined) return;
    sentence.textContent = report.status || (role === 'send' ? sending(report) : playing(report, last));
    last = report;
  };
  const sides = [
    {
      name: SIDE,
      sender: role === 'send' ? address : undefined,
      receiver: role === 'receive' ? address : undefined,
    },
  ];
  const picture = pictureFrom(query);
  const worker = startWorker(sides, picture, say);
  if (role === 'receive') return;
  const useSource = async (): Promise<void> => {
    if (source.value !== 'camera') {
      worker.postMessage({ type: 'camera', pictures: undefined });
      return;
    }
    try {
      const pictures = await openCamera(picture.width, picture.height);
      worker.postMessage({ type: 'camera', pictures }, [pictures]);
    } catch (error) {
      source.value = 'canvas';
      sentence.textContent = `${(error as Error).message}.`;
    }
  };
  source.querySelector('option[value="clip"]')?.remove();
  source.value = sourceFrom(query);
  source.addEventListener('change', () => void useSource());
  void useSource();
}

function sending({ targetBps, figures }: SideReport): string {
  if (targetBps === 0) return 'Waiting for the receiver …';
  const { rttMs = 0, lossRatio = 0 } = figures;
  return `Sending; the path takes ${rate(targetBps)} of media, round trip ${Math.round(rttMs)} ms, ${(lossRatio * 100).toFixed(1)} % lost.`;
}

function playing(report: SideReport, before: SideReport | undefined): string {
  if (report.framesDecoded === 0) return 'Waiting for the sender …';
  const pictures = 4 * (report.framesDecoded - (before?.framesDecoded ?? 0));
  return `Playing, ${pictures} pictures a second.`;
}
