import { z } from 'zod';

/** What the command line reads of a cluster's answers. Unknown fields are ignored: the server may be newer. */

const count = z.number().int().nonnegative();

/** `GET /v1/status` of a server: the whole cluster in one answer. */
export const statusSchema = z.looseObject({
  version: z.string(),
  cluster: z.string().optional(),
  /** Absent or null: nobody leads right now. */
  leader: z.looseObject({ hostname: z.string(), marathonAddress: z.string().optional() }).nullish(),
  etcd: z.looseObject({
    healthy: z.boolean(),
    endpoints: z.array(z.string()).optional(),
    message: z.string().optional(),
  }),
  auth: z.enum(['none-loopback', 'token', 'insecure']),
  agents: z.array(
    z.looseObject({
      id: z.string(),
      hostname: z.string(),
      port: z.number().int(),
      /** `https` when the agent's port speaks TLS. */
      scheme: z.enum(['http', 'https']).default('http'),
      state: z.string(),
      resources: z.looseObject({ cpus: z.number().optional(), mem: z.number().optional() }).default({}),
    }),
  ),
  apps: z.array(
    z.looseObject({
      id: z.string(),
      instances: count,
      running: count,
      healthy: count.default(0),
      unhealthy: count.default(0),
      /** Why it is not complete, in one sentence. */
      message: z.string().optional(),
    }),
  ),
  /** Running tasks whose app or framework is on no record. */
  orphanedTasks: z.array(z.looseObject({ id: z.string(), hostname: z.string(), missing: z.string() })).default([]),
});
export type ClusterStatus = z.infer<typeof statusSchema>;

const failure = z.looseObject({ state: z.string(), message: z.string(), host: z.string().optional() });

export const marathonTaskSchema = z.looseObject({
  id: z.string(),
  host: z.string().default(''),
  ports: z.array(z.number().int()).default([]),
  slaveId: z.string().nullish(),
  state: z.string().optional(),
  startedAt: z.string().nullish(),
});
export type MarathonTask = z.infer<typeof marathonTaskSchema>;

/** `GET /v2/apps/{id}` (Marathon). */
export const appAnswerSchema = z.looseObject({
  app: z.looseObject({
    id: z.string(),
    instances: count,
    tasksRunning: count.default(0),
    tasksHealthy: count.default(0),
    tasks: z.array(marathonTaskSchema).default([]),
    deployments: z.array(z.looseObject({ id: z.string() })).default([]),
    lastTaskFailure: failure.nullish(),
  }),
});
export type AppAnswer = z.infer<typeof appAnswerSchema>['app'];

/** `GET /v2/queue` (Marathon). */
export const queueAnswerSchema = z.looseObject({
  queue: z.array(
    z.looseObject({
      app: z.looseObject({ id: z.string() }).optional(),
      processedOffersSummary: z
        .looseObject({
          rejectSummaryLastOffers: z.array(z.looseObject({ reason: z.string(), declined: z.number() })).default([]),
        })
        .optional(),
      /** Berth's addition: the reason in one sentence. */
      message: z.string().optional(),
    }),
  ),
});
