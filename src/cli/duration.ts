/** Milliseconds per unit: Mesos' names (stout Duration) first, then Go's. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  secs: 1_000,
  mins: 60_000,
  hrs: 3_600_000,
  days: 86_400_000,
  weeks: 604_800_000,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const WHOLE = /^(?:\d+(?:\.\d+)?(?:ns|us|ms|secs|mins|hrs|days|weeks|s|m|h))+$/;
const PART = /(\d+(?:\.\d+)?)([a-z]+)/g;

/**
 * A duration in milliseconds. `5mins`, `1weeks` (Mesos), `1m30s` (Go) and a bare number, which is milliseconds (Marathon's
 * flags are). Throws an Error whose message starts with "must be".
 */
export function parseDuration(text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) : sumOfParts(text);
  if (ms === undefined || !Number.isSafeInteger(Math.round(ms)))
    throw new Error('must be a duration such as 500ms, 15secs, 5mins or 1m30s');
  return ms;
}

function sumOfParts(text: string): number | undefined {
  if (!WHOLE.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(PART)) sum += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  return sum;
}
