/** Counters of one connection. Cumulative from its start; bytes are UDP payload bytes unless they say otherwise. */

/** Why a received packet or datagram was not used (DESIGN D15: lost on the path is not rejected by the peer). */
export interface Rejections {
  /** The tag did not verify: damaged or forged. */
  authentication: number;
  /** A packet number seen before: duplicated or replayed. */
  duplicate: number;
  /** Not a packet of this protocol, or truncated. */
  malformed: number;
  /** Sealed with keys that are gone, or not yet there and no room to keep it. */
  keys: number;
  /** For no connection known here. */
  unknownConnection: number;
  /** Symbols whose media frame was past its deadline or already complete. */
  late: number;
}

/** A record with every counter at zero. */
export function noRejections(): Rejections {
  return { authentication: 0, duplicate: 0, malformed: 0, keys: 0, unknownConnection: 0, late: 0 };
}

/** Packets and datagrams of one connection. */
export interface TransportCounters {
  datagramsSent: number;
  bytesSent: number;
  datagramsReceived: number;
  bytesReceived: number;
  packetsSent: number;
  packetsReceived: number;
  /** UDP payload bytes of datagrams that carried neither media nor stream data (ACK only and the like). */
  feedbackBytesSent: number;
  /** UDP payload bytes of datagram size probes and capacity probes. */
  probeBytesSent: number;
  readonly rejected: Rejections;
}

/** A record with every counter at zero. */
export function noTraffic(): TransportCounters {
  return {
    datagramsSent: 0,
    bytesSent: 0,
    datagramsReceived: 0,
    bytesReceived: 0,
    packetsSent: 0,
    packetsReceived: 0,
    feedbackBytesSent: 0,
    probeBytesSent: 0,
    rejected: noRejections(),
  };
}
