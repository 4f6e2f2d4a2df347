import { z } from 'zod';
import { conditionSchema, metadataSchema } from './metadata';

/**
 * Marathon's app definition in its stored (newest) form: every field, defaults filled in, ids absolute. Units as in
 * Marathon: `mem` and `disk` in MiB, everything named Seconds in seconds. Source: Marathon 1.11 RAML.
 * The same schema reads what kubectl sends (defaults apply) and what etcd holds; Marathon's older wire forms are translated
 * by api/marathon before they get here. Rules that need more than one field are in core/records/app-validation.ts.
 */

const ID_SEGMENT = '(?:(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\\.)*(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])';
const ID_STEP = `(?:${ID_SEGMENT}|\\.{1,2})`;
/** An absolute app or group id: `/prod/web`. */
export const ABSOLUTE_ID_PATTERN = new RegExp(`^(?:/${ID_SEGMENT})+$`);
/**
 * An id as users may write it: relative steps, a missing leading slash and doubled ones included. Segments are told apart by
 * slashes that must be there: with optional ones this pattern takes exponential time on an id that does not match.
 */
export const PATH_ID_PATTERN = new RegExp(`^/*(?:${ID_STEP}(?:/+${ID_STEP})*/*)?$`);
export const PORT_NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

const stringMap = z.record(z.string(), z.string());
const port = z.number().int().min(0).max(65535);

export const networkSchema = z.looseObject({
  mode: z.enum(['host', 'container/bridge', 'container', 'none']).default('container'),
  name: z.string().optional(),
  labels: stringMap.default({}),
});

export const portDefinitionSchema = z.looseObject({
  /** Service port; with requirePorts also the host port. 0: Berth picks one when the app is stored. */
  port: port.default(0),
  protocol: z.enum(['tcp', 'udp', 'udp,tcp']).default('tcp'),
  name: z.string().regex(PORT_NAME_PATTERN).optional(),
  labels: stringMap.default({}),
});

export const portMappingSchema = z.looseObject({
  /** 0: the same as the host port. */
  containerPort: port.default(0),
  /** 0: any port of the offer; absent (container networks only): none. */
  hostPort: port.optional(),
  servicePort: port.default(0),
  protocol: z.enum(['tcp', 'udp', 'udp,tcp']).default('tcp'),
  name: z.string().regex(PORT_NAME_PATTERN).optional(),
  labels: stringMap.default({}),
  networkNames: z.array(z.string()).default([]),
});

export const volumeSchema = z.looseObject({
  containerPath: z.string().min(1),
  hostPath: z.string().min(1).optional(),
  mode: z.enum(['RO', 'RW']).optional(),
  persistent: z
    .looseObject({
      size: z.number().int().positive(),
      type: z.enum(['root', 'path', 'mount']).default('root'),
      maxSize: z.number().int().positive().optional(),
      constraints: z.array(z.array(z.string())).default([]),
      profileName: z.string().optional(),
    })
    .optional(),
  external: z
    .looseObject({
      name: z.string().min(1),
      provider: z.string().min(1),
      options: stringMap.default({}),
      size: z.number().int().positive().optional(),
      shared: z.boolean().default(false),
    })
    .optional(),
  secret: z.string().min(1).optional(),
});

export const dockerSchema = z.looseObject({
  image: z.string().min(1),
  forcePullImage: z.boolean().default(false),
  privileged: z.boolean().default(false),
  /** Extra `docker run` flags, in order, without the leading dashes. */
  parameters: z.array(z.looseObject({ key: z.string().min(1), value: z.string() })).default([]),
  pullConfig: z.looseObject({ secret: z.string().min(1) }).optional(),
});

export const containerSchema = z.looseObject({
  type: z.enum(['DOCKER', 'MESOS']).default('DOCKER'),
  docker: dockerSchema.optional(),
  volumes: z.array(volumeSchema).default([]),
  portMappings: z.array(portMappingSchema).optional(),
  linuxInfo: z.looseObject({}).optional(),
});

export const HEALTH_PROTOCOLS = ['HTTP', 'HTTPS', 'TCP', 'COMMAND', 'MESOS_HTTP', 'MESOS_HTTPS', 'MESOS_TCP'] as const;

