import { z } from 'zod';
import { HEALTH_PROTOCOLS, PATH_ID_PATTERN, PORT_NAME_PATTERN } from '../../core/records/app';

/**
 * What clients of any Marathon version send as an app, old forms and new ones beside each other. Nothing has a default here:
 * an absent field of an update must stay absent. Strict objects, so that unknown fields can be named (decode.ts).
 */

/** Marathon reads enums in any case and writes them in one. `UdpTcp`-like spellings without `_` are old ones. */
function caseless<const T extends readonly [string, ...string[]]>(values: T) {
  const plain = (text: string) => text.toLowerCase().replaceAll('_', '');
  return z.preprocess(
    (raw) => (typeof raw === 'string' ? (values.find((value) => plain(value) === plain(raw)) ?? raw) : raw),
    z.enum(values),
  );
}

const stringMap = z.record(z.string(), z.string());
const port = z.number().int().min(0).max(65535);
const portName = z.string().regex(PORT_NAME_PATTERN);
const protocol = caseless(['tcp', 'udp', 'udp,tcp']);
const pathId = z.string().min(1).regex(PATH_ID_PATTERN);
const seconds = z.number().min(0);

const network = z.strictObject({
  mode: caseless(['host', 'container/bridge', 'container', 'none']).optional(),
  name: z.string().min(1).optional(),
  labels: stringMap.optional(),
});

const portDefinition = z.strictObject({
  port: port.optional(),
  protocol: protocol.optional(),
  name: portName.optional(),
  labels: stringMap.optional(),
});

const portMapping = z.strictObject({
  containerPort: port.optional(),
  hostPort: port.optional(),
  servicePort: port.optional(),
  protocol: protocol.optional(),
  name: portName.optional(),
  labels: stringMap.optional(),
  networkNames: z.array(z.string()).optional(),
});
export type WirePortMapping = z.infer<typeof portMapping>;

/** Old IP-per-task. */
const ipAddress = z.strictObject({
  networkName: z.string().min(1).optional(),
  groups: z.array(z.string()).optional(),
  labels: stringMap.optional(),
  discovery: z
    .strictObject({
      ports: z
        .array(
          z.strictObject({
            number: port,
            name: portName.optional(),
            protocol: protocol.optional(),
            labels: stringMap.optional(),
          }),
        )
        .optional(),
    })
    .optional(),
});
export type WireIpAddress = z.infer<typeof ipAddress>;

const volume = z.strictObject({
  containerPath: z.string().min(1),
  hostPath: z.string().min(1).optional(),
  mode: caseless(['RO', 'RW']).optional(),
  persistent: z
    .strictObject({
      size: z.number().int().min(1),
      type: caseless(['root', 'path', 'mount']).optional(),
      maxSize: z.number().int().min(1).optional(),
      constraints: z.array(z.array(z.string())).optional(),
      profileName: z.string().optional(),
    })
    .optional(),
  external: z
    .strictObject({
      name: z.string().min(1),
      provider: z.string().min(1),
      options: stringMap.optional(),
      size: z.number().int().min(1).optional(),
      shared: z.boolean().optional(),
    })
    .optional(),
  secret: z.string().min(1).optional(),
});
export type WireVolume = z.infer<typeof volume>;

const docker = z.strictObject({
  image: z.string().min(1),
  forcePullImage: z.boolean().optional(),
  privileged: z.boolean().optional(),
  parameters: z.array(z.strictObject({ key: z.string().min(1), value: z.string() })).optional(),
  pullConfig: z.strictObject({ secret: z.string().min(1) }).optional(),
  /** Gone since Marathon 1.5; must be empty. */
  credential: z.looseObject({}).optional(),
  network: caseless(['HOST', 'BRIDGE', 'USER', 'NONE']).optional(),
  portMappings: z.array(portMapping).optional(),
});

const container = z.strictObject({
  type: caseless(['DOCKER', 'MESOS']).optional(),
  docker: docker.optional(),
  volumes: z.array(volume).optional(),
  portMappings: z.array(portMapping).optional(),
  linuxInfo: z.looseObject({}).optional(),
});
export type WireContainer = z.infer<typeof container>;

const healthCheck = z.strictObject({
  protocol: caseless(HEALTH_PROTOCOLS).optional(),
  path: z.string().optional(),
  portIndex: z.number().int().min(0).optional(),
  port: port.optional(),
  command: z.strictObject({ value: z.string().min(1) }).optional(),
  gracePeriodSeconds: seconds.optional(),
  intervalSeconds: seconds.optional(),
  timeoutSeconds: seconds.optional(),
  maxConsecutiveFailures: z.number().int().min(0).optional(),
  delaySeconds: seconds.optional(),
  ignoreHttp1xx: z.boolean().optional(),
  ipProtocol: caseless(['IPv4', 'IPv6']).optional(),
});

