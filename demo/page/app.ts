/**
 * The page: joins controls, charts and figures with the media worker and the server. In: what people do, what both report.
 * Out: what they see, and `globalThis.millraceDemo` for tests.
 */
import type { PathCounters, ToPage } from '../control-protocol.ts';
import { START_SETTINGS } from '../network/settings.ts';
import { Charts } from './charts.ts';
import { offerCodecs } from './codecs.ts';
import { ControlLink } from './control-link.ts';
import { Controls } from './controls.ts';
import type { ClipPlayer } from './fallback.ts';
import { SideHistory } from './history.ts';
import { Listening } from './listen.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { pictureFrom, settingsFrom, sourceFrom, withSettings } from './query.ts';
import { describe, describeClip, type Moment, type SideMood } from './sentence.ts';
import type { SideReport } from './side-report.ts';
import { SideView } from './side-view.ts';
import { playSolo } from './solo.ts';
import { SourceChoice } from './source-choice.ts';
import { startWorker } from './start-worker.ts';

type SideName = 'tcp' | 'millrace';
const SIDES: readonly SideName[] = ['tcp', 'millrace'];
/** The sentence changes at most this often: people read it. */
const SENTENCE_MS = 1_500;
/** Over how long the sentence looks back, seconds. */
const MOOD_SECONDS = 5;
/** What a button did is worth a sentence for so long. */
const EVENT_MS = 7_000;

const CLIP_REPORT_MS = 250;
/** Of what a clip says nothing about. */
const NO_REPORT: SideReport = {
  framesDecoded: 0,
  freezes: 0,
  freezeMs: 0,
  latencyMsP50: 0,
  latencyMsP95: 0,
  latencyMs: undefined,
  firstPictureMs: undefined,
  watchedMs: 0,
  targetBps: 0,
  encodedBytes: 0,
  isBehind: false,
  figures: {},
  status: '',
  soundSamples: 0,
};

declare global {
  /** For tests and the curious: the last report of each side. */
  var millraceDemo: Partial<Record<SideName, SideReport>>;
}
globalThis.millraceDemo = {};

const query = new URLSearchParams(location.search);
/** Only pages from this machine or by https have them, and not in every browser. */
const hasCodecs = 'VideoEncoder' in globalThis && 'AudioEncoder' in globalThis;
const isClip = !hasCodecs || sourceFrom(query) === 'clip';
const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const address = (path: string): string =>
  new URL(path, location.href.replace(/^http/, 'ws').split('?')[0]).href;

/** A message above everything else; the button, if any, does something. */
function notice(text: string, action?: string, act: () => void = () => {}): void {
  const dialog = element('notice') as HTMLDialogElement;
  const button = element('notice-action');
  element('notice-text').textContent = text;
  button.hidden = action === undefined;
  button.textContent = action ?? '';
  dialog.onclose = () => {
    if (dialog.returnValue === 'act') act();
  };
  (button as HTMLButtonElement).value = 'act';
  dialog.returnValue = '';
  if (!dialog.open) dialog.showModal();
}

function closeNotice(): void {
  (element('notice') as HTMLDialogElement).close('');
}