export const healthCheckSchema = z.looseObject({
  protocol: z.enum(HEALTH_PROTOCOLS).default('HTTP'),
  path: z.string().optional(),
  portIndex: z.number().int().nonnegative().optional(),
  port: port.optional(),
  command: z.looseObject({ value: z.string().min(1) }).optional(),
  gracePeriodSeconds: z.number().nonnegative().default(300),
  intervalSeconds: z.number().nonnegative().default(60),
  timeoutSeconds: z.number().nonnegative().default(20),
  /** 0: never kill. */
  maxConsecutiveFailures: z.number().int().nonnegative().default(3),
  delaySeconds: z.number().nonnegative().default(15),
  ignoreHttp1xx: z.boolean().default(false),
  ipProtocol: z.enum(['IPv4', 'IPv6']).default('IPv4'),
});

export const readinessCheckSchema = z.looseObject({
  name: z.string().min(1).default('readinessCheck'),
  protocol: z.enum(['HTTP', 'HTTPS']).default('HTTP'),
  path: z.string().default('/'),
  portName: z.string().default('http-api'),
  intervalSeconds: z.number().positive().default(30),
  timeoutSeconds: z.number().positive().default(10),
  httpStatusCodesForReady: z.array(z.number().int()).default([200]),
  preserveLastResponse: z.boolean().default(false),
});

export const CONSTRAINT_OPERATORS = ['UNIQUE', 'CLUSTER', 'GROUP_BY', 'LIKE', 'UNLIKE', 'MAX_PER', 'IS'] as const;
export type ConstraintOperator = (typeof CONSTRAINT_OPERATORS)[number];

/** `[field, operator]` or `[field, operator, value]`; the value is text even for numbers (Marathon's form). */
export const constraintSchema = z.array(z.string()).min(2).max(3);

export const fetchSchema = z.looseObject({
  uri: z.string().min(1).max(1024),
  extract: z.boolean().default(true),
  executable: z.boolean().default(false),
  cache: z.boolean().default(false),
  destPath: z.string().optional(),
});

const capacity = z.number().min(0).max(1);
export const upgradeStrategySchema = z.looseObject({
  minimumHealthCapacity: capacity.default(1),
  maximumOverCapacity: capacity.default(1),
});

export const unreachableStrategySchema = z.union([
  z.literal('disabled'),
  z.looseObject({
    inactiveAfterSeconds: z.number().int().nonnegative().default(0),
    expungeAfterSeconds: z.number().int().nonnegative().default(0),
  }),
]);

const limitValue = z.union([z.literal('unlimited'), z.number().nonnegative()]);

export const appSpecSchema = z.looseObject({
  id: z.string().regex(ABSOLUTE_ID_PATTERN),
  cmd: z.string().min(1).optional(),
  args: z.array(z.string()).default([]),
  user: z.string().optional(),
  instances: z.number().int().nonnegative().default(1),
  cpus: z.number().nonnegative().default(1),
  mem: z.number().nonnegative().default(128),
  disk: z.number().nonnegative().default(0),
  gpus: z.number().int().nonnegative().default(0),
  resourceLimits: z.looseObject({ cpus: limitValue.optional(), mem: limitValue.optional() }).optional(),
  env: z.record(z.string().min(1), z.union([z.string(), z.looseObject({ secret: z.string().min(1) })])).default({}),
  secrets: z.record(z.string(), z.looseObject({ source: z.string().min(1) })).default({}),
  labels: stringMap.default({}),
  container: containerSchema.optional(),
  networks: z.array(networkSchema).default([{ mode: 'host', labels: {} }]),
  portDefinitions: z.array(portDefinitionSchema).optional(),
  requirePorts: z.boolean().default(false),
  fetch: z.array(fetchSchema).default([]),
  constraints: z.array(constraintSchema).default([]),
  acceptedResourceRoles: z.array(z.string().min(1)).min(1).optional(),
  role: z.string().min(1).default('*'),
  healthChecks: z.array(healthCheckSchema).default([]),
  check: z.looseObject({}).optional(),
  readinessChecks: z.array(readinessCheckSchema).default([]),
  dependencies: z.array(z.string().regex(ABSOLUTE_ID_PATTERN)).default([]),
  upgradeStrategy: upgradeStrategySchema.default({ minimumHealthCapacity: 1, maximumOverCapacity: 1 }),
  backoffSeconds: z.number().nonnegative().default(1),
  backoffFactor: z.number().min(1).default(1.15),
  maxLaunchDelaySeconds: z.number().nonnegative().default(300),
  taskKillGracePeriodSeconds: z.number().nonnegative().optional(),
  killSelection: z.enum(['YOUNGEST_FIRST', 'OLDEST_FIRST']).default('YOUNGEST_FIRST'),
  unreachableStrategy: unreachableStrategySchema.default({ inactiveAfterSeconds: 0, expungeAfterSeconds: 0 }),
  residency: z.looseObject({}).optional(),
  executor: z.string().default(''),
  executorResources: z.looseObject({ cpus: z.number(), mem: z.number(), disk: z.number() }).partial().optional(),
  tty: z.boolean().optional(),
  /** Timestamp of this version; set by the group manager, unique and rising per app. */
  version: z.string().default(''),
  versionInfo: z.looseObject({ lastScalingAt: z.string(), lastConfigChangeAt: z.string() }).optional(),
});

