import type { Violation } from '../errors';
import type { AppSpec } from './app';
import { CONSTRAINT_OPERATORS } from './app';
import { hasPersistentVolume, isSingleInstance } from './app-defaults';

type Rule = (spec: AppSpec) => Violation[];

function violation(path: string, message: string): Violation {
  return { path, message };
}

/** The message if the condition does not hold. */
function must(holds: boolean, path: string, message: string): Violation[] {
  return holds ? [] : [violation(path, message)];
}

function eachOf<T>(items: readonly T[], check: (item: T, at: number) => Violation[]): Violation[] {
  return items.flatMap(check);
}

function isUniqueList(values: readonly (string | number)[]): boolean {
  return new Set(values).size === values.length;
}

const RESERVED = ['restart', 'tasks', 'versions', '.', '..'];

const idRule: Rule = ({ id }) =>
  must(
    !RESERVED.includes(id.slice(id.lastIndexOf('/') + 1)),
    '/id',
    `must not end with any of the following reserved keywords: ${RESERVED.join(', ')}`,
  );

const commandRule: Rule = ({ cmd, args, container }) => [
  ...must(
    (cmd === undefined || args.length === 0) &&
      (cmd !== undefined || args.length > 0 || container?.docker !== undefined),
    '/',
    "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.",
  ),
];

const containerRule: Rule = ({ container }) => {
  if (container === undefined) return [];
  if (container.type === 'DOCKER') {
    return [
      ...must(container.docker !== undefined, '/container/docker', 'not defined'),
      ...must(container.docker?.pullConfig === undefined, '/container/docker/pullConfig', 'must be empty'),
    ];
  }
  return must((container.docker?.parameters ?? []).length === 0, '/container/docker/parameters', 'must be empty');
};

const networkRule: Rule = ({ networks, container }) => {
  const modes = new Set(networks.map(({ mode }) => mode));
  const names = networks.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const isDocker = container?.type === 'DOCKER';
  return [
    ...must(
      modes.size <= 1 && (modes.has('container') || networks.length <= 1),
      '/networks',
      'may only specify a single host network, a single bridge network, or 1-to-n container networks',
    ),
    ...must(isUniqueList(names), '/networks', 'Network names must be unique.'),
    ...must(
      !isDocker || networks.length <= 1,
      '/networks',
      'may only specify a single container network when using the Docker container engine',
    ),
    ...eachOf(networks, ({ mode, name, labels }, at) => [
      ...must(
        mode !== 'container' || name !== undefined,
        `/networks(${at})/name`,
        'Network name must be specified when container network is selected.',
      ),
      ...must(mode === 'container' || name === undefined, `/networks(${at})/name`, 'must be empty'),
      ...must(mode !== 'host' || Object.keys(labels).length === 0, `/networks(${at})/labels`, 'must be empty'),
    ]),
  ];
};

const portRule: Rule = ({ portDefinitions = [] }) => {
  const numbers = portDefinitions.map(({ port }) => port).filter((port) => port !== 0);
  const names = portDefinitions.flatMap(({ name }) => (name === undefined ? [] : [name]));
  return [
    ...must(isUniqueList(numbers), '/portDefinitions', 'Ports must be unique.'),
    ...must(isUniqueList(names), '/portDefinitions', 'Port names must be unique.'),
  ];
};

const mappingRule: Rule = ({ container, networks }) => {
  const mappings = container?.portMappings ?? [];
  const names = mappings.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const known = networks.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const many = networks.filter(({ mode }) => mode === 'container').length > 1;
  return [
    ...must(isUniqueList(names), '/container/portMappings', 'Port names must be unique.'),
    ...eachOf(mappings, ({ networkNames, hostPort }, at) => [
      ...eachOf(networkNames, (name, index) =>
        must(
          known.includes(name),
          `/container/portMappings(${at})/networkNames(${index})`,
          `is not one of (${known.join(',')})`,
        ),
      ),
      ...must(
        !many || hostPort === undefined || networkNames.length === 1,
        `/container/portMappings(${at})`,
        'must declare a single network name when it has a host port and the app joins several networks',
      ),
    ]),
  ];
};

const volumeRule: Rule = ({ container, secrets }) =>
  eachOf(container?.volumes ?? [], (volume, at) => {
    const path = `/container/volumes(${at})`;
    const kinds = [volume.hostPath, volume.persistent, volume.external, volume.secret].filter(
      (kind) => kind !== undefined,
    );
    if (kinds.length === 0) return [violation(`${path}/hostPath`, 'undefined')];
    return [
      ...must(kinds.length === 1, path, 'must be exactly one of host, persistent, external or secret volume'),
      ...must(volume.secret !== undefined || volume.mode !== undefined, `${path}/mode`, 'undefined'),
      ...must(
        volume.secret === undefined || secrets[volume.secret] !== undefined,
        `${path}/secret`,
        `references an undeclared secret '${volume.secret}'`,
      ),
      ...persistentRule(volume, path),
    ];
  });

