/** What the halves of streams report to: counts endings, forgets streams, asks for control frames. */
import type { StreamControl } from './control.ts';
import { ConnectionDue, StreamDue } from './control.ts';
import type { StreamCounters } from './counters.ts';
import type { StreamCounts } from './counts.ts';
import type { ReceiveWindow, SendCredit } from './flow.ts';
import { ReassemblyBudget } from './reassembly.ts';
import type { ReceiveHost } from './receive.ts';
import type { SendHost, SendStream } from './send.ts';
import { ChunkPool } from './send-buffer.ts';
import { StreamKindIndex } from './stream-id.ts';
import type { StreamEntry, StreamTable } from './table.ts';
import type { StreamSetOptions } from './types.ts';

export class StreamHost implements SendHost, ReceiveHost {
  readonly chunks: ChunkPool = new ChunkPool();
  readonly budget: ReassemblyBudget = new ReassemblyBudget();
  readonly counters: StreamCounters = { sentBytes: 0, resentBytes: 0, receivedBytes: 0, duplicateBytes: 0 };
  readonly credit: SendCredit;
  readonly window: ReceiveWindow;
  readonly #options: StreamSetOptions;
  readonly #table: StreamTable;
  readonly #counts: readonly StreamCounts[];
  readonly #control: StreamControl;

  constructor(
    options: StreamSetOptions,
    table: StreamTable,
    counts: readonly StreamCounts[],
    control: StreamControl,
    credit: SendCredit,
    window: ReceiveWindow,
  ) {
    this.#options = options;
    this.#table = table;
    this.#counts = counts;
    this.#control = control;
    this.credit = credit;
    this.window = window;
  }

  activate(stream: SendStream): void {
    this.#options.activate(stream);
  }

  wantsReset(id: number): void {
    const entry = this.#table.get(id);
    if (entry !== undefined) this.#control.requestFor(entry, StreamDue.RESET);
  }

  wantsStop(id: number): void {
    const entry = this.#table.get(id);
    if (entry !== undefined) this.#control.requestFor(entry, StreamDue.STOP);
  }

  wantsStreamCredit(id: number): void {
    const entry = this.#table.get(id);
    if (entry !== undefined) this.#control.requestFor(entry, StreamDue.CREDIT);
  }

  onStreamBlocked(id: number): void {
    const entry = this.#table.get(id);
    if (entry?.send !== undefined) this.#control.onStreamBlocked(entry, entry.send.creditLimit);
  }

  onConnectionBlocked(): void {
    this.#control.onConnectionBlocked();
  }

  onConsumed(): void {
    if (this.window.isUpdateDue) this.#control.request(ConnectionDue.CREDIT);
  }

  onWritable(id: number): void {
    this.#options.events.onWritable(id);
  }

  onReadable(id: number): void {
    this.#options.events.onReadable(id);
  }

  onReset(id: number, errorCode: number): void {
    this.#options.events.onReset(id, errorCode);
  }

  onSendDone(id: number, isFinished: boolean): void {
    const entry = this.#table.get(id);
    if (entry?.send === undefined) return;
    this.#options.deactivate(entry.send);
    if (isFinished) this.#options.events.onFinished(id);
    if (entry.kind === 'track' && entry.isLocal) this.#raiseTrackLimit(id);
    this.#forgetIfDone(entry);
  }

  /** The peer counts the ending of this stream too, and no frame says so (docs/wire-format.md §3.3). */
  #raiseTrackLimit(id: number): void {
    this.#options.events.onTrackStreamDone(id);
    const counts = this.#counts[StreamKindIndex.track] as StreamCounts;
    counts.openLimit++;
    if (!counts.isOpenBlocked) return;
    counts.isOpenBlocked = false;
    this.#options.events.onCanOpen('track');
  }

  onReceived(id: number): void {
    const entry = this.#table.get(id);
    if (entry?.kind !== 'track' || entry.isLocal) return;
    const counts = this.#counts[StreamKindIndex.track] as StreamCounts;
    counts.ended++;
    counts.advance();
    this.#options.events.onTrackStreamDone(id);
  }

  onReceiveDone(id: number): void {
    const entry = this.#table.get(id);
    if (entry !== undefined) this.#forgetIfDone(entry);
  }

  #forgetIfDone(entry: StreamEntry): void {
    if (!entry.isDone) return;
    this.#control.forget(entry);
    this.#table.delete(entry);
    this.#options.events.onEnded(entry.id);
    if (entry.isLocal) return;
    const kind = StreamKindIndex[entry.kind];
    const counts = this.#counts[kind] as StreamCounts;
    counts.forgotten++;
    if (entry.kind === 'track') return;
    counts.ended++;
    if (counts.isUpdateDue) this.#control.request(ConnectionDue.MAX_STREAMS << kind);
  }
}
