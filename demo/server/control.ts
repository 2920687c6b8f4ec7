/**
 * One page at a time steers the demo. In: WebSockets of pages on `/control`. Out: settings for the network; counters
 * for the page, four times a second.
 */
import type { WebSocket } from 'ws';
import { BLACKOUT_MS, type FromPage, type PathCounters, type ToPage } from '../control-protocol.ts';
import type { DemoNetwork, SideName } from '../network/network.ts';
import { type PathSettings, parseSettings } from '../network/settings.ts';

const REPORT_MS = 250;

export class Control {
  readonly #network: DemoNetwork;
  readonly #latencyMs: number;
  readonly #timer: NodeJS.Timeout;
  #settings: PathSettings;
  #page: WebSocket | undefined;
  #problem = '';

  constructor(network: DemoNetwork, settings: PathSettings, latencyMs: number) {
    this.#network = network;
    this.#settings = settings;
    this.#latencyMs = latencyMs;
    this.#timer = setInterval(() => this.#report(), REPORT_MS);
  }

  /** A page, which says first whether it takes the demo over. */
  use(socket: WebSocket): void {
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      if (this.#page === socket) this.#page = undefined;
    });
    socket.on('message', (data) => {
      const message = parse(data.toString());
      if (message !== undefined) this.#take(socket, message);
    });
  }

  #take(socket: WebSocket, message: FromPage): void {
    if (message.type === 'open') {
      this.#open(socket, message.takesOver);
      return;
    }
    if (socket !== this.#page) return;
    switch (message.type) {
      case 'settings':
        this.#settings = parseSettings(message.settings, this.#settings);
        this.#network.apply(this.#settings);
        break;
      case 'blackout':
        this.#network.blackout(BLACKOUT_MS);
        break;
      case 'rebind':
        this.#network.rebind();
        break;
    }
  }

  #open(socket: WebSocket, takesOver: boolean): void {
    const before = this.#page;
    if (before !== undefined && before !== socket) {
      if (!takesOver) {
        send(socket, { type: 'busy' });
        return;
      }
      send(before, { type: 'replaced' });
      before.close();
    }
    this.#page = socket;
    send(socket, {
      type: 'welcome',
      description: this.#network.description,
      latencyMs: this.#latencyMs,
      settings: this.#settings,
    });
    if (this.#problem !== '') send(socket, { type: 'problem', text: this.#problem });
  }

  #report(): void {
    if (this.#page === undefined) return;
    send(this.#page, { type: 'paths', tcp: this.#counters('tcp'), millrace: this.#counters('millrace') });
  }

  #counters(side: SideName): PathCounters {
    const { offered, offeredBytes, lost, blackedOut, queueDropped } = this.#network.statistics(side);
    return { packets: offered, bytes: offeredBytes, lost: lost + blackedOut + queueDropped };
  }

  /** Something ended that the demo needs. */
  tell(problem: string): void {
    this.#problem = problem;
    if (this.#page !== undefined) send(this.#page, { type: 'problem', text: problem });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#page?.terminate();
  }
}

function send(socket: WebSocket, message: ToPage): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

function parse(text: string): FromPage | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
    const { type } = value;
    if (type === 'open') return { type, takesOver: 'takesOver' in value && value.takesOver === true };
    if (type === 'settings') return 'settings' in value ? (value as FromPage) : undefined;
    return type === 'blackout' || type === 'rebind' ? { type } : undefined;
  } catch {
    return undefined;
  }
}
