import type { AppConstraint, ConstraintOperator } from '../records/app';
import type { Attribute } from '../records/mesos';
import { attributeText } from '../records/resources';

/** What constraints may ask about an agent. */
export interface AgentFacts {
  readonly hostname: string;
  readonly region?: string;
  readonly zone?: string;
  /** Attribute values as text, by name. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** A constraint, checked and parsed once per app version. */
export interface Constraint {
  readonly field: string;
  readonly operator: ConstraintOperator;
  readonly value?: string;
  /** MAX_PER and GROUP_BY: the value as a number (GROUP_BY default 0). */
  readonly limit: number;
  /** LIKE and UNLIKE: must match as a whole. */
  readonly pattern?: RegExp;
}

/** Parses the constraints of a validated app; those that cannot be read are refused by validation, not here. */
export function parseConstraints(constraints: readonly AppConstraint[]): Constraint[] {
  return constraints.map(([field = '', operator = '', value]) => {
    const base = { field, operator: operator as ConstraintOperator, limit: Number(value ?? 0) || 0 };
    const withValue = value === undefined ? base : { ...base, value };
    const isPattern = operator === 'LIKE' || operator === 'UNLIKE';
    return isPattern ? { ...withValue, pattern: fullMatch(value ?? '') } : withValue;
  });
}

/** Java's `matches()`: the whole value must match. Throws SyntaxError for a bad pattern. */
export function fullMatch(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}

export function agentFacts(agent: {
  readonly hostname: string;
  readonly attributes: readonly Attribute[];
  readonly region?: string | undefined;
  readonly zone?: string | undefined;
}): AgentFacts {
  const attributes = new Map(agent.attributes.map((attribute) => [attribute.name, attributeText(attribute)]));
  return {
    hostname: agent.hostname,
    attributes,
    ...(agent.region === undefined ? {} : { region: agent.region }),
    ...(agent.zone === undefined ? {} : { zone: agent.zone }),
  };
}

/** The value a constraint on `field` looks at; undefined: the agent has no such thing. */
export function fieldValue(facts: AgentFacts, field: string): string | undefined {
  switch (field) {
    case 'hostname':
    case '@hostname':
      return facts.hostname;
    case '@region':
      return facts.region;
    case '@zone':
      return facts.zone;
    default:
      return facts.attributes.get(field);
  }
}
