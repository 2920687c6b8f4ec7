/** The PARAMETERS frame: what each end tells the other beside TLS. Source: docs/wire-format.md §3.2; RFC 9000 §18. */
import { Reader, varintSize, Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { decodeText, encodeText } from './control.ts';

/** All parameters of one end together, bytes. */
export const PARAMETERS_BYTES_MAX = 1000;
export const RESOURCE_BYTES_MAX = 512;
export const IDENTITY_BYTES_MAX = 128;

const Id = {
  MAX_IDLE_TIMEOUT: 0x01,
  MAX_UDP_PAYLOAD_SIZE: 0x03,
  INITIAL_MAX_DATA: 0x04,
  INITIAL_MAX_STREAM_DATA: 0x05,
  INITIAL_MAX_STREAMS_BIDIRECTIONAL: 0x08,
  INITIAL_MAX_STREAMS_UNIDIRECTIONAL: 0x09,
  INITIAL_MAX_TRACK_STREAMS: 0x0a,
  MAX_ACK_DELAY: 0x0b,
  MAX_TRACKS: 0x0c,
  MAX_DATAGRAM_FRAME_SIZE: 0x20,
  RESOURCE: 0x40,
  IDENTITY: 0x41,
  LATENCY: 0x42,
} as const;

/** Parameters of one end. Milliseconds and bytes. */
export interface Parameters {
  maxIdleTimeoutMs: number;
  maxUdpPayloadBytes: number;
  maxData: number;
  maxStreamData: number;
  maxStreamsBidirectional: number;
  maxStreamsUnidirectional: number;
  maxTrackStreams: number;
  maxAckDelayMs: number;
  maxTracks: number;
  maxDatagramFrameBytes: number;
  resource: string;
  identity: string;
  /** Latency this end asks for; 0 = no wish. */
  latencyMs: number;
}

/** What holds for a parameter that was not sent. */
export const PARAMETER_DEFAULTS: Readonly<Parameters> = Object.freeze({
  maxIdleTimeoutMs: 30_000,
  maxUdpPayloadBytes: 65_507,
  maxData: 0,
  maxStreamData: 0,
  maxStreamsBidirectional: 0,
  maxStreamsUnidirectional: 0,
  maxTrackStreams: 0,
  maxAckDelayMs: 25,
  maxTracks: 0,
  maxDatagramFrameBytes: 0,
  resource: '',
  identity: '',
  latencyMs: 0,
});

type NumberName = Exclude<keyof Parameters, 'resource' | 'identity'>;

/** id, field, smallest and largest legal value. */
const NUMBERS: readonly (readonly [number, NumberName, number, number])[] = [
  [Id.MAX_IDLE_TIMEOUT, 'maxIdleTimeoutMs', 0, 86_400_000],
  [Id.MAX_UDP_PAYLOAD_SIZE, 'maxUdpPayloadBytes', 1200, 65_507],
  [Id.INITIAL_MAX_DATA, 'maxData', 0, Number.MAX_SAFE_INTEGER],
  [Id.INITIAL_MAX_STREAM_DATA, 'maxStreamData', 0, Number.MAX_SAFE_INTEGER],
  [Id.INITIAL_MAX_STREAMS_BIDIRECTIONAL, 'maxStreamsBidirectional', 0, 2 ** 40],
  [Id.INITIAL_MAX_STREAMS_UNIDIRECTIONAL, 'maxStreamsUnidirectional', 0, 2 ** 40],
  [Id.INITIAL_MAX_TRACK_STREAMS, 'maxTrackStreams', 0, 2 ** 40],
  [Id.MAX_ACK_DELAY, 'maxAckDelayMs', 0, 1000],
  [Id.MAX_TRACKS, 'maxTracks', 0, 65_535],
  [Id.MAX_DATAGRAM_FRAME_SIZE, 'maxDatagramFrameBytes', 0, 65_535],
  [Id.LATENCY, 'latencyMs', 0, 60_000],
];

/** The value of a PARAMETERS frame (without type and length). Values equal to the default are left out. */
export function encodeParameters(parameters: Readonly<Parameters>): Uint8Array {
  const bytes = new Uint8Array(PARAMETERS_BYTES_MAX);
  const writer = new Writer().reset(bytes);
  for (const [id, name] of NUMBERS) {
    const value = parameters[name];
    if (value === PARAMETER_DEFAULTS[name]) continue;
    writer.varint(id);
    writer.varint(varintSize(value));
    writer.varint(value);
  }
  writeText(writer, Id.RESOURCE, parameters.resource, RESOURCE_BYTES_MAX);
  writeText(writer, Id.IDENTITY, parameters.identity, IDENTITY_BYTES_MAX);
  return bytes.slice(0, writer.at);
}

function writeText(writer: Writer, id: number, text: string, maxBytes: number): void {
  if (text.length === 0) return;
  const bytes = encodeText(text, maxBytes);
  writer.varint(id);
  writer.varint(bytes.length);
  writer.copy(bytes);
}

/** Parses the value of a PARAMETERS frame. Returns the parameters, or the WireError to close with. Once per connection. */
export function parseParameters(bytes: Uint8Array): Parameters | number {
  const parameters: Parameters = { ...PARAMETER_DEFAULTS };
  if (bytes.length > PARAMETERS_BYTES_MAX) return WireError.TRANSPORT_PARAMETER_ERROR;
  const reader = new Reader().reset(bytes);
  const seen = new Set<number>();
  while (reader.remaining > 0) {
    const id = reader.varint();
    const value = reader.take(reader.varint());
    if (reader.failed || seen.has(id)) return WireError.TRANSPORT_PARAMETER_ERROR;
    seen.add(id);
    if (id === Id.RESOURCE || id === Id.IDENTITY) {
      const isResource = id === Id.RESOURCE;
      if (value.length > (isResource ? RESOURCE_BYTES_MAX : IDENTITY_BYTES_MAX)) {
        return WireError.TRANSPORT_PARAMETER_ERROR;
      }
      parameters[isResource ? 'resource' : 'identity'] = decodeText(value);
      continue;
    }
    const known = NUMBERS.find((entry) => entry[0] === id);
    if (known === undefined) continue;
    const field = new Reader().reset(value);
    const number = field.varint();
    const [, name, min, max] = known;
    if (field.failed || field.remaining > 0 || number < min || number > max) {
      return WireError.TRANSPORT_PARAMETER_ERROR;
    }
    parameters[name] = number;
  }
  return parameters;
}
