/**
 * From handshake to end: parameters taken over, keys installed, handshake confirmed, idle and keep-alive timers, close.
 * In: progress of the handshake, authenticated packets, timers, application calls. Out: events, the close to send.
 * Source: DESIGN D2, D10; RFC 9000 §10; RFC 9001 §4.
 */
import { TransportError, WireError } from '../base/errors.ts';
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { Handshake } from '../crypto/handshake.ts';
import { OneRttKeys } from '../crypto/key-phase.ts';
import type { CloseFrame } from '../wire/control.ts';
import type { Parameters } from '../wire/parameters.ts';
import { localClosing, remoteClosing } from './closing.ts';
import type { Closing } from './events.ts';
import type { ConnectionState } from './state.ts';
import { Timer } from './timers.ts';

/** A close that answers ours: what it says does not matter any more. */
const CONFIRMED: CloseFrame = { isApplication: false, errorCode: WireError.NO_ERROR, reason: '' };
/**
 * The connection is kept this many probe timeouts after its end: to absorb late packets (RFC 9000 §10.2 asks for three),
 * and to confirm again to a peer whose first three repetitions, after 1, 3 and 7, show that it has not heard.
 */
const DRAIN_TIMEOUTS = 8;
/** The idle timeout is at least so many probe timeouts. */
const IDLE_TIMEOUTS_MIN = 3;

export class Lifecycle {
  readonly #state: ConnectionState;
  /** Packets that came before the keys can be opened now. */
  readonly #onKeys: (now: Micros) => void;
  #isContextSet = false;
  #closesAnswered = 0;
  #closing: Closing | undefined;

  constructor(state: ConnectionState, onKeys: (now: Micros) => void) {
    this.#state = state;
    this.#onKeys = onKeys;
    const { options, timers } = state;
    timers.set(Timer.HANDSHAKE, options.nowUs + options.handshakeTimeoutUs);
  }

  /** Server: the TLS side for a caller whose `incoming` event was seen. */
  attachHandshake(handshake: Handshake, now: Micros): void {
    const { handshake: phase } = this.#state;
    if (phase === undefined || this.#state.close.phase !== 'open') return;
    // The context must be known before the first flight is fed: TLS is asked for the secrets the moment it is secure.
    handshake.setExporterContext(phase.exporterContext());
    this.#isContextSet = true;
    phase.attach(handshake);
    this.onHandshakeMoved(now);
  }

  /** Looks at what the handshake has brought: parameters, keys, failure, the peer's refusal. */
  onHandshakeMoved(now: Micros): void {
    const { handshake: phase, close, options } = this.#state;
    if (phase === undefined) return;
    if (close.phase !== 'open') {
      if (phase.takeClose() !== undefined) this.onPeerClose(CONFIRMED, now);
      else this.onPacketAfterEnd();
      return;
    }
    const remote = phase.remoteParameters;
    if (remote !== undefined && this.#state.remoteParameters === undefined) this.#takeParameters(remote);
    if (!options.isServer && remote !== undefined && !this.#isContextSet && phase.handshake !== undefined) {
      this.#isContextSet = true;
      phase.handshake.setExporterContext(phase.exporterContext());
    }
    phase.progress();
    const tls = phase.handshake;
    if (tls?.state === 'failed') {
      const error = tls.error ?? new TransportError('ERR_MILLRACE_HANDSHAKE', 'the TLS handshake failed');
      const alert = tls.alert ?? 40;
      this.#begin(
        { isApplication: false, errorCode: WireError.CRYPTO_ERROR + alert, reason: error.message },
        error,
        now,
      );
    } else if (tls?.state === 'complete' && this.#state.keys === undefined) this.#installKeys(tls, now);
    // TLS may write its last flight only after it has called itself secure.
    const isUnconfirmed = this.#state.handshake === phase && this.#state.keys !== undefined;
    if (!options.isServer && isUnconfirmed) this.#state.path.reservedBytes = phase.repeatedBytes;
    const closed = phase.takeClose();
    if (closed !== undefined) this.onPeerClose(closed, now);
  }

  #takeParameters(remote: Parameters): void {
    const state = this.#state;
    const { options } = state;
    state.remoteParameters = remote;
    if (state.handshake?.remoteId !== undefined) state.paths.active.remoteId = state.handshake.remoteId;
    const ours = options.parameters.maxIdleTimeoutMs;
    const theirs = remote.maxIdleTimeoutMs;
    const shorter = ours === 0 ? theirs : theirs === 0 ? ours : Math.min(ours, theirs);
    state.idleTimeoutUs = shorter * MILLISECOND;
    state.recovery.setMaxAckDelay(remote.maxAckDelayMs * MILLISECOND);
    state.prober.setPeerMax(Math.min(remote.maxUdpPayloadBytes, options.datagramBytesMax));
    state.streams.applyPeerParameters(remote);
    state.tracks.applyPeerParameters(remote);
    if (options.isServer) {
      state.events.push({ type: 'incoming', resource: remote.resource, identity: remote.identity });
    }
  }

  #installKeys(tls: Handshake, now: Micros): void {
    const state = this.#state;
    const { options, timers } = state;
    const secrets = tls.exportSecrets();
    state.keys = new OneRttKeys({
      crypto: options.crypto,
      readSecret: options.isServer ? secrets.client : secrets.server,
      writeSecret: options.isServer ? secrets.server : secrets.client,
      probeTimeoutUs: () => state.recovery.probeTimeoutUs,
    });
    timers.clear(Timer.HANDSHAKE);
    this.onAuthenticated(now);
    if (options.isServer) state.control.sendHandshakeDone();
    state.events.push({ type: 'connected' });
    this.#onKeys(now);
  }

