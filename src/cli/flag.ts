import { textOf } from './error-text';
import { UsageError } from './usage-error';

/** One flag as data: what help says, how its text becomes a value, what it is when nobody sets it. */
export interface Flag<T> {
  readonly about: string;
  /** Heading in the help under which it appears. */
  readonly group: string;
  /** What help shows in place of the value (`HOST`). */
  readonly value: string;
  /** Text -> value; throws an Error whose message starts with "must". */
  readonly parse: (text: string) => T;
  /** Text used when neither flag nor variable is given; absent: the value is then `missing`. */
  readonly fallback?: string;
  readonly missing: T;
  /** A switch needs no value: `--insecure-no-auth`. */
  readonly isSwitch?: boolean;
  /** One letter: `f` for `-f`. */
  readonly letter?: string;
}

/** Keys are camelCase; on the command line they are `--kebab-case` (or `--snake_case`, as in Mesos). */
// A table may hold flags of every type; the type of each comes back in ValuesOf.
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;
export type ValuesOf<F extends FlagTable> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

type Text = Pick<Flag<unknown>, 'group' | 'about' | 'value'> & { readonly letter?: string };

/** A flag that always has a value. */
export function withDefault<T>(text: Text, parse: (text: string) => T, fallback: string): Flag<T> {
  return { ...text, parse, fallback, missing: parse(fallback) };
}

/** A flag that may be absent. */
export function optional<T>(text: Text, parse: (text: string) => T): Flag<T | undefined> {
  return { ...text, parse, missing: undefined };
}

/** A flag that is either there or not. */
export function toggle(text: Omit<Text, 'value'>): Flag<boolean> {
  return { ...text, value: '', parse: parseSwitch, missing: false, isSwitch: true };
}

function parseSwitch(text: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new Error('must be true or false');
}

/** `etcdCa` -> `etcd-ca`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `etcdCa` -> `BERTH_ETCD_CA`. */
export function variableName(key: string): string {
  return `BERTH_${flagName(key).replaceAll('-', '_').toUpperCase()}`;
}

/**
 * The value of every flag: command line first, then BERTH_ variable, then default. `given` holds the texts of the command
 * line by flag name. Throws UsageError that names the flag or the variable at fault.
 */
export function readFlags<F extends FlagTable>(
  flags: F,
  given: Readonly<Record<string, string | undefined>>,
  env: NodeJS.ProcessEnv,
): ValuesOf<F> {
  const values = Object.entries(flags).map(([key, flag]) => [key, readOne(key, flag, given, env)] as const);
  return Object.fromEntries(values) as ValuesOf<F>;
}

function readOne(
  key: string,
  flag: Flag<unknown>,
  given: Readonly<Record<string, string | undefined>>,
  env: NodeJS.ProcessEnv,
): unknown {
  const name = flagName(key);
  const typed = given[name];
  if (typed !== undefined) return parseNamed(`--${name}`, flag, typed);
  const variable = variableName(key);
  const fromEnv = env[variable];
  // An empty variable counts as unset: that is what `BERTH_X= berth …` and empty lines of env files mean.
  if (fromEnv !== undefined && fromEnv !== '') return parseNamed(variable, flag, fromEnv);
  return flag.missing;
}

function parseNamed(source: string, flag: Flag<unknown>, text: string): unknown {
  if (text === '') throw new UsageError(`${source} needs a value${flag.value === '' ? '' : ` (${flag.value})`}`);
  try {
    return flag.parse(text);
  } catch (error) {
    const why = textOf(error);
    throw new UsageError(`${source}: "${oneLine(text)}" ${why}`, { cause: error });
  }
}

function oneLine(text: string): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length > 80 ? `${flat.slice(0, 80)}…` : flat;
}
