import { textOf } from './error-text';
import type { Attribute, Resource } from '../core/records/mesos';
import { parseAttributes, parseResources } from '../core/records/resources';

/** `cpus:4;mem:8192;ports(role):[31000-32000]` (Mesos' text form). */
export function resources(value: string): readonly Resource[] {
  return explained(() => parseResources(value), 'must be like cpus:4;mem:8192;ports:[31000-32000]');
}

/** `rack:a;level:10` (Mesos' text form). */
export function attributes(value: string): readonly Attribute[] {
  return explained(() => parseAttributes(value), 'must be like rack:a;level:10');
}

/** The parser's own words, as the flag reader wants them: one line that starts with "must". */
function explained<T>(parse: () => readonly T[], must: string): readonly T[] {
  try {
    const parsed = parse();
    if (parsed.length === 0) throw new Error('it names nothing');
    return parsed;
  } catch (error) {
    const why = textOf(error);
    throw new Error(`${must} (${why})`, { cause: error });
  }
}