class Page {
  readonly #link: ControlLink = new ControlLink(address('control'));
  readonly #controls: Controls;
  readonly #charts: Charts = new Charts(element('charts'));
  readonly #views: Readonly<Record<SideName, SideView>>;
  readonly #histories: Readonly<Record<SideName, SideHistory>> = {
    tcp: new SideHistory(),
    millrace: new SideHistory(),
  };
  readonly #listening: Listening;
  readonly #source: SourceChoice;
  #paths: Readonly<Record<SideName, PathCounters>> | undefined;
  #worker: Worker | undefined;
  #clips: readonly (readonly [SideName, ClipPlayer])[] = [];
  #hasStarted = false;
  #event: { kind: 'blackout' | 'rebind'; atMs: number } | undefined;
  #sentenceAtMs = Number.NEGATIVE_INFINITY;
  #problem = '';

  constructor() {
    const view = (name: SideName): SideView =>
      new SideView(document.querySelector(`.side[data-name="${name}"]`) as HTMLElement);
    this.#views = { tcp: view('tcp'), millrace: view('millrace') };
    this.#controls = new Controls(
      element('sliders'),
      element('ready-made'),
      settingsFrom(query, START_SETTINGS),
    );
    this.#listening = new Listening(element('listen') as HTMLSelectElement, (message) => this.#tell(message));
    const { width, height } = pictureFrom(query);
    this.#source = new SourceChoice(element('source') as HTMLSelectElement, width, height);
    this.#controls.onChange = (settings) => {
      this.#link.send({ type: 'settings', settings });
      this.#remember(withSettings(query, settings));
    };
    this.#link.onMessage = (message) => this.#takeFromServer(message);
    this.#link.onGone = (isGone) => {
      if (isGone) notice('The demo has ended. This page goes on when it is started again on the same port.');
      else closeNotice();
    };
    for (const kind of ['blackout', 'rebind'] as const) {
      element(kind).addEventListener('click', () => {
        this.#link.send({ type: kind });
        this.#event = { kind, atMs: performance.now() };
      });
    }
    this.#bindPicture();
    this.#link.connect();
  }

  #remember(next: URLSearchParams): void {
    for (const [name, value] of next) query.set(name, value);
    history.replaceState(null, '', `?${query}`);
  }

  #bindPicture(): void {
    const source = element('source') as HTMLSelectElement;
    source.value = sourceFrom(query);
    this.#source.onPictures = (pictures) =>
      this.#tell({ type: 'camera', pictures }, pictures === undefined ? [] : [pictures]);
    this.#source.onProblem = (text) => notice(text, 'Go on');
    source.addEventListener('change', () => {
      query.set('source', source.value);
      this.#remember(query);
      // Another kind of player needs another page; the camera does not.
      if (source.value === 'clip' || isClip) location.reload();
      else void this.#source.use(source.value);
    });
    const codec = element('codec') as HTMLSelectElement;
    codec.addEventListener('change', () => {
      query.set('codec', codec.value);
      this.#remember(query);
      location.reload();
    });
    // A clip has its own codec, and no sound.
    for (const id of isClip ? ['codec', 'listen'] : []) (element(id) as HTMLSelectElement).disabled = true;
    if (!isClip) void offerCodecs(codec, pictureFrom(query));
  }

  #tell(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  #takeFromServer(message: ToPage): void {
    switch (message.type) {
      case 'welcome':
        closeNotice();
        element('description').textContent = message.description;
        element('latency').textContent = String(message.latencyMs);
        this.#link.send({ type: 'settings', settings: this.#controls.settings });
        this.#start();
        break;
      case 'busy':
        notice(
          'The demo is open in another window, and one window at a time can have it.',
          'Use it here',
          () => this.#link.takeOver(),
        );
        break;
      case 'replaced':
        this.#link.close();
        for (const [, player] of this.#clips) player.close();
        this.#tell({ type: 'stop' });
        notice('Another window has taken the demo over.', 'Take it back', () => location.reload());
        break;
      case 'paths':
        this.#paths = { tcp: message.tcp, millrace: message.millrace };
        break;
      case 'problem':
        this.#problem = message.text;
        break;
    }
  }

  /** The same report from a clip, as far as a clip can tell. */
  async #startClip(): Promise<void> {
    const { ClipPlayer: Player } = (await import(new URL('fallback.js', location.href).href)) as {
      ClipPlayer: typeof ClipPlayer;
    };
    (element('source') as HTMLSelectElement).value = 'clip';
    this.#clips = SIDES.map((name) => {
      const video = document.querySelector(`video[data-side="${name}"]`) as HTMLVideoElement;
      video.hidden = false;
      (document.querySelector(`canvas[data-side="${name}"]`) as HTMLElement).hidden = true;
      return [name, new Player(video, new URL(`clip/${name}`, location.href.split('?')[0]).href)] as const;
    });
    setInterval(() => {
      const reports = this.#clips.map(([name, player]) => [name, { ...NO_REPORT, ...player.report() }]);
      this.#report(Object.fromEntries(reports) as Readonly<Record<SideName, SideReport>>);
    }, CLIP_REPORT_MS);
  }

  /** Once: after an interruption the worker finds its programs again by itself. */
  #start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    if (isClip) {
      void this.#startClip();
      return;
    }
    this.#worker = startWorker(
      SIDES.map((name) => ({
        name,
        sender: address(`${name}/sender`),
        receiver: address(`${name}/receiver`),
      })),
      pictureFrom(query),
      (message) => this.#takeFromWorker(message),
    );
    if (sourceFrom(query) === 'camera') void this.#source.use('camera');
  }

  #takeFromWorker(message: FromWorker): void {
    switch (message.type) {
      case 'report':
        this.#report(message.sides as Readonly<Record<SideName, SideReport>>);
        showPace(message.picturesPerSecond);
        break;
      case 'sound':
        this.#listening.play(message);
        break;
      case 'cameraEnded':
        this.#source.cameraEnded();
        break;
      case 'failed':
        notice(`${message.text}. The clip works without it.`, 'Show the clip', showClip);
        break;
    }
  }

  #report(reports: Readonly<Record<SideName, SideReport>>): void {
    globalThis.millraceDemo = reports;
    const nowMs = performance.now();
    if (this.#paths === undefined) return;
    for (const name of SIDES) this.#histories[name].add(nowMs, reports[name], this.#paths[name]);
    const tcp = this.#histories.tcp.rates();
    const millrace = this.#histories.millrace.rates();
    if (tcp === undefined || millrace === undefined) return;
    this.#views.tcp.show(reports.tcp, tcp);
    this.#views.millrace.show(reports.millrace, millrace);
    this.#charts.add({ tcp, millrace });
    if (nowMs - this.#sentenceAtMs < SENTENCE_MS) return;
    this.#sentenceAtMs = nowMs;
    const moment = this.#moment(nowMs);
    element('sentence').textContent = isClip ? describeClip(moment, hasCodecs) : describe(moment);
  }

  #moment(nowMs: number): Moment {
    const mood = (name: SideName): SideMood => {
      const past = this.#histories[name];
      return {
        latencyMs: past.last?.latencyMs,
        frozenRatio: past.frozenRatio(MOOD_SECONDS),
        repaired: past.recent(MOOD_SECONDS).repaired,
        bitsPerSecond: past.rates()?.encodedBps ?? 0,
        status: this.#problem || (past.last?.status ?? ''),
      };
    };
    const event = this.#event;
    const agoMs = event === undefined ? Number.POSITIVE_INFINITY : nowMs - event.atMs;
    return {
      settings: this.#controls.settings,
      tcp: mood('tcp'),
      millrace: mood('millrace'),
      event: event === undefined || agoMs > EVENT_MS ? undefined : { kind: event.kind, agoMs },
    };
  }
}

/** Says so when this machine is too slow for what was asked for. */
function showPace(picturesPerSecond: number): void {
  const isSlow = picturesPerSecond < pictureFrom(query).framesPerSecond;
  const text = `This machine is busy: both sides send ${picturesPerSecond} pictures a second.`;
  element('pace').textContent = isSlow ? text : '';
}

function showClip(): void {
  query.set('source', 'clip');
  location.search = `?${query}`;
}

const { role } = document.documentElement.dataset;
if (role === 'send' || role === 'receive') playSolo(role, query, hasCodecs);
else new Page();
