/** Which video encoder this browser has. In: the picture, the codec that is wanted. Out: a configuration, or none. */
import type { SourceOptions } from './messages.ts';

/** Before the path is known. */
export const START_BPS = 800_000;

function configurations({ width, height, framesPerSecond, codec }: SourceOptions): VideoEncoderConfig[] {
  const vp8: VideoEncoderConfig = {
    codec: 'vp8',
    width,
    height,
    framerate: framesPerSecond,
    bitrate: START_BPS,
    bitrateMode: 'constant',
    latencyMode: 'realtime',
  };
  // Constrained baseline, level 3.1; in Annex B every key frame brings its parameter sets along.
  const h264: VideoEncoderConfig = { ...vp8, codec: 'avc1.42e01f', avc: { format: 'annexb' } };
  const wanted = codec === 'h264' ? h264 : vp8;
  return [{ ...wanted, scalabilityMode: 'L1T2' }, wanted];
}

/** Exactly this codec, with temporal layers where the browser has them; undefined where it cannot. */
async function configurationOf(source: SourceOptions): Promise<VideoEncoderConfig | undefined> {
  for (const config of configurations(source)) {
    const { supported } = await VideoEncoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (supported) return config;
  }
  return undefined;
}

/** The codec that is wanted, else the other one; undefined where the browser has neither. */
export async function chooseVideo(source: SourceOptions): Promise<VideoEncoderConfig | undefined> {
  const other = source.codec === 'vp8' ? 'h264' : 'vp8';
  return (await configurationOf(source)) ?? (await configurationOf({ ...source, codec: other }));
}

/** Leaves in `select` what this browser can encode, and marks what is in use: another codec needs the page anew. */
export async function offerCodecs(select: HTMLSelectElement, source: SourceOptions): Promise<void> {
  const config = await chooseVideo(source);
  select.value = config?.codec.startsWith('avc1') === true ? 'h264' : 'vp8';
  for (const option of [...select.options]) {
    const codec = option.value as SourceOptions['codec'];
    if ((await configurationOf({ ...source, codec })) === undefined) option.remove();
  }
}
