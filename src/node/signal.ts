/** An `AbortSignal` as applications give it. Any of that shape will do: those of other realms are no instances of ours. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const { addEventListener, removeEventListener } = signal ?? {};
  if (typeof addEventListener !== 'function' || typeof removeEventListener !== 'function')
    throw new TypeError('signal is an AbortSignal: give the `signal` of an AbortController');
}
