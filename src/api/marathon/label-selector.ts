import { InvalidError } from '../../core/errors';

type Labels = Readonly<Record<string, string>>;
type Term = (labels: Labels) => boolean;

/**
 * Marathon's label selector: `key`, `key==v`, `key!=v`, `key in (a, b)`, `key notin (a, b)`, joined by commas (AND). Words are
 * `A-Z a-z 0-9 . _ -`, anything else behind a backslash. `!=` and `notin` hold only for apps that have the label. Throws
 * InvalidError.
 */
export function parseLabelSelector(text: string): Term {
  const scanner = new Scanner(text);
  const terms = [parseTerm(scanner)];
  while (!scanner.atEnd()) {
    scanner.expect(',');
    terms.push(parseTerm(scanner));
  }
  return (labels) => terms.every((term) => term(labels));
}

function parseTerm(scanner: Scanner): Term {
  const key = scanner.word();
  if (scanner.take('==') || scanner.take('=')) return isIn(key, [scanner.word()]);
  if (scanner.take('!=')) return isNotIn(key, [scanner.word()]);
  if (scanner.takeKeyword('in')) return isIn(key, list(scanner));
  if (scanner.takeKeyword('notin')) return isNotIn(key, list(scanner));
  return (labels) => Object.hasOwn(labels, key);
}

function list(scanner: Scanner): string[] {
  scanner.expect('(');
  const values = [scanner.word()];
  while (scanner.take(',')) values.push(scanner.word());
  scanner.expect(')');
  return values;
}

function isIn(key: string, values: readonly string[]): Term {
  return (labels) => Object.hasOwn(labels, key) && values.includes(labels[key] ?? '');
}

function isNotIn(key: string, values: readonly string[]): Term {
  return (labels) => Object.hasOwn(labels, key) && !values.includes(labels[key] ?? '');
}

class Scanner {
  private position = 0;

  constructor(private readonly text: string) {}

  atEnd(): boolean {
    this.skipBlanks();
    return this.position >= this.text.length;
  }

  take(token: string): boolean {
    this.skipBlanks();
    if (!this.text.startsWith(token, this.position)) return false;
    this.position += token.length;
    return true;
  }

  /** A keyword stands before a blank or a parenthesis: `in (a)`, not `inner`. */
  takeKeyword(keyword: string): boolean {
    this.skipBlanks();
    const behind = this.text.charAt(this.position + keyword.length);
    return /^[\s(]$/.test(behind) && this.take(keyword);
  }

  expect(token: string): void {
    if (!this.take(token)) throw this.error(`'${token}'`);
  }

  word(): string {
    this.skipBlanks();
    const match = /^(?:[A-Za-z0-9._-]|\\.)+/.exec(this.text.slice(this.position));
    if (match === null) throw this.error('a label or value');
    this.position += match[0].length;
    return match[0].replace(/\\(.)/g, '$1');
  }

  private skipBlanks(): void {
    while (/\s/.test(this.text.charAt(this.position))) this.position += 1;
  }

  private error(expected: string): InvalidError {
    return new InvalidError(
      [],
      `Can not parse label selector '${this.text}': expected ${expected} at position ${this.position + 1}`,
    );
  }
}
