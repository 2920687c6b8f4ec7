/**
 * Proportional rate reduction: spreads the reduction of the window over the acknowledgements of one round trip.
 * In: segments delivered and sent during recovery. Out: the window. Source: RFC 6937 (PRR-SSRB), with Linux's rule
 * that only an acknowledgement without new loss may add a segment (draft-ietf-tcpm-prr-rfc6937bis).
 */
export class RateReduction {
  #delivered = 0;
  #out = 0;
  #flightAtStart = 1;

  /** Recovery begins with `flight` segments outstanding. */
  begin(flight: number): void {
    this.#delivered = 0;
    this.#out = 0;
    this.#flightAtStart = Math.max(1, flight);
  }

  /** One segment was sent, new or again. */
  onSent(): void {
    this.#out++;
  }

  /**
   * The window after an acknowledgement.
   * @param delivered Segments newly delivered by it, cumulatively or selectively.
   * @param isSafe It advanced the acknowledgement number and showed no new loss.
   */
  window(delivered: number, pipe: number, slowStartThreshold: number, isSafe: boolean): number {
    this.#delivered += delivered;
    let allowed: number;
    if (pipe > slowStartThreshold) {
      allowed = Math.ceil((this.#delivered * slowStartThreshold) / this.#flightAtStart) - this.#out;
    } else {
      const limit = Math.max(this.#delivered - this.#out, delivered) + (isSafe ? 1 : 0);
      allowed = Math.min(slowStartThreshold - pipe, limit);
    }
    // The first retransmission is never held back.
    return pipe + Math.max(allowed, this.#out === 0 ? 1 : 0);
  }
}
