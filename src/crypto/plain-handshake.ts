/**
 * A stand-in for TLS in simulations: flights of the same shape and size, a shared word instead of a passphrase, no
 * security. The public API cannot select it (DESIGN D2).
 */
import { concatBytes } from '../base/bytes.ts';
import { TransportError } from '../base/errors.ts';
import type { Handshake, PeerIdentity, TrafficSecrets } from './handshake.ts';
import { plainCrypto } from './plain-protection.ts';

/** TLS alert decrypt_error, as a wrong PSK gives. */
const DECRYPT_ERROR = 51;
const CLIENT_HELLO = 1;
const SERVER_FLIGHT = 2;
const FINISHED = 3;
const ALERT = 21;
/** type (1), length (2), checksum of the shared word (4). */
const HEADER_BYTES = 7;

export interface PlainHandshakeOptions {
  readonly isServer: boolean;
  /** Must be equal at both ends. */
  readonly word?: string;
  /** Bytes of this end's first flight; default 288 (client) and 242 (server), as TLS with a PSK has. */
  readonly flightBytes?: number;
}

export class PlainHandshake implements Handshake {
  state: 'running' | 'complete' | 'failed' = 'running';
  error: TransportError | undefined;
  alert: number | undefined;
  readonly peer: PeerIdentity = { identity: 'plain', alpn: 'millrace/1' };
  onProgress: (() => void) | undefined;
  readonly #isServer: boolean;
  readonly #word: Uint8Array;
  readonly #flightBytes: number;
  readonly #output: Uint8Array[] = [];
  #input: Uint8Array = new Uint8Array(0);
  #context: Uint8Array = new Uint8Array(0);

  constructor(options: PlainHandshakeOptions) {
    const { isServer, word = 'word' } = options;
    this.#isServer = isServer;
    this.#word = plainCrypto.sha256(Uint8Array.from(word, (letter) => letter.charCodeAt(0))).subarray(0, 4);
    this.#flightBytes = options.flightBytes ?? (isServer ? 242 : 288);
    if (!isServer) this.#say(CLIENT_HELLO, this.#flightBytes);
  }

  setExporterContext(context: Uint8Array): void {
    this.#context = context;
  }

  receive(bytes: Uint8Array): void {
    this.#input = concatBytes([this.#input, bytes]);
    while (this.state !== 'failed' && this.#input.length >= HEADER_BYTES) {
      const size = ((this.#input[1] as number) << 8) | (this.#input[2] as number);
      if (size < HEADER_BYTES) {
        this.#fail('the peer sent no handshake');
        return;
      }
      if (this.#input.length < size) return;
      const message = this.#input.subarray(0, size);
      this.#input = this.#input.subarray(size);
      this.#onMessage(message);
    }
  }

  #onMessage(message: Uint8Array): void {
    const type = message[0] as number;
    if (type === ALERT) {
      this.#fail('the peer refused the passphrase; give both ends the same one', false);
      return;
    }
    for (let i = 0; i < 4; i++) {
      if (message[3 + i] !== this.#word[i]) {
        this.#fail('the passphrase differs; give both ends the same one');
        return;
      }
    }
    if (type === CLIENT_HELLO && this.#isServer) this.#say(SERVER_FLIGHT, this.#flightBytes);
    else if (type === SERVER_FLIGHT && !this.#isServer) {
      this.#say(FINISHED, 74);
      this.state = 'complete';
    } else if (type === FINISHED && this.#isServer) this.state = 'complete';
  }

  #fail(text: string, mustTell = true): void {
    this.state = 'failed';
    this.alert = DECRYPT_ERROR;
    this.error = new TransportError('ERR_MILLRACE_PASSPHRASE', text);
    if (mustTell) this.#say(ALERT, HEADER_BYTES);
  }

  #say(type: number, size: number): void {
    const message = new Uint8Array(size);
    message[0] = type;
    message[1] = size >>> 8;
    message[2] = size;
    message.set(this.#word, 3);
    this.#output.push(message);
  }

  read(): Uint8Array | undefined {
    return this.#output.shift();
  }

  exportSecrets(): TrafficSecrets {
    const { client, server } = plainCrypto.initialSecrets(this.#context);
    return { client, server };
  }

  close(): void {}
}
