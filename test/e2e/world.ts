import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { Cluster, type ClusterOptions } from '../support/cluster';
import { startDocker } from '../support/docker';
import { startEtcd } from '../support/etcd';
import { importBusybox } from '../support/images';

/** Image of every test app: busybox with a shell and an HTTP server. */
export const IMAGE = 'berth/test:1';

/** A whole cluster on a private etcd and a private Docker engine. */
export async function startWorld(options: Partial<ClusterOptions> = {}) {
  const [etcd, engine] = await Promise.all([startEtcd(), startDocker()]);
  try {
    await importBusybox(engine.socketPath, IMAGE);
    const cluster = await Cluster.start({ etcdEndpoint: etcd.endpoint, dockerSocket: engine.socketPath, ...options });
    const docker = new Docker({ socketPath: engine.socketPath });
    return {
      etcd,
      engine,
      cluster,
      docker,
      marathon: cluster.marathon,
      /** Ids of all containers that Berth made, by task id. */
      async containers(all = false): Promise<Map<string, string>> {
        const list = await docker.listContainers({ all, filters: { label: ['MESOS_TASK_ID'] } });
        return new Map(list.map((container) => [container.Labels['MESOS_TASK_ID'] ?? '', container.Id]));
      },
      async stop() {
        await cluster.stop();
        await removeContainers(docker).catch(() => undefined);
        await engine.stop();
        await etcd.stop();
      },
    };
  } catch (error) {
    await engine.stop();
    await etcd.stop();
    throw error;
  }
}

export type World = Awaited<ReturnType<typeof startWorld>>;

async function removeContainers(docker: Docker): Promise<void> {
  const list = await docker.listContainers({ all: true });
  await Promise.all(list.map((container) => docker.getContainer(container.Id).remove({ force: true, v: true })));
}

/** An app that answers HTTP on its first port. */
export function webApp(id: string, overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id,
    cmd: 'mkdir -p /www && echo "$MESOS_TASK_ID" > /www/index.html && exec httpd -f -p 8080 -h /www',
    cpus: 0.1,
    mem: 32,
    instances: 1,
    container: {
      type: 'DOCKER',
      docker: { image: IMAGE, network: 'BRIDGE', portMappings: [{ containerPort: 8080, hostPort: 0 }] },
    },
    healthChecks: [
      {
        protocol: 'HTTP',
        portIndex: 0,
        path: '/',
        gracePeriodSeconds: 20,
        intervalSeconds: 1,
        timeoutSeconds: 2,
        maxConsecutiveFailures: 3,
      },
    ],
    taskKillGracePeriodSeconds: 1,
    ...overrides,
  };
}

/** The app definitions that users bring, by file name. */
export function exampleFiles(): Map<string, Record<string, unknown>> {
  const folder = join(__dirname, '../api/marathon/examples');
  return new Map(
    readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>]),
  );
}
