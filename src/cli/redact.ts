/** Keeps secrets out of everything that is printed. In: any text. Out: the same without secrets. */

/** Replaces every secret in a text that may contain URIs or options, whether they are well-formed or not. */
export function redact(text: string): string {
  return text
    .replace(/([?&;](?:passphrase|password|secret)=)[^&#\s'"]*/gi, '$1***')
    .replace(/(--passphrase[= ])\S+/g, '$1***')
    .replace(/(\w:\/\/)[^/@\s]*:[^/@\s]*@/g, '$1***@');
}
