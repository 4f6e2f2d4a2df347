/**
 * Why an offer does not serve an app. Closed list in Marathon's funnel order; it reaches `/v2/queue`, kubectl and the command
 * line unchanged. An offer counts for the first of its reasons only.
 */
export const REASONS = [
  'UnfulfilledRole',
  'UnfulfilledConstraint',
  'NoCorrespondingReservationFound',
  'AgentMaintenance',
  'InsufficientCpus',
  'InsufficientMemory',
  'InsufficientDisk',
  'InsufficientGpus',
  'InsufficientPorts',
  'DeclinedScarceResources',
] as const;
export type Reason = (typeof REASONS)[number];

/** One row of Marathon's reject summary: `processed` offers came as far as this reason, `declined` of them ended here. */
export interface ReasonCount {
  readonly reason: Reason;
  readonly declined: number;
  readonly processed: number;
}

/** Every reason in funnel order; `processed` falls by the `declined` of the row before. */
export function funnel(processed: number, declinedBy: ReadonlyMap<Reason, number>): ReasonCount[] {
  let left = processed;
  return REASONS.map((reason) => {
    const declined = declinedBy.get(reason) ?? 0;
    const row = { reason, declined, processed: left };
    left -= declined;
    return row;
  });
}

/** The words for a sentence: `3 do not meet the constraints`. */
const REASON_TEXTS: Readonly<Record<Reason, string>> = {
  UnfulfilledRole: 'have no resources of an accepted role',
  UnfulfilledConstraint: 'do not meet the constraints',
  NoCorrespondingReservationFound: 'lack the reservation',
  AgentMaintenance: 'are in maintenance',
  InsufficientCpus: 'have too few cpus',
  InsufficientMemory: 'have too little memory',
  InsufficientDisk: 'have too little disk',
  InsufficientGpus: 'have too few gpus',
  InsufficientPorts: 'lack the ports',
  DeclinedScarceResources: 'are kept for gpu apps',
};

export function reasonText(reason: Reason): string {
  return REASON_TEXTS[reason];
}
