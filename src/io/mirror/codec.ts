import { InvalidError, messageOf, TooLargeError, type Violation } from '../../core/errors';
import { LIMITS } from '../../core/limits';
import { KEY_ROOT } from '../../core/records/paths';
import { ALL_KINDS, KINDS, type Kind, type RecordOf } from '../../core/records/records';

/** Where a key belongs. */
export interface Place {
  readonly kind: Kind;
  readonly path: string;
}

const KIND_OF_PLURAL: ReadonlyMap<string, Kind> = new Map(ALL_KINDS.map((kind) => [KINDS[kind].plural, kind]));

/** `/berth/v1/<plural>/<path>` */
export function keyOf(kind: Kind, path: string): string {
  return `${KEY_ROOT}${KINDS[kind].plural}/${path}`;
}

/** Undefined for keys that are no record of a kind this version knows. */
export function placeOf(key: string): Place | undefined {
  if (!key.startsWith(KEY_ROOT)) return undefined;
  const slash = key.indexOf('/', KEY_ROOT.length);
  if (slash === -1 || slash === key.length - 1) return undefined;
  const kind = KIND_OF_PLURAL.get(key.slice(KEY_ROOT.length, slash));
  return kind === undefined ? undefined : { kind, path: key.slice(slash + 1) };
}

export type Parsed<K extends Kind> =
  { readonly ok: true; readonly record: RecordOf[K] } | { readonly ok: false; readonly error: string };

/** Reads what the store holds. Unknown fields are kept; what is missing or of the wrong type is told in one line. */
export function parseRecord<K extends Kind>(kind: K, text: string): Parsed<K> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, error: `not JSON: ${messageOf(error)}` };
  }
  const result = KINDS[kind].schema.safeParse(value);
  if (result.success) return { ok: true, record: result.data as RecordOf[K] }; // the table pairs each kind with its schema
  const [first] = violationsOf(result.error.issues);
  return { ok: false, error: `${first?.path}: ${first?.message}` };
}

/**
 * The text to store. TooLargeError above LIMITS.recordBytes; InvalidError when this very version could not read it again, and
 * every replica would have to set it aside.
 */
export function serialize(kind: Kind, path: string, record: unknown): string {
  const result = KINDS[kind].schema.safeParse(record);
  if (!result.success) throw new InvalidError(violationsOf(result.error.issues), `${kind} ${path} is not valid`);
  const text = JSON.stringify(record);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.recordBytes)
    throw new TooLargeError(`${kind} ${path} has ${bytes} bytes; at most ${LIMITS.recordBytes} are allowed`);
  return text;
}

function violationsOf(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): Violation[] {
  return issues.map(({ path, message }) => ({ path: `/${path.map(String).join('/')}`, message }));
}
