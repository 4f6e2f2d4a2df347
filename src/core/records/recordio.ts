/**
 * Mesos' RecordIO: `<decimal byte length>\n<record>` repeated. Anything outside ASCII is written as \uXXXX, so that bytes and
 * characters are the same number (some clients count characters).
 */
export function encodeRecord(value: unknown): string {
  const text = JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${text.length}\n${text}`;
}
