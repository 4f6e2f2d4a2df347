/** What one check says. `warn`: works, but somebody will regret it. `fail`: Berth will not work, or will lose something. */
export interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warn' | 'fail';
  /** What was seen, with figures. */
  readonly what: string;
  /** What to do; always there unless it is ok. */
  readonly fix?: string;
}

export function ok(check: string, what: string): Finding {
  return { check, level: 'ok', what };
}

export function warn(check: string, what: string, fix: string): Finding {
  return { check, level: 'warn', what, fix };
}

export function fail(check: string, what: string, fix: string): Finding {
  return { check, level: 'fail', what, fix };
}

/** True when dotted version `have` is `least` or newer. */
export function isAtLeast(have: string, least: string): boolean {
  const [a, b] = [have, least].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (let index = 0; index < (b?.length ?? 0); index++) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
