import { z } from 'zod';

/**
 * The Mesos v1 nouns, in the JSON form of Mesos v1 (snake_case), as far as Berth reads them; everything else is kept as
 * sent (loose objects). `id` objects are `{value}`. Sources: mesos.proto v1; reference: section 3 and 8.
 */

const value = z.looseObject({ value: z.string() });

export const resourceSchema = z.looseObject({
  name: z.string().min(1),
  type: z.enum(['SCALAR', 'RANGES', 'SET']),
  /** Three decimals count. mem and disk in MB. */
  scalar: z.looseObject({ value: z.number() }).optional(),
  /** Inclusive on both ends. */
  ranges: z
    .looseObject({ range: z.array(z.looseObject({ begin: z.number().int(), end: z.number().int() })) })
    .optional(),
  set: z.looseObject({ item: z.array(z.string()) }).optional(),
  /** Reserved for this role; `*` or absent: unreserved. */
  role: z.string().optional(),
  allocation_info: z.looseObject({ role: z.string().optional() }).optional(),
});
export type Resource = z.infer<typeof resourceSchema>;

export const attributeSchema = z.looseObject({
  name: z.string().min(1),
  type: z.enum(['SCALAR', 'RANGES', 'SET', 'TEXT']),
  scalar: z.looseObject({ value: z.number() }).optional(),
  ranges: z.looseObject({ range: z.array(z.looseObject({ begin: z.number(), end: z.number() })) }).optional(),
  set: z.looseObject({ item: z.array(z.string()) }).optional(),
  text: z.looseObject({ value: z.string() }).optional(),
});
export type Attribute = z.infer<typeof attributeSchema>;

export const TASK_STATES = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNREACHABLE',
  'TASK_UNKNOWN',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

const TERMINAL: ReadonlySet<string> = new Set([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]);
/** Mesos: a task in one of these states never runs again and holds no resources. TASK_UNREACHABLE is not one of them. */
export function isTerminal(state: TaskState): boolean {
  return TERMINAL.has(state);
}

const environmentSchema = z.looseObject({
  variables: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).default([]),
});

export const uriSchema = z.looseObject({
  value: z.string(),
  executable: z.boolean().optional(),
  extract: z.boolean().optional(),
  cache: z.boolean().optional(),
  output_file: z.string().optional(),
});

export const commandInfoSchema = z.looseObject({
  value: z.string().optional(),
  /** true: `/bin/sh -c value`; false: execvp(value, arguments). Mesos default true. */
  shell: z.boolean().optional(),
  arguments: z.array(z.string()).optional(),
  uris: z.array(uriSchema).optional(),
  environment: environmentSchema.optional(),
  user: z.string().optional(),
});
export type CommandInfo = z.infer<typeof commandInfoSchema>;

export const mesosVolumeSchema = z.looseObject({
  container_path: z.string(),
  host_path: z.string().optional(),
  mode: z.enum(['RO', 'RW']).optional(),
});

export const containerInfoSchema = z.looseObject({
  type: z.enum(['DOCKER', 'MESOS']),
  hostname: z.string().optional(),
  volumes: z.array(mesosVolumeSchema).optional(),
  network_infos: z.array(z.looseObject({ name: z.string().optional() })).optional(),
  docker: z
    .looseObject({
      image: z.string(),
      network: z.enum(['HOST', 'BRIDGE', 'NONE', 'USER']).optional(),
      port_mappings: z
        .array(
          z.looseObject({
            host_port: z.number().int(),
            container_port: z.number().int(),
            protocol: z.string().optional(),
          }),
        )
        .optional(),
      privileged: z.boolean().optional(),
      parameters: z.array(z.looseObject({ key: z.string(), value: z.string() })).optional(),
      force_pull_image: z.boolean().optional(),
    })
    .optional(),
  mesos: z.looseObject({}).optional(),
});
export type ContainerInfo = z.infer<typeof containerInfoSchema>;

/** Mesos HealthCheck; all times in seconds. */
export const mesosHealthCheckSchema = z.looseObject({
  type: z.enum(['COMMAND', 'HTTP', 'TCP']),
  delay_seconds: z.number().default(15),
  interval_seconds: z.number().default(10),
  timeout_seconds: z.number().default(20),
  /** Mesos kills at this many; 0 (Marathon): never. */
  consecutive_failures: z.number().int().default(3),
  grace_period_seconds: z.number().default(10),
  http: z
    .looseObject({
      port: z.number().int(),
      path: z.string().optional(),
      scheme: z.string().optional(),
      statuses: z.array(z.number().int()).optional(),
    })
    .optional(),
  tcp: z.looseObject({ port: z.number().int() }).optional(),
  command: commandInfoSchema.optional(),
  /** Berth extension: Marathon's ignoreHttp1xx. */
  ignore_http_1xx: z.boolean().optional(),
  /**
   * Berth extension. `host`: the port is a port of the agent's address (Marathon's HTTP, HTTPS, TCP checks, which came from
   * outside of the container). Absent or `container`: it is a port inside the task's own network (Mesos).
   */
  from: z.enum(['host', 'container']).optional(),
});
export type MesosHealthCheck = z.infer<typeof mesosHealthCheckSchema>;

