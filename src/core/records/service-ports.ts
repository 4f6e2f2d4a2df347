import type { AppSpec } from './app';

/** Service ports of an app in order: of portDefinitions with host networking, of portMappings otherwise. */
export function servicePortsOf(spec: AppSpec): number[] {
  if (spec.portDefinitions !== undefined) return spec.portDefinitions.map(({ port }) => port);
  return (spec.container?.portMappings ?? []).map(({ servicePort }) => servicePort);
}

export interface ServicePortRange {
  /** Both inclusive (Marathon: --local_port_min, --local_port_max). */
  readonly min: number;
  readonly max: number;
}

/**
 * Replaces every service port 0 by a free one. Marathon: the app's former ports are used again first. New ones are searched
 * from a point that follows from the app's id, so that replicas that assign at the same moment rarely choose the same.
 *
 * @returns undefined when the range has no free port left
 */
export function assignServicePorts(
  spec: AppSpec,
  range: ServicePortRange,
  previous: AppSpec | undefined,
  isUsed: (port: number) => boolean,
): AppSpec | undefined {
  const declared = servicePortsOf(spec);
  if (!declared.includes(0)) return spec;
  const taken = new Set(declared.filter((port) => port !== 0));
  const reusable = (previous === undefined ? [] : servicePortsOf(previous)).filter((port) => !taken.has(port));
  const size = range.max - range.min + 1;
  const start = hashOf(spec.id) % Math.max(1, size);
  let step = 0;
  const nextPort = (): number | undefined => {
    const former = reusable.shift();
    if (former !== undefined && former !== 0) return former;
    for (; step < size; step++) {
      const port = range.min + ((start + step) % size);
      if (!taken.has(port) && !isUsed(port)) return port;
    }
    return undefined;
  };
  const ports: number[] = [];
  for (const port of declared) {
    const assigned = port === 0 ? nextPort() : port;
    if (assigned === undefined) return undefined;
    taken.add(assigned);
    ports.push(assigned);
  }
  return withServicePorts(spec, ports);
}

function withServicePorts(spec: AppSpec, ports: readonly number[]): AppSpec {
  if (spec.portDefinitions !== undefined) {
    const portDefinitions = spec.portDefinitions.map((definition, at) => ({ ...definition, port: ports[at] ?? 0 }));
    return { ...spec, portDefinitions };
  }
  if (spec.container?.portMappings === undefined) return spec;
  const portMappings = spec.container.portMappings.map((mapping, at) => ({ ...mapping, servicePort: ports[at] ?? 0 }));
  return { ...spec, container: { ...spec.container, portMappings } };
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
