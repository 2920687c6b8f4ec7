/**
 * qlog: what a connection did, packet by packet, for qvis and scripts. In: calls to the rate controller, events of the
 * connection. Out: one JSON-SEQ file per connection in the folder that QLOGDIR names.
 * Source: draft-ietf-quic-qlog-main-schema and -quic-events (names and fields); RFC 7464 (JSON-SEQ); docs/api.md.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Micros } from '../base/protocol.ts';
import type { AckedPacket, RateController, RttView } from '../rate/controller.ts';
import { nowUs } from './driver.ts';
import { debug } from './log.ts';

/** Bytes that wait for the disk; beyond it events are left out, and counted. */
const WAITING_BYTES_MAX = 16_777_216;
/** Before the connection has a name there is only a handful. */
const EARLY_RECORDS_MAX = 1024;
const RECORD_SEPARATOR = '\x1e';

/** One file. */
export class Qlog {
  #stream: WriteStream | undefined;
  #early: string[] = [];
  #dropped = 0;
  readonly #startedUs: Micros = nowUs();

  /** Gives the log its file. @param id Original destination connection ID, as qlog files are named. */
  open(folder: string, id: Uint8Array, vantagePoint: 'client' | 'server'): void {
    const name = Buffer.from(id).toString('hex');
    const stream = createWriteStream(join(folder, `${name}_${vantagePoint}.sqlog`), { flags: 'wx' });
    stream.on('error', (error) => {
      debug(`qlog: ${error.message}`);
      this.#stream = undefined;
    });
    this.#stream = stream;
    this.#write({
      file_schema: 'urn:ietf:params:qlog:file:sequential',
      serialization_format: 'application/qlog+json-seq',
      title: `millrace ${vantagePoint}`,
      trace: {
        common_fields: {
          group_id: name,
          protocol_types: ['MILLRACE'],
          time_format: 'relative_to_epoch',
          reference_time: { clock_type: 'system', epoch: new Date(performance.timeOrigin).toISOString() },
        },
        vantage_point: { type: vantagePoint },
        event_schemas: ['urn:ietf:params:qlog:events:quic'],
      },
    });
    for (const record of this.#early) stream.write(record);
    this.#early = [];
  }

  /** @param now As the core has it; written in ms since the epoch that the header names. */
  event(now: Micros, name: string, data: object): void {
    this.#write({ time: now / 1000, name, data });
  }

  #write(record: object): void {
    const text = `${RECORD_SEPARATOR}${JSON.stringify(record)}\n`;
    const stream = this.#stream;
    if (stream === undefined) {
      if (this.#early.length < EARLY_RECORDS_MAX) this.#early.push(text);
    } else if (stream.writableLength < WAITING_BYTES_MAX) stream.write(text);
    else this.#dropped++;
  }

  /** The connection is over. */
  close(): void {
    if (this.#dropped > 0)
      this.event(nowUs(), 'loglevel:warning', { message: `${this.#dropped} events left out` });
    debug(`qlog of ${((nowUs() - this.#startedUs) / 1e6).toFixed(1)} s written`);
    this.#stream?.end();
    this.#stream = undefined;
  }
}

/** A rate controller that writes down what it hears and what it decides. */
export class TracedController implements RateController {
  readonly qlog: Qlog = new Qlog();
  readonly #inner: RateController;
  #state = '';

  constructor(inner: RateController) {
    this.#inner = inner;
  }

  onPacketSent(
    now: Micros,
    sizeBytes: number,
    bytesInFlight: number,
    isAppLimited: boolean,
    packetNumber: number,
  ): void {
    this.#inner.onPacketSent(now, sizeBytes, bytesInFlight, isAppLimited, packetNumber);
    this.qlog.event(now, 'quic:packet_sent', {
      header: { packet_type: '1RTT', packet_number: packetNumber },
      raw: { length: sizeBytes },
      bytes_in_flight: bytesInFlight,
      is_app_limited: isAppLimited,
    });
  }

