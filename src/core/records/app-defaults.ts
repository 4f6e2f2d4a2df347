import type { AppSpec, PortMapping } from './app';

/** What the defaults need to know beyond the definition itself. */
export interface DefaultsContext {
  /** Fields the user has sent; defaults that depend on others apply to the rest. */
  readonly given: ReadonlySet<string>;
  /** Marathon: --default_network_name. */
  readonly defaultNetworkName?: string;
}

/** Marathon: a label that promises at most one instance at any time. */
export function isSingleInstance(spec: Pick<AppSpec, 'labels'>): boolean {
  return spec.labels['MARATHON_SINGLE_INSTANCE_APP'] === 'true';
}

export function hasPersistentVolume(spec: AppSpec): boolean {
  return (spec.container?.volumes ?? []).some((volume) => volume.persistent !== undefined);
}

/** Fills in every default that depends on other fields (Marathon: app normalization). */
export function withDefaults(spec: AppSpec, context: DefaultsContext): AppSpec {
  const networked = withNetworks(spec, context);
  const isHost = (networked.networks[0]?.mode ?? 'host') === 'host';
  const withPorts = isHost ? withPortDefinitions(networked) : withPortMappings(networked);
  return withStrategies(withHealthPorts({ ...withPorts, constraints: normalConstraints(spec) }), context);
}

function withNetworks(spec: AppSpec, { defaultNetworkName }: DefaultsContext): AppSpec {
  const networks = spec.networks.length === 0 ? [{ mode: 'host' as const, labels: {} }] : spec.networks;
  const named = networks.map((network) =>
    network.mode === 'container' && network.name === undefined && defaultNetworkName !== undefined
      ? { ...network, name: defaultNetworkName }
      : network,
  );
  return { ...spec, networks: named };
}

/** Host networking: port mappings are dropped, as Marathon does; without port definitions there is one. */
function withPortDefinitions(spec: AppSpec): AppSpec {
  const { container, ...rest } = spec;
  const portDefinitions = spec.portDefinitions ?? [{ port: 0, name: 'default', protocol: 'tcp' as const, labels: {} }];
  if (container === undefined) return { ...rest, portDefinitions };
  const { portMappings: _dropped, ...withoutMappings } = container;
  return { ...rest, container: withoutMappings, portDefinitions };
}

/** Other networks: port definitions become mappings unless there are mappings; without any there is one. */
function withPortMappings(spec: AppSpec): AppSpec {
  const { portDefinitions, ...rest } = spec;
  const container = spec.container ?? { type: 'MESOS' as const, volumes: [] };
  if (spec.networks[0]?.mode === 'none') return { ...rest, container, requirePorts: false };
  const isBridge = spec.networks[0]?.mode === 'container/bridge';
  const declared = container.portMappings ?? portDefinitions?.map((definition) => mappingOf(spec, definition));
  const mappings: readonly PortMapping[] = declared ?? [{ containerPort: 0, name: 'default', ...EMPTY_MAPPING }];
  const portMappings = mappings.map((mapping) =>
    isBridge && mapping.hostPort === undefined ? { ...mapping, hostPort: 0 } : mapping,
  );
  return { ...rest, container: { ...container, portMappings }, requirePorts: false };
}

const EMPTY_MAPPING = { servicePort: 0, protocol: 'tcp' as const, labels: {}, networkNames: [] };

function mappingOf(spec: AppSpec, definition: NonNullable<AppSpec['portDefinitions']>[number]): PortMapping {
  return {
    ...EMPTY_MAPPING,
    containerPort: 0,
    hostPort: spec.requirePorts ? definition.port : 0,
    servicePort: definition.port,
    protocol: definition.protocol,
    labels: definition.labels,
    ...(definition.name === undefined ? {} : { name: definition.name }),
  };
}

/** Marathon: a check without a port looks at the first one, if the app has ports. */
function withHealthPorts(spec: AppSpec): AppSpec {
  const hasPorts = (spec.portDefinitions ?? spec.container?.portMappings ?? []).length > 0;
  const healthChecks = spec.healthChecks.map((check) =>
    hasPorts && check.protocol !== 'COMMAND' && check.port === undefined && check.portIndex === undefined
      ? { ...check, portIndex: 0 }
      : check,
  );
  return { ...spec, healthChecks };
}

/** Operators in upper case; an empty value where none is allowed or needed is no value (`["hostname","UNIQUE",""]`). */
function normalConstraints(spec: AppSpec): string[][] {
  return spec.constraints.map(([field = '', operator = '', ...values]) => {
    const upper = operator.toUpperCase();
    const dropsEmpty = upper === 'UNIQUE' || upper === 'GROUP_BY' || upper === 'CLUSTER';
    return dropsEmpty && values.length === 1 && values[0] === '' ? [field, upper] : [field, upper, ...values];
  });
}

function withStrategies(spec: AppSpec, { given }: DefaultsContext): AppSpec {
  const isResident = hasPersistentVolume(spec);
  const hasExternal = (spec.container?.volumes ?? []).some((volume) => volume.external !== undefined);
  let upgradeStrategy = spec.upgradeStrategy;
  if (!given.has('upgradeStrategy')) {
    if (isSingleInstance(spec)) upgradeStrategy = { minimumHealthCapacity: 0, maximumOverCapacity: 0 };
    else if (isResident || hasExternal) upgradeStrategy = { minimumHealthCapacity: 0.5, maximumOverCapacity: 0 };
  }
  const disabled = isResident && !given.has('unreachableStrategy');
  return { ...spec, upgradeStrategy, unreachableStrategy: disabled ? 'disabled' : spec.unreachableStrategy };
}
