import type { z } from 'zod';
import type { Violation } from '../errors';
import { appSpecSchema, type AppSpec } from './app';
import { withDefaults } from './app-defaults';
import { ruleViolations } from './app-rules';
import { assignServicePorts, type ServicePortRange } from './service-ports';

/** What completing a definition needs to know about the rest of the world. */
export interface AppContext {
  /** The stored definition that this one replaces. */
  readonly previous?: AppSpec;
  readonly servicePorts: ServicePortRange;
  /** Service ports of other apps. Asked only when one has to be chosen. */
  readonly isServicePortUsed: (port: number) => boolean;
  /** Marathon: --default_network_name. */
  readonly defaultNetworkName?: string;
}

/** Says which of the two answers of completeApp it is. */
export function isRefused(result: { readonly spec: AppSpec } | readonly Violation[]): result is readonly Violation[] {
  return Array.isArray(result);
}

/**
 * Makes a complete, valid definition of what a user sent (AppSpecInput, or anything): parsed, every default filled in, service ports assigned; or all the
 * reasons why not, in Marathon's words and path syntax. Sending a completed definition again gives the same definition.
 */
export function completeApp(input: unknown, context: AppContext): { readonly spec: AppSpec } | readonly Violation[] {
  const parsed = appSpecSchema.safeParse(input);
  if (!parsed.success) return parsed.error.issues.flatMap((issue) => violationsOf(issue));
  const defaults = {
    given: givenFields(input),
    ...(context.defaultNetworkName === undefined ? {} : { defaultNetworkName: context.defaultNetworkName }),
  };
  const spec = withDefaults(parsed.data, defaults);
  const violations = ruleViolations(spec);
  if (violations.length > 0) return violations;
  const complete = assignServicePorts(spec, context.servicePorts, context.previous, context.isServicePortUsed);
  if (complete !== undefined) return { spec: complete };
  const { min, max } = context.servicePorts;
  return [{ path: '/portDefinitions', message: `All ports in the range [${min}-${max}] are already in use` }];
}

function givenFields(input: unknown): ReadonlySet<string> {
  if (typeof input !== 'object' || input === null) return new Set();
  return new Set(Object.entries(input).flatMap(([name, value]) => (value === undefined ? [] : [name])));
}

/** Marathon's words where it has its own, else the schema's. */
function violationsOf(issue: z.core.$ZodIssue): Violation[] {
  const path = marathonPath(issue.path);
  if (/^\/constraints\(\d+\)$/.test(path) && (issue.code === 'too_small' || issue.code === 'too_big')) {
    return [{ path, message: 'Each constraint must have either 2 or 3 fields' }];
  }
  if (path === '/id' && issue.code === 'invalid_format') {
    const pattern = 'pattern' in issue ? String(issue.pattern) : '';
    return [{ path, message: `must fully match regular expression '${pattern}'` }];
  }
  return [{ path, message: issue.message }];
}

/** `['container', 'portMappings', 0, 'name']` -> `/container/portMappings(0)/name`. */
export function marathonPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '/';
  return path.map((part) => (typeof part === 'number' ? `(${part})` : `/${String(part)}`)).join('');
}