  onPacketAcked(packet: AckedPacket): void {
    this.#inner.onPacketAcked(packet);
    this.qlog.event(packet.ackedAtUs, 'quic:packets_acked', {
      packet_numbers: [packet.packetNumber],
      raw: { length: packet.sizeBytes },
      sent_at: packet.sentAtUs / 1000,
      received_at: Number.isNaN(packet.receivedAtUs) ? undefined : packet.receivedAtUs / 1000,
    });
  }

  onPacketLost(packetNumber: number, sizeBytes: number, sentAtUs: Micros, now: Micros): void {
    this.#inner.onPacketLost(packetNumber, sizeBytes, sentAtUs, now);
    this.qlog.event(now, 'quic:packet_lost', {
      header: { packet_type: '1RTT', packet_number: packetNumber },
      raw: { length: sizeBytes },
      sent_at: sentAtUs / 1000,
    });
  }

  onSpuriousLoss(packetNumber: number, sizeBytes: number, now: Micros): void {
    this.#inner.onSpuriousLoss(packetNumber, sizeBytes, now);
    this.qlog.event(now, 'millrace:spurious_loss', { header: { packet_number: packetNumber } });
  }

  onAckEnd(now: Micros, rtt: RttView, bytesInFlight: number): void {
    const inner = this.#inner;
    inner.onAckEnd(now, rtt, bytesInFlight);
    this.qlog.event(now, 'quic:recovery_metrics_updated', {
      min_rtt: rtt.minUs / 1000,
      smoothed_rtt: rtt.smoothedUs / 1000,
      latest_rtt: rtt.latestUs / 1000,
      rtt_variance: rtt.varianceUs / 1000,
      congestion_window: Math.round(inner.congestionWindowBytes),
      bytes_in_flight: bytesInFlight,
      pacing_rate: Math.round(inner.pacingRateBps),
      target_rate: Math.round(inner.targetRateBps),
      capacity: Math.round(inner.capacityBps),
      queue_delay: inner.queueDelayUs / 1000,
      random_loss_ratio: inner.randomLossRatio,
    });
    this.#noteState(now);
  }

  onProbeTimeout(now: Micros, count: number): void {
    this.#inner.onProbeTimeout(now, count);
    this.qlog.event(now, 'quic:loss_timer_updated', { timer_type: 'pto', event_type: 'expired', count });
  }

  #noteState(now: Micros): void {
    const { state } = this.#inner;
    if (state === this.#state) return;
    this.qlog.event(now, 'quic:congestion_state_updated', { old: this.#state, new: state });
    this.#state = state;
  }

  onMediaDemand(bps: number, now: Micros, isBacklog?: boolean): void {
    this.#inner.onMediaDemand(bps, now, isBacklog);
  }

  setMaxRate(bps: number): void {
    this.#inner.setMaxRate(bps);
  }

  setWantedRate(bps: number): void {
    this.#inner.setWantedRate(bps);
  }

  onPathChange(now: Micros): void {
    this.#inner.onPathChange(now);
    this.qlog.event(now, 'quic:migration_state_updated', { new: 'migration_complete' });
  }

  get pacingRateBps(): number {
    return this.#inner.pacingRateBps;
  }
  get congestionWindowBytes(): number {
    return this.#inner.congestionWindowBytes;
  }
  get targetRateBps(): number {
    return this.#inner.targetRateBps;
  }
  get capacityBps(): number {
    return this.#inner.capacityBps;
  }
  get randomLossRatio(): number {
    return this.#inner.randomLossRatio;
  }
  get lossRatio(): number {
    return this.#inner.lossRatio;
  }
  get queueDelayUs(): Micros {
    return this.#inner.queueDelayUs;
  }
  get isCongested(): boolean {
    return this.#inner.isCongested;
  }
  get probeBytesWanted(): number {
    return this.#inner.probeBytesWanted;
  }
  get probePacketBytes(): number {
    return this.#inner.probePacketBytes;
  }
  get state(): string {
    return this.#inner.state;
  }
}
