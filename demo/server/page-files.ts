/**
 * The files of the page, for browsers: TypeScript is bundled by esbuild when it is first asked for, and kept.
 * In: requests. Out: HTML, JavaScript, styles; 404 for anything else.
 */
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What the page is for: the whole demo, or one end of a sender and a receiver on two machines. */
export type PageRole = 'demo' | 'send' | 'receive';

const PAGE = new URL('../page/', import.meta.url);

interface PageFile {
  readonly type: string;
  readonly text: string;
}

let bundles: Promise<ReadonlyMap<string, string>> | undefined;

/** The page's programs, by the name that the page loads them by. */
function bundled(): Promise<ReadonlyMap<string, string>> {
  bundles ??= bundle();
  return bundles;
}

async function bundle(): Promise<ReadonlyMap<string, string>> {
  // Programs that serve no page do without it.
  const { build } = await import('esbuild');
  const entry = (name: string): string => fileURLToPath(new URL(name, PAGE));
  const { outputFiles } = await build({
    entryPoints: { app: entry('app.ts'), worker: entry('worker.ts'), fallback: entry('fallback.ts') },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    write: false,
    outdir: '/',
    logLevel: 'silent',
  });
  return new Map(outputFiles.map(({ path, text }) => [path.replace(/^.*[\\/]/, ''), text]));
}

function pageText(name: string): string {
  return readFileSync(new URL(name, PAGE), 'utf8');
}

function styles(): string {
  const chartStyles = createRequire(import.meta.url).resolve('uplot/dist/uPlot.min.css');
  return `${readFileSync(chartStyles, 'utf8')}\n${pageText('style.css')}`;
}

async function fileAt(path: string, role: PageRole): Promise<PageFile | undefined> {
  switch (path) {
    case '/':
      return {
        type: 'text/html',
        text: pageText('index.html').replace('data-role="demo"', `data-role="${role}"`),
      };
    case '/style.css':
      return { type: 'text/css', text: styles() };
    case '/app.js':
    case '/worker.js':
    case '/fallback.js':
      return { type: 'text/javascript', text: (await bundled()).get(path.slice(1)) ?? '' };
    default:
      return undefined;
  }
}

/** Answers requests for the files of the page in this role. */
export function pageFor(role: PageRole): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '/').split('?')[0] as string;
    const answer = async (): Promise<void> => {
      const file = request.method === 'GET' ? await fileAt(path, role) : undefined;
      if (file === undefined) {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('There is no such page here.\n');
        return;
      }
      response
        .writeHead(200, {
          'content-type': `${file.type}; charset=utf-8`,
          'cache-control': 'no-store',
          'content-security-policy':
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self' ws: wss:; worker-src 'self' blob:; frame-ancestors 'none'",
          'x-content-type-options': 'nosniff',
        })
        .end(file.text);
    };
    answer().catch((error: Error) => {
      console.error(`the page could not be built: ${error.message}`);
      response.writeHead(500, { 'content-type': 'text/plain' }).end('The page could not be built.\n');
    });
  };
}

/** Builds the page before anybody asks, so that the first opening does not wait. */
export async function prepareBundles(): Promise<void> {
  await bundled();
}
