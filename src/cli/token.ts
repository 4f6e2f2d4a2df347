import { textOf } from './error-text';
import { readFileSync } from 'node:fs';
import { UsageError } from './usage-error';

/** Shorter secrets can be guessed over the network. */
const SHORTEST_TOKEN = 16;

/**
 * The secret in a token file, without surrounding white space. Throws UsageError when it cannot be read, is shorter than 16
 * characters, or has characters that do not fit into an HTTP header. The message never holds the secret.
 */
export function readTokenFile(path: string): string {
  const token = contents(path).trim();
  if (token.length < SHORTEST_TOKEN)
    throw new UsageError(
      `--token-file ${path}: needs at least ${SHORTEST_TOKEN} characters (openssl rand -hex 32 makes one)`,
    );
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UsageError(`--token-file ${path}: must hold one line of printable ASCII without spaces`);
  return token;
}

function contents(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const why = textOf(error);
    throw new UsageError(`--token-file ${path}: cannot be read (${why})`, { cause: error });
  }
}
