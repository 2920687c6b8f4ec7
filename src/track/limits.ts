/** Every bound of live tracks in one place: what a peer, a slow application or a slow path can make us hold. */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';

/** Latency of a live track (docs/wire-format.md §3.6). */
export const LATENCY_US_MIN: Micros = MILLISECOND;
export const LATENCY_US_MAX: Micros = 60 * SECOND;

/** Sender: bytes of media frames that have not settled. Room for three of the largest. */
export const SEND_BYTES_MAX = 50_331_648;
/** Sender: symbol ids between the oldest media frame that has not settled and the newest. */
export const WINDOW_SYMBOLS_MAX = 65_536;
/** Sender: media frames waiting for their first symbol. */
export const SEND_QUEUE_FRAMES_MAX = 8_192;
/** Sender: repair symbols made but not yet written. */
export const REPAIR_QUEUE_MAX = 512;
/** Sender: media frames that explain() remembers. */
export const HISTORY_FRAMES_MAX = 1_024;
/** Sender: TRACK_SKIP frames waiting or in flight. */
export const SKIPS_MAX = 64;
/** Sender: repair symbols sent and remembered until their media frames have settled. */
export const REPAIRS_KEPT_MAX = 1_024;
/** Source symbols of one block over several media frames: K + Row <= 254 leaves room for repair. */
export const COVER_SYMBOLS_MAX = 192;
/** Sender: while the window spans no more symbols, settled media frames keep theirs: blocks may reach over them. */
export const KEPT_SYMBOLS_MAX = 4_096;
/** Source symbols of one block of one media frame (the FEC kernel's sweet spot; the wire allows 254). */
export const BLOCK_SOURCE_SYMBOLS_MAX = 100;

/** Receiver: media frames of which some symbols are missing. */
export const INCOMPLETE_FRAMES_MAX = 256;
/** Receiver: media frames held, complete ones that wait for their turn included; and those that wait until they are due. */
export const HELD_FRAMES_MAX = 8_192;
/**
 * Receivers of one connection: all that they hold, media frames that wait for the application included, with what it costs
 * beside its bytes. One alone gets half of it (held.ts).
 */
export const HELD_BYTES_MAX = 134_217_728;
/** What a media frame costs beside its bytes, and what a piece of one does, in memory. */
export const FRAME_HELD_BYTES = 512;
export const PIECE_HELD_BYTES = 256;
/** And the room for the pieces of one that comes in several. */
export const PIECES_HELD_BYTES = 4_096;
/** Receiver: symbols of which only a part has come. */
export const PARTIAL_SYMBOLS_MAX = 64;
/** Receiver: an application may be this far behind the live edge, or the latency if that is more. */
export const OUTPUT_AGE_US_MIN: Micros = SECOND;
/** Receiver: how long past its deadline an incomplete media frame is kept, to tell late from lost. */
export const LATE_HOLD_US: Micros = 500 * MILLISECOND;

/** The peer's acknowledgement delay at the most (max_ack_delay), plus a quantum of pacing on either side. */
export const ACK_SLACK_US: Micros = 30 * MILLISECOND;
/** Feedback at the end of a media frame comes at most this much later (docs/wire-format.md §3.1). */
export const FEEDBACK_INTERVAL_US: Micros = 5 * MILLISECOND;
/** A settle timer never waits longer than this for the path: no RTT is measured above it (recovery/rtt.ts). */
export const PATH_GRACE_US_MAX: Micros = 10 * SECOND;
/** Nor longer than this while half of what a track may hold is held: new media frames need the room more. */
export const CROWDED_GRACE_US_MAX: Micros = 2 * SECOND;

/** Tracks of one direction at a time, and in announcements not yet complete (DESIGN §6). */
export const TRACKS_MAX = 1_024;
/** Metadata of an announcement, and the whole of it. */
export const METADATA_BYTES_MAX = 4_096;
export const ANNOUNCEMENT_BYTES_MAX = 4_352;

/** Media frames that may miss their deadline, unless the track says otherwise: 1 in 1000. */
export const TARGET_RATIO = 1e-3;
