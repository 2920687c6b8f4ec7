/**
 * Chooses and instantiates a build of the erasure code: relaxed SIMD, else strict SIMD, else scalar WebAssembly, else
 * plain TypeScript. Nothing is decoded, compiled or allocated before the first call: importing costs nothing.
 */
import type { ErasureCodec } from './codec.ts';
import { KERNEL_BINARIES } from './kernel-binary.ts';
import { KernelCodec, type KernelExports } from './kernel-codec.ts';
import { ReferenceCodec } from './reference-codec.ts';

export type Engine = ErasureCodec['engine'];

/** From the fastest to the one that runs everywhere. */
const PREFERENCE: readonly Engine[] = ['relaxed', 'strict', 'scalar', 'typescript'];

/** The part of WebAssembly used here: its types are in the DOM library, which the core does without. */
declare const WebAssembly:
  | {
      validate(bytes: Uint8Array): boolean;
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: object };
    }
  | undefined;

/** Shape per build: undefined until asked for, null if this JavaScript engine does not take it. Compiled code is shared. */
const modules: { -readonly [engine in keyof typeof KERNEL_BINARIES]?: object | null } = {};
let shared: ErasureCodec | undefined;

/** A plain loop: with a callback per character this would be most of the time that the first use takes. */
function decodeBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function compile(engine: keyof typeof KERNEL_BINARIES): object | null {
  const known = modules[engine];
  if (known !== undefined) return known;
  let module: object | null = null;
  if (typeof WebAssembly !== 'undefined') {
    const bytes = decodeBase64(KERNEL_BINARIES[engine]);
    if (WebAssembly.validate(bytes)) module = new WebAssembly.Module(bytes);
  }
  modules[engine] = module;
  return module;
}

/** True if this JavaScript engine runs that build. Compiles it on the first call. */
export function supportsEngine(engine: Engine): boolean {
  return engine === 'typescript' || compile(engine) !== null;
}

function instantiate(engine: Engine): ErasureCodec {
  if (engine === 'typescript') return new ReferenceCodec();
  const module = compile(engine);
  if (module === null || typeof WebAssembly === 'undefined') {
    throw new RangeError(`this JavaScript engine does not run the ${engine} build of the erasure code`);
  }
  return new KernelCodec(engine, new WebAssembly.Instance(module).exports as KernelExports);
}

/**
 * A codec of its own: about 1.8 MB of memory that never grows.
 *
 * @param engine A certain build; by default the fastest that this JavaScript engine runs.
 * @throws RangeError if that build does not exist or does not run here.
 */
export function loadCodec(engine?: Engine): ErasureCodec {
  if (engine !== undefined) {
    if (!PREFERENCE.includes(engine))
      throw new RangeError(`no build of the erasure code is called ${engine}`);
    return instantiate(engine);
  }
  for (const candidate of PREFERENCE) {
    try {
      if (supportsEngine(candidate)) return instantiate(candidate);
    } catch {
      // Compilation or memory refused (a code size policy, an address space limit): the next build may do with less.
    }
  }
  return new ReferenceCodec();
}

/** The codec that all connections of a thread share, made on the first call. Repair symbols share its ring of 512. */
export function codec(): ErasureCodec {
  shared ??= loadCodec();
  return shared;
}
