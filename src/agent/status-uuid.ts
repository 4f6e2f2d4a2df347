import type { IdSource } from '../core/ports/ids';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The uuid of a status update: 16 bytes in base64 (Mesos: TaskStatus.uuid). */
export function updateUuid(ids: IdSource): string {
  const hex = ids.uuid().replaceAll('-', '');
  let bits = '';
  for (const digit of hex) bits += Number.parseInt(digit, 16).toString(2).padStart(4, '0');
  let text = '';
  for (let at = 0; at < bits.length; at += 6)
    text += BASE64.charAt(Number.parseInt(bits.slice(at, at + 6).padEnd(6, '0'), 2));
  return `${text}==`;
}
