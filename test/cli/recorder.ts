import type { Terminal } from '../../src/cli/terminal';

/** A terminal that remembers. */
export interface Recorder extends Terminal {
  stdout(): string;
  stderr(): string;
}

export function recorder(): Recorder {
  const written = { out: '', err: '' };
  return {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    stdout: () => written.out,
    stderr: () => written.err,
  };
}
