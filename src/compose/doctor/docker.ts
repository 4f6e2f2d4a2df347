import { messageOf } from '../../core/errors';
import { DockerEngine, type EngineFacts } from '../../io/docker/engine';
import { PromMetrics } from '../../io/metrics/prom-metrics';
import { fail, isAtLeast, ok, warn, type Finding } from './finding';

const OLDEST = '20.10';
const DAEMON_JSON = '/etc/docker/daemon.json';

/** The engine of this machine, by the checks an agent makes and those it cannot afford to make. */
export async function lookAtDocker(
  socketPath: string,
): Promise<{ readonly findings: readonly Finding[]; readonly rootDir: string | undefined }> {
  const engine = new DockerEngine({ socketPath }, new PromMetrics());
  try {
    const facts = await engine.facts();
    return { findings: judgeEngine(facts), rootDir: facts.rootDir };
  } catch (error) {
    const fix = `start Docker (systemctl start docker), or say where it listens (--docker-socket); run this as root or in the group docker`;
    return { findings: [fail('docker', `${socketPath}: ${messageOf(error)}`, fix)], rootDir: undefined };
  } finally {
    engine.close();
  }
}

export function judgeEngine(facts: EngineFacts): Finding[] {
  const version = isAtLeast(facts.version, OLDEST)
    ? ok('docker', `version ${facts.version}, API ${facts.apiVersion}, storage ${facts.storageDriver}`)
    : fail('docker', `version ${facts.version} is older than ${OLDEST}`, `install Docker ${OLDEST} or newer`);
  const restore = facts.liveRestore
    ? ok('live-restore', 'on: containers outlive a restart of dockerd')
    : warn(
        'live-restore',
        'off: a restart of dockerd kills every task on this node',
        `put {"live-restore": true} into ${DAEMON_JSON} and reload: kill -HUP $(pidof dockerd)`,
      );
  const limits = facts.warnings.filter((text) => /limit|cgroup|swap/i.test(text));
  const cgroups =
    limits.length === 0
      ? ok('cgroups', `version ${facts.cgroupVersion}, driver ${facts.cgroupDriver}; memory and CPU limits work`)
      : warn(
          'cgroups',
          `the engine says: ${limits.join('; ')}`,
          'boot with cgroup_enable=memory swapaccount=1 (cgroup v1), or use cgroup v2',
        );
  const storage =
    facts.storageDriver === 'vfs'
      ? [warn('docker storage', 'vfs copies whole images', `put {"storage-driver": "overlay2"} into ${DAEMON_JSON}`)]
      : [];
  return [version, restore, cgroups, ...storage];
}
