import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { Daemon } from './daemon';

const portsSchema = z.object({
  marathon: z.number().int(),
  mesos: z.number().int(),
  kube: z.number().int(),
  agent: z.number().int(),
  etcd: z.number().int(),
  etcdPeer: z.number().int(),
});
export type ClusterPorts = z.infer<typeof portsSchema>;

const stateSchema = z.object({
  /** Name of the cluster, on every container as label `berth.cluster`. */
  cluster: z.string(),
  ports: portsSchema,
  docker: z.object({
    socket: z.string(),
    /** Who gets to stop the engine again: `up` and `systemd` were started by `berth up`. */
    startedBy: z.enum(['nobody', 'up', 'systemd']),
  }),
});
export type ClusterState = z.infer<typeof stateSchema>;

/** The folder in which `berth up` keeps everything: data, logs, process ids, and the file that says how it was set up. */
export class ClusterFolder {
  readonly path: string;
  readonly kubeconfig: string;
  private readonly stateFile: string;

  constructor(path: string) {
    this.path = resolve(path);
    this.kubeconfig = join(this.path, 'kubeconfig');
    this.stateFile = join(this.path, 'cluster.json');
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  create(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }

  inside(...names: string[]): string {
    return join(this.path, ...names);
  }

  daemon(name: 'etcd' | 'server' | 'agent' | 'dockerd' | 'containerd'): Daemon {
    return new Daemon(name, this.path);
  }

  /**
   * Sockets and mounts of an engine of our own: short paths, since a unix socket's path has at most 107 bytes, and one
   * folder per cluster folder.
   */
  engineRunFolder(): string {
    return `/run/berth-${this.hash()}`;
  }

  /** Different for every cluster folder, so that `down` in one never removes the containers of another. */
  clusterName(): string {
    return `local-${this.hash()}`;
  }

  read(): ClusterState | undefined {
    try {
      return stateSchema.parse(JSON.parse(readFileSync(this.stateFile, 'utf8')));
    } catch {
      return undefined;
    }
  }

  write(state: ClusterState): void {
    writeFileSync(`${this.stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`);
    renameSync(`${this.stateFile}.new`, this.stateFile);
  }

  private hash(): string {
    const real = existsSync(this.path) ? realpathSync(this.path) : this.path;
    return createHash('sha256').update(real).digest('hex').slice(0, 8);
  }
}

/** URL of the cluster that `berth up` runs from this folder, if there is one. */
export function urlOfLocalCluster(stateDir: string): string | undefined {
  const state = new ClusterFolder(stateDir).read();
  return state === undefined ? undefined : `http://127.0.0.1:${state.ports.marathon}`;
}