const readinessCheck = z.strictObject({
  name: z.string().min(1).optional(),
  protocol: caseless(['HTTP', 'HTTPS']).optional(),
  path: z.string().optional(),
  portName: z.string().min(1).optional(),
  intervalSeconds: seconds.optional(),
  timeoutSeconds: seconds.optional(),
  httpStatusCodesForReady: z.array(z.number().int().min(100).max(999)).min(1).optional(),
  preserveLastResponse: z.boolean().optional(),
});

const fetch = z.strictObject({
  uri: z.string().min(1).max(1024),
  extract: z.boolean().optional(),
  executable: z.boolean().optional(),
  cache: z.boolean().optional(),
  destPath: z.string().min(1).optional(),
});

/** `["cpus", "UNIQUE"]`; numbers and a null or empty last value are tolerated (seen in the wild). */
const constraint = z.array(z.union([z.string(), z.number(), z.null()], { error: 'error.expected.jsstring' }));

const unreachableStrategy = z.union(
  [
    z.preprocess((raw) => (typeof raw === 'string' ? raw.toLowerCase() : raw), z.literal('disabled')),
    z.looseObject({
      inactiveAfterSeconds: z.number().int().min(0).optional(),
      expungeAfterSeconds: z.number().int().min(0).optional(),
    }),
  ],
  { error: 'error.expected.jsobject' },
);

const limit = z.union([z.literal('unlimited'), z.number().min(0)], { error: 'error.expected.jsnumber' });
const capacity = z.number().min(0).max(1);
const EXECUTOR_PATTERN = /^(?:\/\/cmd|\/?[^/]+(?:\/[^/]+)*|)$/;

/** Everything that an answer has and a definition has not: clients send back what they were sent. */
const answerOnly = {
  tasksStaged: z.unknown(),
  tasksRunning: z.unknown(),
  tasksHealthy: z.unknown(),
  tasksUnhealthy: z.unknown(),
  tasks: z.unknown(),
  tasksStats: z.unknown(),
  taskStats: z.unknown(),
  deployments: z.unknown(),
  lastTaskFailure: z.unknown(),
  readinessCheckResults: z.unknown(),
  versionInfo: z.unknown(),
  /** Removed in Marathon 1.5. */
  storeUrls: z.unknown(),
};

export const wireAppSchema = z
  .strictObject({
    ...answerOnly,
    id: pathId,
    cmd: z.string().min(1),
    args: z.array(z.string()),
    user: z.string(),
    instances: z.number().int().min(0),
    cpus: z.number().min(0),
    mem: z.number().min(0),
    disk: z.number().min(0),
    gpus: z.number().int().min(0),
    resourceLimits: z.strictObject({ cpus: limit.optional(), mem: limit.optional() }),
    env: z.record(
      z.string().min(1),
      z.union([z.string(), z.looseObject({ secret: z.string().min(1) })], { error: 'error.expected.jsstring' }),
    ),
    secrets: z.record(z.string(), z.strictObject({ source: z.string().min(1) })),
    labels: stringMap,
    container,
    networks: z.array(network),
    ipAddress,
    portDefinitions: z.array(portDefinition),
    ports: z.array(port),
    requirePorts: z.boolean(),
    fetch: z.array(fetch),
    uris: z.array(z.string().min(1).max(1024)),
    constraints: z.array(constraint),
    acceptedResourceRoles: z.array(z.string().min(1)).min(1),
    role: z.string().min(1),
    healthChecks: z.array(healthCheck),
    check: z.looseObject({}),
    readinessChecks: z.array(readinessCheck).max(1),
    dependencies: z.array(pathId),
    upgradeStrategy: z.strictObject({
      minimumHealthCapacity: capacity.optional(),
      maximumOverCapacity: capacity.optional(),
    }),
    backoffSeconds: seconds,
    backoffFactor: z.number().min(1),
    maxLaunchDelaySeconds: seconds,
    taskKillGracePeriodSeconds: seconds,
    killSelection: caseless(['YOUNGEST_FIRST', 'OLDEST_FIRST']),
    unreachableStrategy,
    residency: z.looseObject({}),
    executor: z.string().regex(EXECUTOR_PATTERN),
    executorResources: z.strictObject({
      cpus: z.number().min(0.1).optional(),
      mem: z.number().min(32).optional(),
      disk: z.number().min(10).optional(),
    }),
    tty: z.boolean(),
    version: z.string(),
  })
  .partial();

export type WireApp = z.infer<typeof wireAppSchema>;