  /** A 1-RTT packet of the peer's has opened: it has the keys, and owns its address. */
  onShortOpened(now: Micros): void {
    const state = this.#state;
    if (state.handshake === undefined) return;
    state.paths.onProof(now);
    state.ids.start(state.options.localId, state.paths.active.remoteId);
    state.path.reservedBytes = 0;
    state.handshake.recovery.discard();
    state.handshake.handshake?.close();
    state.handshake = undefined;
    state.timers.set(Timer.KEEP_ALIVE, now + state.options.keepAliveUs);
  }

  /** Any authentic packet keeps the connection alive. */
  onAuthenticated(now: Micros): void {
    const { idleTimeoutUs, timers, keys, recovery } = this.#state;
    if (idleTimeoutUs === 0 || keys === undefined) return;
    // RFC 9000 §10.1: never sooner than three probes could have been answered.
    timers.set(Timer.IDLE, now + Math.max(idleTimeoutUs, IDLE_TIMEOUTS_MIN * recovery.probeTimeoutUs));
  }

  /** Ends the connection from this side. Later calls change nothing. */
  close(frame: CloseFrame, now: Micros): void {
    this.#begin(frame, undefined, now);
  }

  /** Ends the connection because the peer broke the protocol. */
  fail(wireError: number, reason: string, now: Micros): void {
    const message = `${reason} (code ${wireError}); one of the two ends runs a faulty or hostile implementation`;
    const error = new TransportError('ERR_MILLRACE_PROTOCOL', message, { wireCode: wireError });
    this.#begin({ isApplication: false, errorCode: wireError, reason }, error, now);
  }

