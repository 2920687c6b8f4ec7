/** The player of a TCP side: told of tracks, handed chunks, heard when it needs a key frame. */
import type { Chunk, MediaMessage } from '../media-protocol.ts';
import type { MediaSocket } from '../media-socket.ts';
import { Announcements } from './encoder-guide.ts';

export class PlayerSide {
  onKeyFrameRequest: (track: number) => void = () => {};
  readonly #announced: Announcements = new Announcements();
  #player: MediaSocket | undefined;

  /** A new player takes the place of the one before, and needs a key frame to begin with. */
  usePlayer(player: MediaSocket): void {
    this.#player?.replace();
    this.#player = player;
    player.onMessage = (message) => {
      if (message.type === 'keyframe') this.onKeyFrameRequest(message.track);
    };
    for (const message of this.#announced) {
      player.send(message);
      if (message.kind === 'video') this.onKeyFrameRequest(message.track);
    }
  }

  announce(message: MediaMessage & { readonly type: 'track' }): void {
    this.#announced.add(message);
    this.#player?.send(message);
  }

  play(chunk: Chunk): void {
    this.#player?.sendChunk(chunk);
  }

  close(): void {
    this.#player?.close();
  }
}