export type AppSpec = z.infer<typeof appSpecSchema>;
/** What a user may leave out: everything but the id. */
export type AppSpecInput = z.input<typeof appSpecSchema>;
export type Network = z.infer<typeof networkSchema>;
export type PortDefinition = z.infer<typeof portDefinitionSchema>;
export type PortMapping = z.infer<typeof portMappingSchema>;
export type Volume = z.infer<typeof volumeSchema>;
export type AppHealthCheck = z.infer<typeof healthCheckSchema>;
export type ReadinessCheck = z.infer<typeof readinessCheckSchema>;
export type UpgradeStrategy = z.infer<typeof upgradeStrategySchema>;
export type AppConstraint = readonly string[];

export const taskFailureSchema = z.looseObject({
  appId: z.string(),
  host: z.string(),
  message: z.string(),
  slaveId: z.string().optional(),
  state: z.string(),
  taskId: z.string(),
  timestamp: z.string(),
  version: z.string(),
});
export type TaskFailure = z.infer<typeof taskFailureSchema>;

export const rejectionSchema = z.looseObject({
  reason: z.string(),
  declined: z.number().int(),
  processed: z.number().int(),
});

/** Why instances of an app wait, as shown by /v2/queue and `kubectl describe`. Written by the orchestrator. */
export const launchQueueItemSchema = z.looseObject({
  /** Instances that wait for a place. */
  count: z.number().int().nonnegative(),
  role: z.string(),
  /** ISO-8601; since when something waits. */
  since: z.string(),
  /** Milliseconds since the epoch until which back-off holds launches; 0: none. */
  delayUntilMs: z.number().nonnegative(),
  processedOffersCount: z.number().int(),
  unusedOffersCount: z.number().int(),
  lastUnusedOfferAt: z.string().optional(),
  lastUsedOfferAt: z.string().optional(),
  /** Both lists hold every reason in funnel order (core/placement). */
  rejectSummaryLastOffers: z.array(rejectionSchema),
  rejectSummaryLaunchAttempt: z.array(rejectionSchema),
  lastUnusedOffers: z
    .array(z.looseObject({ offer: z.unknown(), reason: z.array(z.string()), timestamp: z.string() }))
    .default([]),
  /** One sentence for people. */
  message: z.string(),
});
export type LaunchQueueItem = z.infer<typeof launchQueueItemSchema>;

export const appStatusSchema = z.looseObject({
  observedGeneration: z.number().int().optional(),
  instances: z.number().int().optional(),
  tasksStaged: z.number().int().optional(),
  tasksRunning: z.number().int().optional(),
  tasksHealthy: z.number().int().optional(),
  tasksUnhealthy: z.number().int().optional(),
  lastTaskFailure: taskFailureSchema.optional(),
  launchQueue: launchQueueItemSchema.optional(),
  conditions: z.array(conditionSchema).optional(),
});

/** `apps/<id path>`. Written by the faces through the group manager; `status` by the orchestrator. */
export const appSchema = z.looseObject({
  kind: z.literal('App'),
  metadata: metadataSchema,
  spec: appSpecSchema,
  status: appStatusSchema.optional(),
});
export type App = z.infer<typeof appSchema>;
export type AppStatus = z.infer<typeof appStatusSchema>;

/** `appversions/<id path>/<version>`: one former or current definition of an app. */
export const appVersionSchema = z.looseObject({
  kind: z.literal('AppVersion'),
  metadata: metadataSchema,
  spec: appSpecSchema,
});
export type AppVersion = z.infer<typeof appVersionSchema>;

/** Keeps the App record until its containers are gone; taken away by the orchestrator. */
export const APP_FINALIZER = 'berth.dev/tasks-stopped';
/** A new value clears the launch back-off of the app (DELETE /v2/queue/{id}/delay). */
export const RESET_DELAY_ANNOTATION = 'berth.dev/reset-delay';
