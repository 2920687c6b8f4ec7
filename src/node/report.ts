/** Both ends' counters and what they mean together. Source: docs/statistics.md; DESIGN D15. */
import type { Connection as Core } from '../connection/connection.ts';
import { collectCounters } from '../connection/counters.ts';
import type { Diagnosis } from '../connection/diagnosis.ts';
import type { EndCounters } from '../wire/counters.ts';

/** What `Connection.report` gives. */
export interface ConnectionReport {
  readonly local: Readonly<EndCounters>;
  readonly peer: Readonly<EndCounters>;
  readonly diagnosis: Diagnosis;
  /** This end's, as in `ConnectionStats`. */
  readonly icmpErrors: number;
}

/** Undefined before the peer has told its counters. */
export function makeReport(core: Core, icmpErrors: number): ConnectionReport | undefined {
  const { peer } = core.state.exchange;
  const diagnosis = core.diagnosis();
  if (peer === undefined || diagnosis === undefined) return undefined;
  return { local: collectCounters(core.state), peer: { ...peer }, diagnosis, icmpErrors };
}
