/** The camera's pictures for the worker. In: the person's consent. Out: a stream of pictures, or why there is none. */

/** Not in the library of types yet. Source: MediaStreamTrack Insertable Media Processing (W3C). */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack });
  readonly readable: ReadableStream<VideoFrame>;
}

/** A camera that is on. */
export interface Camera {
  readonly pictures: ReadableStream<VideoFrame>;
  /** Turns it off, with its light. */
  stop(): void;
}

/** @throws Error in plain words when there is no camera, or it may not be used. */
export async function openCamera(width: number, height: number): Promise<Camera> {
  if (navigator.mediaDevices === undefined || !('MediaStreamTrackProcessor' in globalThis)) {
    throw new Error('This browser gives no camera pictures to pages: showing the test picture');
  }
  const stream = await navigator.mediaDevices
    .getUserMedia({ video: { width: { ideal: width }, height: { ideal: height } } })
    .catch((error: DOMException) => {
      throw new Error(`${explain(error.name)}: showing the test picture`);
    });
  const [track] = stream.getVideoTracks();
  if (track === undefined) throw new Error('The camera gives no picture: showing the test picture');
  return { pictures: new MediaStreamTrackProcessor({ track }).readable, stop: () => track.stop() };
}

function explain(name: string): string {
  switch (name) {
    case 'NotFoundError':
      return 'No camera was found';
    case 'NotAllowedError':
      return 'The camera may not be used';
    case 'NotReadableError':
      return 'The camera is in use by another program';
    default:
      return `The camera cannot be opened (${name})`;
  }
}
