/**
 * `npm run demo`: one local page that shows live video over TCP and over millrace, side by side, through the same bad
 * network. Prints its address once, on stdout; everything else goes to stderr. Ctrl-C ends it and all it started.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Duplex } from 'node:stream';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';
import { generatePassphrase } from '../src/index.ts';
import { explain, numberOption, Refusal, refuse } from './command-line.ts';
import { isSameOrigin } from './media-socket.ts';
import type { MediaAddresses, SideName } from './network/network.ts';
import { NETWORK_CHOICES, type NetworkChoice, openNetwork } from './network/open.ts';
import { START_SETTINGS } from './network/settings.ts';
import { createCertificate } from './server/certificate.ts';
import { clipSide, streamClip } from './server/clip-stream.ts';
import { Control } from './server/control.ts';
import { mediaAddress, proxyUpgrade } from './server/media-proxy.ts';
import { pageFor, prepareBundles } from './server/page-files.ts';
import { goFirst, Programs } from './server/programs.ts';

const HELP = `Live video over TCP and over millrace, side by side, through the same bad network.

  npm run demo -- [options]

  --port PORT       where the page is (default 8080; 0: any free port)
  --no-open         do not open the page
  --duration S      end after so many seconds
  --latency MS      what millrace may take on top of the one-way delay (default 120)
  --network KIND    kernel: this kernel's TCP and real UDP between network namespaces (Linux, root, package koffi);
                    model: TCP as the simulator has it, millrace over real UDP; auto (default): kernel if possible
  --host ADDRESS    serve other machines too, by https with a certificate made for it (0.0.0.0: all addresses)
  --help

The page keeps its state in its address: ?source=canvas|camera|clip&loss=0.05&rtt=150&burst=1&jitter=0&capacity=20e6`;

/** The encoders never go above: 640 x 360 looks good at it. */
const MOST_BPS = 2_500_000;

function readArgs() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8080' },
      'no-open': { type: 'boolean', default: false },
      duration: { type: 'string' },
      latency: { type: 'string', default: '120' },
      host: { type: 'string' },
      network: { type: 'string', default: 'auto' },
      help: { type: 'boolean', default: false },
    },
  });
  const network = values.network as NetworkChoice;
  if (!NETWORK_CHOICES.includes(network)) {
    refuse(new RangeError(`--network is ${NETWORK_CHOICES.join(', ')}`));
  }
  const { duration } = values;
  return {
    network,
    port: numberOption('port', values.port, 0, 65_535),
    latencyMs: numberOption('latency', values.latency, 1, 5_000),
    durationS: duration === undefined ? undefined : numberOption('duration', duration, 0, 1e6),
    host: values.host,
    opens: !values['no-open'],
    helps: values.help,
  };
}

/** @throws Refusal in plain words when the port cannot be had. */
async function serve(
  host: string | undefined,
  port: number,
  onRequest: RequestListener,
): Promise<{ server: Server; url: string }> {
  const server =
    host === undefined
      ? createServer(onRequest)
      : createSecureServer(await createCertificate(host), onRequest);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = `port ${port} is in use by another program; choose one with --port, or any with --port 0`;
      reject(error.code === 'EADDRINUSE' ? new Refusal(inUse) : error);
    });
    server.listen(port, host ?? '127.0.0.1', () => resolve());
  });
  const at = (server.address() as AddressInfo).port;
  return { server, url: host === undefined ? `http://127.0.0.1:${at}/` : `https://${nameOf(host)}:${at}/` };
}

function nameOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function openBrowser(url: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['cmd', '/c', 'start', '', url]
        : ['xdg-open', url];
  const browser = spawn(command as string, args, { stdio: 'ignore', detached: true });
  browser.on('error', () => console.error('open this address in a browser'));
  browser.unref();
}

function addressesIn(folder: string): Readonly<Record<SideName, MediaAddresses>> {
  // Windows has no sockets in folders; its pipes have names of their own.
  const prefix =
    process.platform === 'win32' ? `unix:\\\\.\\pipe\\millrace-${process.pid}-` : `unix:${folder}/`;
  const of = (side: string): MediaAddresses => ({
    sender: `${prefix}${side}-sender`,
    receiver: `${prefix}${side}-receiver`,
  });
  return { tcp: of('tcp'), millrace: of('millrace') };
}

async function main(): Promise<void> {
  const options = readArgs();
  if (options.helps) {
    console.log(HELP);
    return;
  }
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ending.abort());
  const folder = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const addresses = addressesIn(folder);
  const page = pageFor('demo');
  const { server, url } = await serve(options.host, options.port, (request, response) => {
    const side = clipSide(request.url ?? '');
    if (side === undefined) page(request, response);
    else if (request.headers['sec-fetch-site'] === 'cross-site') response.writeHead(403).end();
    else streamClip(addresses[side], response);
  });
  const programs = new Programs(generatePassphrase());
  const controls = new WebSocketServer({ noServer: true, maxPayload: 65_536 });
  const sockets = (): void => {
    for (const socket of controls.clients) socket.terminate();
    server.close();
    server.closeAllConnections();
  };
  // Programs first: that they end is no problem then.
  const cleanUp: (() => Promise<void> | void)[] = [sockets, () => programs.close()];
  try {
    const parts = {
      settings: START_SETTINGS,
      programs,
      mostBps: MOST_BPS,
      latencyMs: options.latencyMs,
      addresses,
    };
    const [network] = await Promise.all([openNetwork(options.network, parts), prepareBundles()]);
    cleanUp.push(() => network.close());
    const control = new Control(network, START_SETTINGS, options.latencyMs);
    cleanUp.push(() => control.close());
    programs.onProblem = (text) => {
      console.error(text);
      control.tell(text);
    };
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Whoever is turned away may reset the connection: that ends nothing else.
      socket.on('error', () => socket.destroy());
      const path = request.url ?? '';
      const address = mediaAddress(path, addresses);
      if (!isSameOrigin(request)) socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      else if (path === '/control')
        controls.handleUpgrade(request, socket, head, (page) => control.use(page));
      else if (address !== undefined) proxyUpgrade(request, socket, head, address);
      else socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    });
    // The model of the network lives in this process.
    goFirst(process.pid);
    console.log(url);
    console.error(`${network.description}\nCtrl-C ends the demo.`);
    if (options.opens) openBrowser(url);
    await until(ending.signal, options.durationS);
  } finally {
    for (const clean of cleanUp) await clean();
  }
}

/** Fulfilled by the signal, or after so many seconds. */
async function until(signal: AbortSignal, seconds: number | undefined): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (seconds !== undefined) setTimeout(resolve, seconds * 1_000);
  });
}

try {
  await main();
  process.exit(0);
} catch (error) {
  const { text, exitCode } = explain(error);
  console.error(text);
  process.exit(exitCode);
}
