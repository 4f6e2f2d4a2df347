import type { AppSpec } from '../core/records/app';

export interface EnvironmentInput {
  readonly spec: AppSpec;
  readonly taskId: string;
  readonly version: string;
  readonly host: string;
  /** Per port of the app; undefined: no host port. */
  readonly hostPorts: readonly (number | undefined)[];
  /** Marathon: --env_vars_prefix, for the port variables. */
  readonly prefix: string;
}

/** Marathon: lowest to highest priority are task context, ports, the user's own variables. */
export function taskEnvironment(input: EnvironmentInput): Readonly<Record<string, string>> {
  const own = Object.entries(input.spec.env).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return { ...contextVariables(input), ...portVariables(input), ...Object.fromEntries(own) };
}

function contextVariables({ spec, taskId, version }: EnvironmentInput): Record<string, string> {
  const image = spec.container?.docker?.image;
  return {
    MESOS_TASK_ID: taskId,
    MARATHON_APP_ID: spec.id,
    MARATHON_APP_VERSION: version,
    ...(image === undefined ? {} : { MARATHON_APP_DOCKER_IMAGE: image }),
    MARATHON_APP_RESOURCE_CPUS: decimal(spec.cpus),
    MARATHON_APP_RESOURCE_MEM: decimal(spec.mem),
    MARATHON_APP_RESOURCE_DISK: decimal(spec.disk),
    MARATHON_APP_RESOURCE_GPUS: String(spec.gpus),
    MARATHON_APP_ENFORCE_GROUP_ROLE: 'FALSE',
    ...labelVariables(spec.labels),
  };
}

/** As Scala prints a Double: `0.1`, `32.0`. */
function decimal(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** Marathon leaves out labels with long values: the environment of a process is bounded. */
const LABEL_CHARACTERS = 512;

function labelVariables(labels: Readonly<Record<string, string>>): Record<string, string> {
  const short = Object.entries(labels).filter(([, value]) => value.length < LABEL_CHARACTERS);
  const variables = short.map(([name, value]) => [`MARATHON_APP_LABEL_${variableName(name)}`, value]);
  return {
    MARATHON_APP_LABELS: short.map(([name]) => variableName(name)).join(' '),
    ...Object.fromEntries(variables),
  };
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');
}

/** A port as the app declares it. */
interface DeclaredPort {
  /** Number used in PORT_<number>; 0: the effective port. */
  readonly number: number;
  readonly name: string | undefined;
}

export function declaredPorts(spec: AppSpec): DeclaredPort[] {
  if (spec.portDefinitions !== undefined) {
    return spec.portDefinitions.map(({ port, name }) => ({ number: port, name }));
  }
  return (spec.container?.portMappings ?? []).map(({ containerPort, name }) => ({ number: containerPort, name }));
}

function portVariables({ spec, host, hostPorts, prefix }: EnvironmentInput): Record<string, string> {
  const declared = declaredPorts(spec);
  const effective = declared.map(({ number }, at) => hostPorts[at] ?? number);
  const variables: Record<string, string> = { HOST: host };
  declared.forEach(({ number, name }, at) => {
    const port = String(effective[at] ?? 0);
    variables[`PORT${at}`] = port;
    variables[`PORT_${number === 0 ? port : number}`] = port;
    if (name !== undefined) variables[`PORT_${variableName(name)}`] = port;
  });
  if (effective[0] !== undefined) {
    variables['PORT'] = String(effective[0]);
    variables['PORTS'] = effective.join(',');
  }
  if (prefix === '') return variables;
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [`${prefix}${name}`, value]));
}
