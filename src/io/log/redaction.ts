const HIDDEN = '[secret]';

/** Names of fields whose values are never written, whatever they hold. */
const SECRET_FIELD =
  /^(authorization|cookie|set-cookie|password|passwd|secret|token|bearer|private_?key|client_?key)$/i;

/** Shorter strings would hide half of every line. */
const SHORTEST_SECRET_CHARS = 6;

/** Bounds on what one line may hold: a field is for people, not for dumps. */
const DEEPEST = 6;
const MOST_ITEMS = 100;
const LONGEST_TEXT_CHARS = 8_192;

/** Replaces the given secrets, wherever they occur, and the values of fields that are secret by name. */
export class Redaction {
  private readonly secrets: readonly string[];

  constructor(secrets: readonly string[] = []) {
    const long = secrets.filter((secret) => secret.length >= SHORTEST_SECRET_CHARS);
    const encoded = long.flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
    ]);
    this.secrets = [...new Set(encoded)].sort((a, b) => b.length - a.length); // a secret inside another goes last
  }

  text(text: string): string {
    let clean = text;
    for (const secret of this.secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, HIDDEN);
    return clean.length > LONGEST_TEXT_CHARS
      ? `${clean.slice(0, LONGEST_TEXT_CHARS)}… (${clean.length} characters)`
      : clean;
  }

  /** A copy that JSON.stringify can write: no cycles, no depth without end, errors as text. */
  value(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'function' || typeof value === 'symbol') return undefined;
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error) return this.text(value.stack ?? value.message);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
    if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
    if (depth >= DEEPEST) return '…';
    if (value instanceof Map) return this.value(Object.fromEntries(value), depth);
    if (value instanceof Set) return this.value([...value], depth);
    if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => this.value(item, depth + 1));
    return this.fields({ ...value }, depth);
  }

  private fields(fields: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
    const clean: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(fields).slice(0, MOST_ITEMS))
      clean[this.text(name)] = SECRET_FIELD.test(name) && value !== undefined ? HIDDEN : this.value(value, depth + 1);
    return clean;
  }
}
