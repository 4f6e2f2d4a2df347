import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The folder that holds package.json and deploy/: two above this file, in src as in dist. */
export function packageRoot(): string {
  return resolve(__dirname, '..', '..');
}

/** The version in package.json; `unknown` when it cannot be read. */
export function packageVersion(): string {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
    const version: unknown = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : '';
    return typeof version === 'string' && version !== '' ? version : 'unknown';
  } catch {
    return 'unknown';
  }
}
