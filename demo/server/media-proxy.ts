/**
 * Hands the WebSockets of the page on to the programs: the page talks to one origin, the programs are on paths (which
 * reach into other network namespaces). In: upgrade requests. Out: the same bytes, both ways, untouched.
 */
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { MediaAddresses, SideName } from '../network/network.ts';

/** Where `/tcp/sender` and the like lead: a `unix:PATH`, or undefined. */
export function mediaAddress(
  url: string,
  addresses: Readonly<Record<SideName, MediaAddresses>>,
): string | undefined {
  const match = /^\/(tcp|millrace)\/(sender|receiver)$/.exec(url);
  if (match === null) return undefined;
  return addresses[match[1] as SideName][match[2] as keyof MediaAddresses];
}

/** Repeats the request at `address` and joins the two connections. */
export function proxyUpgrade(request: IncomingMessage, client: Duplex, head: Buffer, address: string): void {
  const upstream = connect(address.slice('unix:'.length));
  const end = (): void => {
    client.destroy();
    upstream.destroy();
  };
  client.on('error', end).on('close', end);
  upstream.on('error', end).on('close', end);
  upstream.once('connect', () => {
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    }
    upstream.write(`${lines.join('\r\n')}\r\n\r\n`);
    if (head.length > 0) upstream.write(head);
    client.pipe(upstream).pipe(client);
  });
}
