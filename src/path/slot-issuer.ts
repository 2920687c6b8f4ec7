/**
 * The connection IDs of one slot of an endpoint, and the reset tokens by which its peer may end it. In: what a connection
 * asks for. Out: IDs that lead to its slot, tokens kept for whoever looks for a reset. Source: RFC 9000 §5.1, §10.3.
 */
import type { IdIssuer, IssuedId } from './connection-ids.ts';
import type { Routes } from './routes.ts';
import { type ResetMaker, tokenKey } from './stateless-reset.ts';

/** What the slots of one endpoint share. */
export interface Issuing<Owner> {
  readonly routes: Routes<Owner>;
  readonly resets: ResetMaker;
  /** Peers' stateless reset tokens. */
  readonly byResetToken: Map<string, Owner>;
}

export class SlotIssuer<Owner> implements IdIssuer {
  readonly #issuing: Issuing<Owner>;
  readonly #slot: number;
  readonly #firstId: Uint8Array;

  /** @param firstId The ID of the handshake, which leads to this slot. */
  constructor(issuing: Issuing<Owner>, slot: number, firstId: Uint8Array) {
    this.#issuing = issuing;
    this.#slot = slot;
    this.#firstId = firstId;
  }

  firstResetToken(): Uint8Array {
    return this.#issuing.resets.tokenOf(this.#firstId);
  }

  issue(): IssuedId {
    const { routes, resets } = this.#issuing;
    const id = routes.newId(this.#slot);
    return { id, resetToken: resets.tokenOf(id) };
  }

  retire(id: Uint8Array): void {
    this.#issuing.routes.retire(this.#slot, id);
  }

  onResetToken(token: Uint8Array, isValid: boolean): void {
    const { routes, byResetToken } = this.#issuing;
    const key = tokenKey(token);
    const owner = routes.ownerOf(this.#slot);
    if (key === undefined || owner === undefined) return;
    if (isValid) byResetToken.set(key, owner);
    else if (byResetToken.get(key) === owner) byResetToken.delete(key);
  }
}
