import { z } from 'zod';
import type { AgentCall } from '../../core/ports/agent-link';
import {
  attributeSchema,
  resourceSchema,
  TASK_STATES,
  taskInfoSchema,
  taskStatusSchema,
} from '../../core/records/mesos';
import { BadRequestError } from '../../core/errors';

const agentInfo = z.looseObject({
  id: z.string().min(1).max(255).optional(),
  hostname: z.string().min(1),
  port: z.number().int().min(0).max(65_535),
  resources: z.array(resourceSchema),
  attributes: z.array(attributeSchema).default([]),
  containerizers: z.array(z.string()).default([]),
  region: z.string().optional(),
  zone: z.string().optional(),
  version: z.string(),
  runId: z.string().min(1),
});

const subscribe = z.looseObject({
  type: z.literal('SUBSCRIBE'),
  subscribe: z.looseObject({
    agent: agentInfo,
    tasks: z
      .array(
        z.looseObject({
          info: taskInfoSchema,
          frameworkId: z.string().min(1),
          state: z.enum(TASK_STATES),
          latest: taskStatusSchema.optional(),
        }),
      )
      .default([]),
    attempt: z.number().int().nonnegative().optional(),
  }),
});

const update = z.looseObject({
  type: z.literal('UPDATE'),
  agentId: z.string().min(1),
  update: z.looseObject({
    updates: z.array(
      z.looseObject({ frameworkId: z.string().min(1), status: taskStatusSchema, latestState: z.enum(TASK_STATES) }),
    ),
  }),
});

const pong = z.looseObject({ type: z.literal('PONG'), agentId: z.string().min(1) });

const agentCall = z.discriminatedUnion('type', [subscribe, update, pong]);

/** Reads one call of an agent. BadRequestError in Mesos' words for what is no JSON or no call. */
export function parseAgentCall(body: Buffer): AgentCall {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new BadRequestError(`Failed to parse body into JSON: ${error instanceof Error ? error.message : ''}`);
  }
  const parsed = agentCall.safeParse(value);
  if (parsed.success) return parsed.data as AgentCall; // the schemas spell the port's types; optional fields differ in form only
  const [issue] = parsed.error.issues;
  throw new BadRequestError(
    `Failed to validate agent::Call: ${issue === undefined ? 'invalid' : `${issue.path.join('.')}: ${issue.message}`}`,
  );
}