function persistentRule(volume: NonNullable<AppSpec['container']>['volumes'][number], path: string): Violation[] {
  const { persistent, containerPath, mode } = volume;
  if (persistent === undefined) return [];
  const { type, maxSize, size } = persistent;
  return [
    ...must(!/^\.{0,2}$|\//.test(containerPath), `${path}/containerPath`, 'must be a single relative path segment'),
    ...must(mode === 'RW', `${path}/mode`, 'persistent volumes need mode RW'),
    ...must(
      maxSize === undefined || (type === 'mount' && maxSize > size),
      `${path}/persistent/maxSize`,
      'is for mount disks only and must be larger than size',
    ),
    ...must(
      type !== 'root' || persistent.constraints.length === 0,
      `${path}/persistent/constraints`,
      'constraints on root disks are not allowed',
    ),
  ];
}

const secretRule: Rule = ({ env, secrets }) =>
  eachOf(Object.entries(env), ([name, value]) =>
    typeof value === 'string' || secrets[value.secret] !== undefined
      ? []
      : [violation(`/env(${name})`, `references an undeclared secret '${value.secret}'`)],
  );

const constraintRule: Rule = ({ constraints }) =>
  eachOf(constraints, (constraint, at) =>
    constraintErrors(constraint).map((message) => violation(`/constraints(${at})`, message)),
  );

function constraintErrors([field = '', operator = '', value]: readonly string[]): string[] {
  if (field === '') return ['illegal constraint specification'];
  switch (operator as (typeof CONSTRAINT_OPERATORS)[number]) {
    case 'UNIQUE':
      return value === undefined ? [] : ['UNIQUE does not accept a value'];
    case 'CLUSTER':
      return [];
    case 'GROUP_BY':
      return value === undefined || isCount(value)
        ? []
        : ['GROUP BY must define an integer value or else no value at all'];
    case 'MAX_PER':
      return value !== undefined && isCount(value) ? [] : ['MAX_PER requires an integer value'];
    case 'LIKE':
    case 'UNLIKE':
      return patternErrors(value);
    case 'IS':
      return value !== undefined && /^[a-zA-Z0-9_/.-]*$/.test(value)
        ? []
        : ['IS only supports values that match [a-zA-Z0-9_/.-]*'];
    default:
      return ['operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS'];
  }
}

function isCount(value: string): boolean {
  return /^\d{1,9}$/.test(value);
}

function patternErrors(value: string | undefined): string[] {
  if (value === undefined || value === '') return ['LIKE and UNLIKE require a non-empty, regular expression value'];
  try {
    new RegExp(`^(?:${value})$`);
    return [];
  } catch {
    return [`'${value}' is not a valid regular expression`];
  }
}

const AGENT_SIDE: ReadonlySet<string> = new Set(['MESOS_HTTP', 'MESOS_HTTPS', 'MESOS_TCP']);

const healthRule: Rule = ({ healthChecks, portDefinitions, container }) => {
  const ports = (portDefinitions ?? container?.portMappings ?? []).length;
  const agentSide = healthChecks.filter(({ protocol }) => AGENT_SIDE.has(protocol));
  return [
    ...must(agentSide.length <= 1, '/healthChecks', 'AppDefinition can contain at most one Mesos health check'),
    ...eachOf(healthChecks, ({ protocol, command, portIndex, port, ipProtocol }, at) => {
      const path = `/healthChecks(${at})`;
      if (protocol === 'COMMAND') return must(command !== undefined, `${path}/command`, 'undefined');
      return [
        ...must(command === undefined, `${path}/command`, 'must be empty'),
        ...must(
          port !== undefined || (portIndex !== undefined && portIndex < ports),
          `${path}/portIndex`,
          'Health check port indices must address an element of the ports array or container port mappings.',
        ),
        ...must(
          ipProtocol === 'IPv4' || (container?.type === 'DOCKER' && AGENT_SIDE.has(protocol)),
          `${path}/ipProtocol`,
          'IPv6 can only be used for MESOS_HTTP, MESOS_HTTPS and MESOS_TCP with container type DOCKER',
        ),
      ];
    }),
  ];
};

const readinessRule: Rule = ({ readinessChecks, portDefinitions, container }) => {
  const names = [...(portDefinitions ?? []), ...(container?.portMappings ?? [])].map(({ name }) => name);
  return [
    ...must(readinessChecks.length <= 1, '/readinessChecks', 'may not have more than 1 readiness check'),
    ...eachOf(readinessChecks, ({ portName, timeoutSeconds, intervalSeconds }, at) => [
      ...must(
        names.includes(portName),
        `/readinessChecks(${at})/portName`,
        `No port definition reference for portName ${portName}`,
      ),
      ...must(
        timeoutSeconds < intervalSeconds,
        `/readinessChecks(${at})/timeoutSeconds`,
        `Timeout (${timeoutSeconds} seconds) must be less than the interval (${intervalSeconds} seconds)`,
      ),
    ]),
  ];
};

const strategyRule: Rule = (spec) => {
  const { upgradeStrategy, unreachableStrategy, instances } = spec;
  const isResident = hasPersistentVolume(spec);
  const single = isSingleInstance(spec);
  const isZero = upgradeStrategy.minimumHealthCapacity === 0 && upgradeStrategy.maximumOverCapacity === 0;
  return [
    ...must(!single || instances <= 1, '/instances', 'Single instance app may only have one instance'),
    ...must(
      !single || isZero,
      '/upgradeStrategy',
      'Single instance app needs minimumHealthCapacity and maximumOverCapacity 0',
    ),
    ...must(
      !isResident || upgradeStrategy.maximumOverCapacity === 0,
      '/upgradeStrategy/maximumOverCapacity',
      'must be 0 with persistent volumes',
    ),
    ...must(
      !isResident || unreachableStrategy === 'disabled',
      '/unreachableStrategy',
      'unreachableStrategy must be disabled for resident tasks',
    ),
    ...must(
      unreachableStrategy === 'disabled' ||
        unreachableStrategy.inactiveAfterSeconds <= unreachableStrategy.expungeAfterSeconds,
      '/unreachableStrategy',
      'inactiveAfterSeconds must be less or equal to expungeAfterSeconds',
    ),
  ];
};

const roleRule: Rule = (spec) => {
  const accepted = spec.acceptedResourceRoles ?? [];
  return [
    ...must(
      accepted.every((role) => role === '*' || role === spec.role),
      '/acceptedResourceRoles',
      `acceptedResourceRoles can only contain * and ${spec.role}`,
    ),
    ...must(
      !hasPersistentVolume(spec) || !accepted.includes('*') || accepted.length === 1,
      '/acceptedResourceRoles',
      'A resident app must have `acceptedResourceRoles = ["*"]`.',
    ),
  ];
};

const resourceRule: Rule = ({ gpus, container, resourceLimits, cpus, mem }) => [
  ...must(gpus === 0 || container?.type !== 'DOCKER', '/gpus', 'GPU resources only work with the Mesos containerizer'),
  ...must(
    resourceLimits?.cpus === undefined || resourceLimits.cpus === 'unlimited' || resourceLimits.cpus >= cpus,
    '/resourceLimits/cpus',
    `must be greater than or equal to ${cpus}`,
  ),
  ...must(
    resourceLimits?.mem === undefined || resourceLimits.mem === 'unlimited' || resourceLimits.mem >= mem,
    '/resourceLimits/mem',
    `must be greater than or equal to ${mem}`,
  ),
];

const checkRule: Rule = ({ check, container }) =>
  must(check === undefined || container?.type !== 'DOCKER', '/check', 'must be empty with a DOCKER container');

const URI = /^([a-zA-Z][a-zA-Z0-9+.-]*:\S+|\/\S*)$/;
const fetchRule: Rule = ({ fetch }) =>
  eachOf(fetch, ({ uri }, at) => must(URI.test(uri), `/fetch(${at})/uri`, 'URI has invalid syntax.'));

const EXECUTOR = /^(\/\/cmd)$|^(\/?[^/]+(\/[^/]+)*)$|^$/;
const executorRule: Rule = ({ executor, executorResources }) => [
  ...must(EXECUTOR.test(executor), '/executor', `must fully match regular expression '^(//cmd)|(/?[^/]+(/[^/]+)*)|$'`),
  ...must((executorResources?.cpus ?? 1) >= 0.1, '/executorResources/cpus', 'got less than 0.1'),
  ...must((executorResources?.mem ?? 32) >= 32, '/executorResources/mem', 'got less than 32.0'),
  ...must((executorResources?.disk ?? 10) >= 10, '/executorResources/disk', 'got less than 10.0'),
];

const labelRule: Rule = ({ labels }) => {
  const version = labels['DCOS_MIGRATION_API_VERSION'];
  if (version === undefined) return [];
  return [
    ...must(version === 'v1', '/labels', 'DCOS_MIGRATION_API_VERSION must be v1'),
    ...['DCOS_MIGRATION_API_PATH', 'DCOS_PACKAGE_FRAMEWORK_NAME'].flatMap((name) =>
      must(labels[name] !== undefined, '/labels', `${name} must be defined`),
    ),
  ];
};

/** Every rule that looks at more than one field. Texts and paths as Marathon gives them, where it has them. */
const RULES: readonly Rule[] = [
  idRule,
  commandRule,
  containerRule,
  networkRule,
  portRule,
  mappingRule,
  volumeRule,
  secretRule,
  constraintRule,
  healthRule,
  readinessRule,
  strategyRule,
  roleRule,
  resourceRule,
  checkRule,
  fetchRule,
  executorRule,
  labelRule,
];

export function ruleViolations(spec: AppSpec): Violation[] {
  return RULES.flatMap((rule) => rule(spec));
}
