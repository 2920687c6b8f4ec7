/** The addresses of the emulated path's two ends. Every emulator has the same: its namespaces are its own. */

export const CLIENT_ADDRESS = '10.77.0.1';
export const SERVER_ADDRESS = '10.77.0.2';
