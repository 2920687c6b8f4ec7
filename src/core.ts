/** The public entry `millrace/core`: the sans-IO state machines, for other runtimes, simulations and tests. */
export * from './base/protocol.ts';
export { type Random, SeededRandom } from './base/random.ts';
export { Connection } from './connection/connection.ts';
export type { Closing, ConnectionEvent } from './connection/events.ts';
export { type ConnectionOptions, localParameters } from './connection/options.ts';
export type { Handshake } from './crypto/handshake.ts';
export type { CryptoProvider, PacketProtection } from './crypto/protection.ts';
export { type DialOptions, Endpoint, type SharedOptions } from './endpoint.ts';
