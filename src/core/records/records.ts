import { z } from 'zod';
import { appSchema, appVersionSchema, type App, type AppVersion } from './app';
import {
  attributeSchema,
  frameworkInfoSchema,
  resourceSchema,
  TASK_STATES,
  taskInfoSchema,
  taskStatusSchema,
} from './mesos';
import { conditionSchema, metadataSchema } from './metadata';

/** `groups/<path>`: what a group has beyond its apps. Groups without a record exist as long as something is in them. */
export const groupSchema = z.looseObject({
  kind: z.literal('Group'),
  metadata: metadataSchema,
  spec: z.looseObject({
    id: z.string(),
    dependencies: z.array(z.string()).default([]),
    enforceRole: z.boolean().default(false),
  }),
});
export type Group = z.infer<typeof groupSchema>;

export const ROLLOUT_ACTIONS = [
  'StartApplication',
  'StopApplication',
  'ScaleApplication',
  'RestartApplication',
] as const;
export type RolloutActionName = (typeof ROLLOUT_ACTIONS)[number];

const rolloutStepSchema = z.looseObject({
  actions: z.array(z.looseObject({ action: z.enum(ROLLOUT_ACTIONS), app: z.string() })),
});
export type RolloutStep = z.infer<typeof rolloutStepSchema>;

/** `rollouts/<id>`: Marathon's deployment. Created by the group manager, advanced and removed by the orchestrator. */
export const rolloutSchema = z.looseObject({
  kind: z.literal('Rollout'),
  metadata: metadataSchema,
  spec: z.looseObject({
    version: z.string(),
    /** Every app this rollout changes, with the version before (absent: new app) and after (absent: removed). */
    apps: z.array(
      z.looseObject({ id: z.string(), fromVersion: z.string().optional(), toVersion: z.string().optional() }),
    ),
    steps: z.array(rolloutStepSchema),
  }),
  status: z.looseObject({
    /** Counts from 1; 0 before the first step starts. */
    currentStep: z.number().int().nonnegative(),
    state: z.enum(['Waiting', 'Running', 'Succeeded', 'Failed']),
    /** Why it waits or failed, in one sentence. */
    reason: z.string().optional(),
  }),
});
export type Rollout = z.infer<typeof rolloutSchema>;

export const INSTANCE_GOALS = ['Running', 'Stopped', 'Decommissioned'] as const;
export type InstanceGoal = (typeof INSTANCE_GOALS)[number];

/**
 * `instances/<app path>/<instance id>`: one wanted copy of an app. Written by the orchestrator. Its condition is not stored:
 * it follows from the goal and from the task record of the current incarnation (core/lifecycle/condition.ts).
 */
export const instanceSchema = z.looseObject({
  kind: z.literal('Instance'),
  metadata: metadataSchema,
  spec: z.looseObject({
    appId: z.string(),
    /** Version of the app definition this instance runs. */
    appVersion: z.string(),
    goal: z.enum(INSTANCE_GOALS),
    /** Number of the current (or, while Scheduled, the next) run; the task id follows from it. */
    incarnation: z.number().int().positive(),
    /** Why the goal is Decommissioned. */
    reason: z.string().optional(),
  }),
  status: z
    .looseObject({
      /** ISO-8601; when the instance entered Scheduled for this incarnation. */
      scheduledAt: z.string(),
      /** How the last run ended. */
      lastFailure: z.string().optional(),
    })
    .optional(),
});
export type Instance = z.infer<typeof instanceSchema>;
/** Asks the orchestrator to kill the given run (`<incarnation>`); set by faces (DELETE tasks), level-triggered. */
export const KILL_ANNOTATION = 'berth.dev/kill-incarnation';

/** `tasks/<agent id>/<task id>`: one run of something on one agent. Written by the master. */
export const taskSchema = z.looseObject({
  kind: z.literal('Task'),
  metadata: metadataSchema,
  spec: z.looseObject({
    taskId: z.string(),
    agentId: z.string(),
    frameworkId: z.string(),
    role: z.string(),
    /** What runs: kept so that a new leader can send it to the agent again. */
    info: taskInfoSchema,
  }),
  status: z.looseObject({
    /** The newest state the master has acted on. */
    state: z.enum(TASK_STATES),
    /** The status that brought it, with health. Its uuid is the one that must be acknowledged, if any. */
    latest: taskStatusSchema.optional(),
    /** Milliseconds since the epoch. */
    stagedAtMs: z.number(),
    startedAtMs: z.number().optional(),
    /** The framework asked for a kill; sent to the agent until it has ended. */
    killRequested: z.looseObject({ atMs: z.number(), graceMs: z.number().optional() }).optional(),
    unreachableSinceMs: z.number().optional(),
    /** States passed through, oldest first, bounded. */
    history: z
      .array(
        z.looseObject({
          state: z.enum(TASK_STATES),
          timestampMs: z.number(),
          reason: z.string().optional(),
          message: z.string().optional(),
        }),
      )
      .default([]),
  }),
});
export type Task = z.infer<typeof taskSchema>;