export const taskInfoSchema = z.looseObject({
  name: z.string(),
  task_id: value,
  agent_id: value,
  resources: z.array(resourceSchema).default([]),
  executor: z.looseObject({}).optional(),
  command: commandInfoSchema.optional(),
  container: containerInfoSchema.optional(),
  /** The agent checks and, at consecutive_failures, kills (Mesos). */
  health_check: mesosHealthCheckSchema.optional(),
  /** Berth extension: any number of checks whose results are only reported (in TaskStatus.health); the framework decides. */
  health_checks: z.array(mesosHealthCheckSchema).optional(),
  /** Berth extension: readiness checks, reported in TaskStatus.readiness until each has been ready once. */
  readiness_checks: z
    .array(
      z.looseObject({
        name: z.string(),
        port: z.number().int(),
        path: z.string(),
        scheme: z.string(),
        interval_seconds: z.number(),
        timeout_seconds: z.number(),
        statuses: z.array(z.number().int()),
        preserve_last_response: z.boolean().optional(),
        from: z.enum(['host', 'container']).optional(),
      }),
    )
    .optional(),
  kill_policy: z.looseObject({ grace_period: z.looseObject({ nanoseconds: z.number() }).optional() }).optional(),
  labels: z
    .looseObject({ labels: z.array(z.looseObject({ key: z.string(), value: z.string().optional() })) })
    .optional(),
  discovery: z.looseObject({}).optional(),
  limits: z.record(z.string(), z.unknown()).optional(),
});
export type TaskInfo = z.infer<typeof taskInfoSchema>;

/** Result of one health check (Marathon: Health). Times ISO-8601. */
export const healthResultSchema = z.looseObject({
  alive: z.boolean(),
  consecutiveFailures: z.number().int().nonnegative(),
  firstSuccess: z.string().optional(),
  lastSuccess: z.string().optional(),
  lastFailure: z.string().optional(),
  lastFailureCause: z.string().optional(),
});
export type HealthResult = z.infer<typeof healthResultSchema>;

export const readinessResultSchema = z.looseObject({
  name: z.string(),
  ready: z.boolean(),
  lastResponse: z.looseObject({ status: z.number(), contentType: z.string(), body: z.string() }).optional(),
});
export type ReadinessResult = z.infer<typeof readinessResultSchema>;

export const taskStatusSchema = z.looseObject({
  task_id: value,
  state: z.enum(TASK_STATES),
  message: z.string().optional(),
  source: z.enum(['SOURCE_MASTER', 'SOURCE_AGENT', 'SOURCE_EXECUTOR']).optional(),
  reason: z.string().optional(),
  agent_id: value.optional(),
  executor_id: value.optional(),
  /** Seconds since the epoch, with fractions. */
  timestamp: z.number().optional(),
  /** base64 of 16 bytes. Absent: made by the master, sent once, not to be acknowledged. */
  uuid: z.string().optional(),
  healthy: z.boolean().optional(),
  data: z.string().optional(),
  container_status: z
    .looseObject({
      container_id: value.optional(),
      network_infos: z
        .array(
          z.looseObject({
            ip_addresses: z
              .array(z.looseObject({ ip_address: z.string().optional(), protocol: z.string().optional() }))
              .optional(),
          }),
        )
        .optional(),
    })
    .optional(),
  /** Berth extension: one result per TaskInfo.health_checks entry that has reported, by its index; null: no result yet. */
  health: z.array(healthResultSchema.nullable()).optional(),
  /** Berth extension: results of TaskInfo.readiness_checks. */
  readiness: z.array(readinessResultSchema).optional(),
  /** Berth extension: what the task is doing before it runs (`pulling image x`), for people. */
  phase: z.string().optional(),
});
export type TaskStatus = z.infer<typeof taskStatusSchema>;

export const frameworkInfoSchema = z.looseObject({
  user: z.string(),
  name: z.string(),
  id: value.optional(),
  /** Seconds. */
  failover_timeout: z.number().optional(),
  checkpoint: z.boolean().optional(),
  role: z.string().optional(),
  roles: z.array(z.string()).optional(),
  hostname: z.string().optional(),
  principal: z.string().optional(),
  webui_url: z.string().optional(),
  capabilities: z.array(z.looseObject({ type: z.string() })).optional(),
});
export type FrameworkInfo = z.infer<typeof frameworkInfoSchema>;

export interface Offer {
  readonly id: { readonly value: string };
  readonly framework_id: { readonly value: string };
  readonly agent_id: { readonly value: string };
  readonly hostname: string;
  readonly url?: unknown;
  readonly domain?: unknown;
  readonly resources: readonly Resource[];
  readonly attributes: readonly Attribute[];
  readonly executor_ids?: readonly { readonly value: string }[];
  readonly allocation_info: { readonly role: string };
}

/** Seconds since the epoch with three decimals, as in TaskStatus.timestamp. */
export function mesosTimestamp(nowMs: number): number {
  return Math.round(nowMs) / 1000;
}
