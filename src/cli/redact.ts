/** Keeps secrets out of everything that is printed. In: any text. Out: the same without secrets. */

/** A URI for a message: without its query, which may hold a secret of any characters, and without credentials. */
export function withoutSecrets(uri: string): string {
  return (
    uri
      // Credentials may hold anything, also what seems to end them: what follows cannot be told from them.
      .replace(/^([^/?]*:\/\/)[^@]+@.*$/s, '$1***')
      .replace(/\?.*$/s, '?***')
      .replace(/\b(?:passphrase|password|secret)=.*$/is, '***')
  );
}

/**
 * Replaces every secret in a text that may contain URIs or options, whether they are well-formed or not. A passphrase may
 * hold quotes, spaces and `&`: where it ends cannot be told, and what follows is replaced too.
 */
export function redact(text: string): string {
  return text
    .replace(/([?&;](?:passphrase|password|secret)=).*$/is, '$1***')
    .replace(/(--passphrase[= ])(?!<value>).*$/s, '$1***')
    .replace(/(\w:\/\/)[^\s@]*:\S*@/g, '$1***@');
}

/** True for the name of a parameter whose value is nobody's business. */
export function isSecretName(name: string): boolean {
  return /pass|secret/i.test(name);
}
