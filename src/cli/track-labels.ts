/**
 * What the tracks of a sender are called, and what kind that makes them. In: the label behind a MEDIA's `#`, the number of
 * a track inside a `record` pipe. Out: label, kind, name.
 */

/**
 * The label of one track. A pipe with `record` framing carries several: their labels stand behind one `#` in the order of
 * the tracks' numbers, with commas between.
 *
 * @param label Of the whole MEDIA; '' = none.
 * @param record Number of the track in a `record` pipe; undefined with other framings.
 */
export function labelOf(label: string, record: number | undefined): string {
  if (record === undefined || !label.includes(',')) return label;
  return label.split(',')[record] ?? '';
}

/** What a label makes of a track. */
export function kindOf(label: string): 'video' | 'audio' | 'data' {
  if (/^audio/i.test(label)) return 'audio';
  return /^data/i.test(label) ? 'data' : 'video';
}

/**
 * What a track is called where bitrates are told: its label, else its number; both for one of several tracks that share a
 * label.
 *
 * @param input Number of the MEDIA, for one without a label.
 */
export function nameOf(label: string, input: number, record: number | undefined): string {
  const own = labelOf(label, record);
  if (own === '') return `${record ?? input}`;
  return record === undefined || own !== label ? own : `${own}/${record}`;
}