/** `agents/<id>`. Written by the master. Whether it answers right now is memory of the leader, not a record. */
export const agentSchema = z.looseObject({
  kind: z.literal('Agent'),
  metadata: metadataSchema,
  spec: z.looseObject({
    hostname: z.string(),
    /** Port of the agent's own HTTP server (5051). */
    port: z.number().int(),
    resources: z.array(resourceSchema),
    attributes: z.array(attributeSchema).default([]),
    region: z.string().optional(),
    zone: z.string().optional(),
    /** Containerizers in order of preference. */
    containerizers: z.array(z.string()).default([]),
    /** Operator's wish: no new tasks here (kubectl cordon). */
    unschedulable: z.boolean().optional(),
  }),
  status: z.looseObject({
    state: z.enum(['active', 'draining', 'unreachable', 'gone']),
    version: z.string().optional(),
    registeredAt: z.string(),
    reregisteredAt: z.string().optional(),
    unreachableSince: z.string().optional(),
    conditions: z.array(conditionSchema).optional(),
  }),
});
export type Agent = z.infer<typeof agentSchema>;

/** `frameworks/<id>`. Written by the master. */
export const frameworkSchema = z.looseObject({
  kind: z.literal('Framework'),
  metadata: metadataSchema,
  spec: z.looseObject({ info: frameworkInfoSchema }),
  status: z.looseObject({
    state: z.enum(['active', 'disconnected', 'completed']),
    registeredAt: z.string(),
    /** Milliseconds since the epoch; when it passes, a disconnected framework is removed. */
    failoverDeadlineMs: z.number().optional(),
  }),
});
export type Framework = z.infer<typeof frameworkSchema>;

const quantities = z.record(z.string(), z.number().nonnegative());

/** `roles/<name>` (a `/` in the role's name is part of the path). Written by the operator. */
export const roleSchema = z.looseObject({
  kind: z.literal('Role'),
  metadata: metadataSchema,
  spec: z.looseObject({
    name: z.string().min(1),
    weight: z.number().positive().default(1),
    quota: z.looseObject({ guarantees: quantities.default({}), limits: quantities.default({}) }).optional(),
  }),
});
export type Role = z.infer<typeof roleSchema>;

/** `events/<namespace>/<name>` (Kubernetes Event in short). Written by anyone; bounded and expiring (LIMITS.events). */
export const eventSchema = z.looseObject({
  kind: z.literal('Event'),
  metadata: metadataSchema,
  involvedObject: z.looseObject({
    kind: z.string(),
    namespace: z.string().optional(),
    name: z.string(),
    uid: z.string().optional(),
  }),
  type: z.enum(['Normal', 'Warning']),
  /** UpperCamelCase. */
  reason: z.string(),
  message: z.string(),
  /** How often it happened; a repeat raises it instead of making a new event. */
  count: z.number().int().positive(),
  firstTimestamp: z.string(),
  lastTimestamp: z.string(),
  source: z.string(),
});
export type BerthEvent = z.infer<typeof eventSchema>;

/** Every kind of record: plural (in keys and URLs), schema, and whether kubectl sees it inside a namespace. */
export const KINDS = {
  App: { plural: 'apps', schema: appSchema, namespaced: true },
  AppVersion: { plural: 'appversions', schema: appVersionSchema, namespaced: true },
  Group: { plural: 'groups', schema: groupSchema, namespaced: false },
  Rollout: { plural: 'rollouts', schema: rolloutSchema, namespaced: false },
  Instance: { plural: 'instances', schema: instanceSchema, namespaced: true },
  Task: { plural: 'tasks', schema: taskSchema, namespaced: false },
  Agent: { plural: 'agents', schema: agentSchema, namespaced: false },
  Framework: { plural: 'frameworks', schema: frameworkSchema, namespaced: false },
  Role: { plural: 'roles', schema: roleSchema, namespaced: false },
  Event: { plural: 'events', schema: eventSchema, namespaced: true },
} as const;

export interface RecordOf {
  App: App;
  AppVersion: AppVersion;
  Group: Group;
  Rollout: Rollout;
  Instance: Instance;
  Task: Task;
  Agent: Agent;
  Framework: Framework;
  Role: Role;
  Event: BerthEvent;
}
export type Kind = keyof RecordOf;
export const ALL_KINDS = Object.keys(KINDS) as Kind[];
