/** A mistake on the command line or in a BERTH_ variable. Its message is one line that names the flag; the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
