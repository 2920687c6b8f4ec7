/**
 * How far a large media frame may run ahead of the target rate. In: packets sent, what waiting media asks for. Out: the
 * pacing rate. Averages stay at the target: what runs ahead is a debt that is paid before anything may run ahead again.
 * Source: DESIGN D8, D9.
 */
import type { Micros } from '../base/protocol.ts';

/** The debt may reach this many seconds of the target rate: a 92 kB key frame at 4 Mbit/s. */
const DEBT_SECONDS = 0.2;
/** Pacing while media waits (RFC 9002 §7.7), and while there is a reason for care. */
const PACING_GAIN = 1.25;
const CAREFUL_GAIN = 1.05;

/** One path. */
export class BurstBudget {
  /** Rate that would empty the media queue in time, bits per second; 0 = none waits. */
  demandBps = 0;
  #debtBytes = 0;
  #paidAtUs: Micros = 0;

  onSent(sizeBytes: number, targetBps: number, now: Micros): void {
    const paid = (Math.max(0, now - this.#paidAtUs) * targetBps) / 8e6;
    this.#debtBytes = Math.max(0, this.#debtBytes - paid) + sizeBytes;
    this.#paidAtUs = now;
  }

  /**
   * @param capacityBps What the path has been shown to carry.
   * @param askedBps What was sent before the target was lowered for a test: encoders that follow make less, and who does not
   * must not pay for it; 0 = no test.
   */
  pacingBps(targetBps: number, capacityBps: number, isCareful: boolean, askedBps: number): number {
    if (this.demandBps === 0) return targetBps;
    const demandBps = Math.min(this.demandBps, capacityBps);
    if (askedBps > 0) return Math.max(CAREFUL_GAIN * targetBps, demandBps, Math.min(askedBps, capacityBps));
    if (this.#debtBytes * 8 > DEBT_SECONDS * targetBps) return targetBps;
    return isCareful ? CAREFUL_GAIN * targetBps : Math.max(PACING_GAIN * targetBps, demandBps);
  }
}
