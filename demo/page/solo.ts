/**
 * The page of a sender or a receiver on its own, between two machines: one picture, and a line that says how it goes.
 * In: the role. Out: the source and its preview, or the player.
 */
import { offerCodecs } from './codecs.ts';
import { Listening } from './listen.ts';
import type { FromWorker } from './messages.ts';
import { pictureFrom, sourceFrom } from './query.ts';
import { rate, upper } from './sentence.ts';
import type { SideReport } from './side-report.ts';
import { SourceChoice } from './source-choice.ts';
import { startWorker } from './start-worker.ts';

const SIDE = 'millrace';

function selectOf(id: string): HTMLSelectElement {
  return document.getElementById(id) as HTMLSelectElement;
}

class SoloPage {
  readonly #role: 'send' | 'receive';
  readonly #sentence: HTMLElement = document.getElementById('sentence') as HTMLElement;
  readonly #worker: Worker;
  readonly #listening: Listening;
  readonly #source: SourceChoice;
  #last: SideReport | undefined;
  /** About the camera; it stays until the source is chosen again. */
  #problem = '';

  constructor(role: 'send' | 'receive', query: URLSearchParams) {
    this.#role = role;
    const address = new URL('media', location.href.replace(/^http/, 'ws').split('?')[0]).href;
    const [sender, receiver] = role === 'send' ? [address, undefined] : [undefined, address];
    const picture = pictureFrom(query);
    const side = { name: SIDE, sender, receiver };
    this.#worker = startWorker([side], picture, (message) => this.#take(message));
    this.#listening = new Listening(selectOf('listen'), (message) => this.#worker.postMessage(message));
    this.#source = new SourceChoice(selectOf('source'), picture.width, picture.height);
    if (role === 'receive') {
      (document.querySelector('#listen option[value="millrace"]') as HTMLElement).textContent = 'On';
      return;
    }
    this.#bindSource(sourceFrom(query));
    const codec = selectOf('codec');
    codec.addEventListener('change', () => {
      query.set('codec', codec.value);
      location.search = `?${query}`;
    });
    void offerCodecs(codec, picture);
  }

  #bindSource(first: string): void {
    const select = selectOf('source');
    select.querySelector('option[value="clip"]')?.remove();
    this.#source.onPictures = (pictures) => {
      this.#worker.postMessage({ type: 'camera', pictures }, pictures === undefined ? [] : [pictures]);
    };
    this.#source.onProblem = (text) => {
      this.#problem = text;
    };
    select.addEventListener('change', () => {
      this.#problem = '';
      void this.#source.use(select.value);
    });
    if (first === 'camera') void this.#source.use(first);
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'failed':
        this.#sentence.textContent = `${message.text}.`;
        break;
      case 'cameraEnded':
        this.#source.cameraEnded();
        break;
      case 'sound':
        this.#listening.play(message);
        break;
      case 'report': {
        const report = message.sides[SIDE];
        if (report !== undefined) this.#report(report);
      }
    }
  }

  #report(report: SideReport): void {
    globalThis.millraceDemo = { [SIDE]: report };
    const now = this.#role === 'send' ? sending(report) : playing(report, this.#last);
    const text = report.status === '' ? now : `${upper(report.status)}.`;
    this.#sentence.textContent = this.#problem === '' ? text : `${this.#problem}. ${text}`;
    this.#last = report;
  }
}

/** Fills the page for its role. */
export function playSolo(role: 'send' | 'receive', query: URLSearchParams, hasCodecs: boolean): void {
  const heading = role === 'send' ? 'What this machine sends' : 'What this machine receives';
  (document.querySelector('h1') as HTMLElement).textContent = `${heading}, over millrace`;
  if (hasCodecs) {
    new SoloPage(role, query);
    return;
  }
  (document.getElementById('sentence') as HTMLElement).textContent =
    'This page has no WebCodecs: open it on the machine itself (127.0.0.1), in a recent browser.';
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