  #begin(frame: CloseFrame, error: TransportError | undefined, now: Micros): void {
    const { close, timers, recovery, handshake } = this.#state;
    if (close.phase !== 'open') return;
    // Nobody has answered this call yet, and nobody may be there to confirm its end: it is said once.
    const isUnheard = handshake !== undefined && handshake.remoteId === undefined;
    close.phase = 'closing';
    close.frame = frame;
    close.isDue = true;
    if (isUnheard) close.repeats = 0;
    close.intervalUs = isUnheard ? 0 : recovery.probeTimeoutUs;
    this.#closing = localClosing(frame, error);
    this.#settleAll(now);
    timers.clearAll();
    timers.set(Timer.CLOSE, now + close.intervalUs);
  }

  /** The peer has ended the connection, or confirms that it knows of our end. */
  onPeerClose(frame: CloseFrame, now: Micros): void {
    const { close, timers, events, recovery, keys, options } = this.#state;
    if (close.phase === 'closing') {
      this.#end();
      return;
    }
    if (close.phase !== 'open') {
      close.isDue = ++this.#closesAnswered <= 16;
      return;
    }
    close.phase = 'draining';
    // Said in our own name: what the peer said needs no echo.
    close.frame = CONFIRMED;
    close.isDue = true;
    this.#settleAll(now);
    timers.clearAll();
    timers.set(Timer.CLOSE, now + DRAIN_TIMEOUTS * recovery.probeTimeoutUs);
    events.push({
      type: 'closed',
      closing: remoteClosing(frame, !options.isServer && keys === undefined),
    });
  }

  /** A packet has come after the end: the peer may not know of it yet. Answered ever more rarely (RFC 9000 §10.2.1). */
  onPacketAfterEnd(): void {
    const { close } = this.#state;
    this.#closesAnswered++;
    if ((this.#closesAnswered & (this.#closesAnswered - 1)) === 0) close.isDue = true;
  }

  #settleAll(now: Micros): void {
    const { tracks, streams, datagrams } = this.#state;
    tracks.close(now);
    streams.close();
    datagrams.end();
  }

  #end(): void {
    const { close, timers, events, handshake } = this.#state;
    close.phase = 'closed';
    close.isDue = false;
    timers.clearAll();
    handshake?.handshake?.close();
    if (this.#closing !== undefined) events.push({ type: 'closed', closing: this.#closing });
  }

  /** Runs the timers of this file that are due. */
  onTimeout(now: Micros): void {
    const { timers, close, control, options } = this.#state;
    if (timers.take(Timer.CLOSE, now)) this.#onCloseTimer(now);
    if (close.phase !== 'open') return;
    if (timers.take(Timer.HANDSHAKE, now)) {
      const seconds = options.handshakeTimeoutUs / 1e6;
      this.giveUp(
        new TransportError(
          'ERR_MILLRACE_TIMEOUT',
          options.isServer
            ? `the caller did not finish its handshake within ${seconds} s`
            : `no answer within ${seconds} s; check host and port, and that UDP may pass`,
        ),
        now,
      );
    } else if (timers.take(Timer.IDLE, now)) {
      const seconds = this.#state.idleTimeoutUs / 1e6;
      const text = `nothing heard from the peer for ${seconds} s; it is gone or the path is broken`;
      this.giveUp(new TransportError('ERR_MILLRACE_IDLE_TIMEOUT', text), now);
    } else if (timers.take(Timer.KEEP_ALIVE, now) && this.#state.keys !== undefined) {
      control.sendPing();
    }
  }

  /** The peer has answered that it knows nothing of this connection. */
  onForgotten(now: Micros): void {
    const { close } = this.#state;
    if (close.phase === 'closing' || close.phase === 'draining') this.#end();
    if (close.phase !== 'open') return;
    const text =
      'the peer has forgotten this connection: it was restarted, or had given it up; connect again';
    this.giveUp(new TransportError('ERR_MILLRACE_FORGOTTEN', text), now);
  }

  /** Ends at once, without a word to the peer: it does not answer, or does not understand. */
  giveUp(error: TransportError, now: Micros): void {
    this.#settleAll(now);
    this.#closing = {
      isLocal: true,
      isApplication: false,
      errorCode: WireError.NO_ERROR,
      reason: error.message,
      error,
    };
    this.#end();
  }

  #onCloseTimer(now: Micros): void {
    const { close, timers } = this.#state;
    if (close.phase === 'closing' && close.repeats > 0) {
      // Only repetitions wait longer each time, not answers to packets that come meanwhile: those may be thousands.
      close.repeats--;
      close.isDue = true;
      close.intervalUs *= 2;
      timers.set(Timer.CLOSE, now + close.intervalUs);
      return;
    }
    this.#end();
  }
}
