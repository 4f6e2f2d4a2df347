import type { Violation } from '../../core/errors';
import type { AppSpecInput } from '../../core/records/app';
import type { WireApp, WireContainer, WireIpAddress, WirePortMapping } from './wire-schema';

type Container = NonNullable<AppSpecInput['container']>;
type Networks = NonNullable<AppSpecInput['networks']>;

/** The network part of an update in today's form; absent parts were not sent. */
export interface NetworkPart {
  readonly container?: Container;
  readonly networks?: Networks;
}

/**
 * Marathon's networking of before 1.5 (`container.docker.network`, `docker.portMappings`, `ipAddress`) turned into `networks`
 * and `container.portMappings`. Old and new beside each other are violations, as in Marathon.
 */
export function networkPart(wire: WireApp, violations: Violation[]): NetworkPart {
  const oldMode = wire.container?.docker?.network;
  checkConflicts(wire, violations);
  const networks = wire.networks === undefined ? oldNetworks(oldMode, wire.ipAddress) : newNetworks(wire.networks);
  const container = containerOf(wire, violations);
  return {
    ...(networks === undefined ? {} : { networks }),
    ...(container === undefined ? {} : { container }),
  };
}

function checkConflicts(wire: WireApp, violations: Violation[]): void {
  const docker = wire.container?.docker;
  if (docker?.network !== undefined && wire.networks !== undefined)
    violations.push({ path: '/', message: 'must not specify both container.docker.network and networks' });
  if (wire.ipAddress !== undefined && wire.networks !== undefined)
    violations.push({ path: '/', message: 'must not specify both networks and ipAddress' });
  if (wire.ipAddress !== undefined && ((wire.ports?.length ?? 0) > 0 || (wire.portDefinitions?.length ?? 0) > 0))
    violations.push({ path: '/', message: 'cannot specify both an IP address and port' });
  if (docker?.network === 'USER' && wire.ipAddress === undefined && wire.networks === undefined)
    violations.push({ path: '/ipAddress', message: 'not defined, but docker.network USER needs its networkName' });
  if ((docker?.portMappings?.length ?? 0) > 0 && (wire.container?.portMappings?.length ?? 0) > 0)
    violations.push({
      path: '/container',
      message: 'must not specify both container.docker.portMappings and container.portMappings',
    });
}

function newNetworks(networks: NonNullable<WireApp['networks']>): Networks {
  return networks.map((network) => ({ ...network, mode: network.mode ?? 'container' }));
}

function oldNetworks(
  mode: NonNullable<WireContainer['docker']>['network'],
  ipAddress: WireIpAddress | undefined,
): Networks | undefined {
  switch (mode) {
    case 'HOST':
      return [{ mode: 'host' }];
    case 'BRIDGE':
      return [{ mode: 'container/bridge' }];
    case 'NONE':
      return [{ mode: 'none' }];
    case 'USER':
    case undefined:
      if (ipAddress === undefined) return undefined;
      return [
        {
          mode: 'container',
          ...(ipAddress.networkName === undefined ? {} : { name: ipAddress.networkName }),
          ...(ipAddress.labels === undefined ? {} : { labels: ipAddress.labels }),
        },
      ];
  }
}

/** Without its old fields. ipAddress alone (IP-per-task) makes a container of type MESOS. */
function containerOf(wire: WireApp, violations: Violation[]): Container | undefined {
  const { container, ipAddress } = wire;
  const discovered = ipAddress?.discovery?.ports?.map(({ number, ...rest }): WirePortMapping => ({
    ...rest,
    containerPort: number,
  }));
  if (container === undefined) {
    if (ipAddress === undefined) return undefined;
    return { type: 'MESOS', ...(discovered === undefined ? {} : { portMappings: discovered }) };
  }
  checkContainer(container, violations);
  const { docker, portMappings, ...rest } = container;
  const mappings = firstGiven(portMappings, docker?.portMappings, discovered);
  return {
    ...rest,
    type: container.type ?? 'DOCKER',
    ...(docker === undefined ? {} : { docker: withoutOldFields(docker) }),
    ...(mappings === undefined ? {} : { portMappings: mappings }),
  };
}

/** An empty new list beside a filled old one is a client that writes both. */
function firstGiven(...lists: readonly (WirePortMapping[] | undefined)[]): WirePortMapping[] | undefined {
  return lists.find((list) => list !== undefined && list.length > 0) ?? lists.find((list) => list !== undefined);
}

function withoutOldFields(docker: NonNullable<WireContainer['docker']>): NonNullable<Container['docker']> {
  const { network: _network, portMappings: _portMappings, credential: _credential, ...rest } = docker;
  return rest;
}

function checkContainer(container: WireContainer, violations: Violation[]): void {
  const { docker } = container;
  if (Object.keys(docker?.credential ?? {}).length > 0)
    violations.push({ path: '/container/docker/credential', message: 'must be empty' });
  if (container.type === 'MESOS') {
    for (const field of ['network', 'portMappings'] as const) {
      const value = docker?.[field];
      if (value !== undefined && value.length > 0)
        violations.push({ path: `/container/docker/${field}`, message: 'must be empty' });
    }
  }
}
