import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { World } from '../e2e/world';
import { IMAGE, webApp } from '../e2e/world';
import { BareDocker } from './docker-floor';
import { EventStreamClient } from './event-stream';
import { median, ms, perSecond, quantile, timed, type Row } from './harness';

const WIDTH = cpus().length;

/** Everything that is measured against bare dockerd, on one cluster. */
export class DockerBench {
  private readonly bare: BareDocker;

  constructor(
    private readonly world: World,
    private readonly events: EventStreamClient,
    private readonly rounds: number,
  ) {
    this.bare = new BareDocker(world.docker, IMAGE);
  }

  /** One app from POST to RUNNING, alternating with bare create+start. */
  async submit(network: 'host' | 'bridge'): Promise<Row[]> {
    const bare: number[] = [];
    const ours: number[] = [];
    for (let round = 0; round <= this.rounds; round++) {
      const floor = await this.bare.run(network);
      await this.bare.remove([floor.result], 1, 0);
      const id = `/bench-submit-${network}-${round}`;
      const startMs = performance.now();
      await this.world.marathon.ok('POST', '/v2/apps', sleeper(id, network));
      const took = await this.events.tasksIn('TASK_RUNNING', id, 1, startMs);
      await this.remove(id);
      // The first round warms both up.
      if (round === 0) continue;
      bare.push(floor.ms);
      ours.push(took);
    }
    return (
      [
        ['p50', 0.5, 1.1],
        ['p99', 0.99, 1.3],
      ] as const
    ).map(([name, p, goal]) => {
      const ratio = quantile(ours, p) / quantile(bare, p);
      return {
        what: `submit -> RUNNING, ${network}, ${name} of ${this.rounds}`,
        measured: ms(quantile(ours, p)),
        floor: `${ms(quantile(bare, p))} bare`,
        ratio,
        goal: `<= ${goal}x`,
        met: ratio <= goal,
      };
    });
  }

  /** `count` instances of one app, and their removal. */
  async burst(count: number, network: 'host' | 'bridge'): Promise<Row[]> {
    const bareRates: number[] = [];
    const ourRates: number[] = [];
    const bareRemovals: number[] = [];
    const ourRemovals: number[] = [];
    for (let round = 0; round < Math.min(3, this.rounds); round++) {
      const floor = await this.bare.burst(count, WIDTH, network);
      bareRates.push((count / floor.ms) * 1_000);
      bareRemovals.push(await this.bare.remove(floor.result, WIDTH, 0));
      const id = `/bench-burst-${network}-${round}`;
      const startMs = performance.now();
      await this.world.marathon.ok('POST', '/v2/apps', sleeper(id, network, count));
      ourRates.push((count / (await this.events.tasksIn('TASK_RUNNING', id, count, startMs))) * 1_000);
      ourRemovals.push(await this.remove(id));
    }
    const startRatio = median(ourRates) / median(bareRates);
    const removalRatio = median(bareRemovals) / median(ourRemovals);
    return [
      {
        what: `${count} instances on one node, ${network}`,
        measured: perSecond(median(ourRates), 'containers'),
        floor: `${perSecond(median(bareRates), 'containers')} bare`,
        ratio: startRatio,
        goal: '>= 0.95x',
        met: startRatio >= 0.95,
      },
      {
        what: `removal of ${count}, ${network}`,
        measured: ms(median(ourRemovals)),
        floor: `${ms(median(bareRemovals))} bare`,
        ratio: removalRatio,
        goal: '>= 0.95x the rate',
        met: removalRatio >= 0.95,
      },
    ];
  }

  /** A new version of ten instances against the bare stop+start sequence. */
  async rollingUpdate(mode: 'one by one' | 'all at once'): Promise<Row> {
    const width = mode === 'one by one' ? 1 : 10;
    const started = (await this.bare.burst(10, WIDTH, 'bridge')).result;
    const floor = await timed(async () => {
      for (let i = 0; i < 10; i += width) {
        await this.bare.remove(started.slice(i, i + width), WIDTH, 1);
        started.push(...(await this.bare.burst(width, WIDTH, 'bridge')).result);
      }
    });
    await this.bare.remove(started.slice(10), WIDTH, 0);

    const id = `/bench-roll-${width}`;
    const upgradeStrategy = { minimumHealthCapacity: mode === 'one by one' ? 0.9 : 0, maximumOverCapacity: 0 };
    let startMs = performance.now();
    await this.world.marathon.ok('POST', '/v2/apps', {
      ...sleeper(id, 'bridge', 10),
      upgradeStrategy,
      taskKillGracePeriodSeconds: 1,
    });
    await this.events.tasksIn('TASK_RUNNING', id, 10, startMs);
    await this.world.marathon.settled(id, 10);
    startMs = performance.now();
    await this.world.marathon.ok('PUT', `/v2/apps${id}`, { env: { ROUND: '2' } });
    const took = await this.events.tasksIn('TASK_RUNNING', id, 10, startMs);
    await this.remove(id);
    return {
      what: `rolling update of 10, ${mode}`,
      measured: ms(took),
      floor: `${ms(floor.ms)} bare stop+start`,
      ratio: took / floor.ms,
      goal: '<= 1.3x',
      met: took / floor.ms <= 1.3,
    };
  }

  /** docker kill to the replacement's RUNNING, without back-off. */
  async replacement(): Promise<Row> {
    const bare: number[] = [];
    const ours: number[] = [];
    const id = '/bench-replace';
    await this.world.marathon.ok('POST', '/v2/apps', { ...sleeper(id, 'bridge'), backoffSeconds: 0, backoffFactor: 1 });
    for (let round = 0; round < this.rounds; round++) {
      const floor = await this.bare.run('bridge');
      await this.bare.remove([floor.result], 1, 0);
      bare.push(floor.ms);
      const task = (await this.world.marathon.settled(id, 1)).tasks[0];
      const container = this.world.docker.getContainer((await this.world.containers()).get(task?.id ?? '') ?? '');
      const startMs = performance.now();
      await container.kill();
      ours.push(await this.events.tasksIn('TASK_RUNNING', id, 1, startMs));
    }
    await this.remove(id);
    const ratio = median(ours) / median(bare);
    return {
      what: `dead container -> replacement, p50 of ${this.rounds}`,
      measured: ms(median(ours)),
      floor: `${ms(median(bare))} bare create+start`,
      ratio,
      goal: '<= 1.2x',
      met: ratio <= 1.2,
    };
  }

  /** Resident memory of server and agent. */
  memory(when: string): Row[] {
    const [server, agent] = [this.world.cluster.servers[0], this.world.cluster.agents[0]].map((part) =>
      residentMb(part?.process.pid ?? 0),
    );
    return [
      {
        what: `memory of the server, ${when}`,
        measured: `${server} MB`,
        floor: '',
        goal: '<= 90 MB',
        met: (server ?? 0) <= 90,
      },
      {
        what: `memory of the agent, ${when}`,
        measured: `${agent} MB`,
        floor: '',
        goal: '<= 60 MB',
        met: (agent ?? 0) <= 60,
      },
    ];
  }

  /** Deletes the app; milliseconds until no container of it is left. */
  private async remove(id: string): Promise<number> {
    const { ms: took } = await timed(async () => {
      const startMs = performance.now();
      await this.world.marathon.ok('DELETE', `/v2/apps${id}`);
      await this.events.until(
        1,
        ({ atMs, eventType, data }) => atMs >= startMs && eventType === 'app_terminated_event' && data['appId'] === id,
      );
    });
    return took;
  }
}

function sleeper(id: string, network: 'host' | 'bridge', instances = 1): Record<string, unknown> {
  const app = webApp(id, { cmd: 'sleep 1000', instances, healthChecks: [], cpus: 0.01, taskKillGracePeriodSeconds: 0 });
  if (network === 'host') return { ...app, container: { type: 'DOCKER', docker: { image: IMAGE, network: 'HOST' } } };
  return app;
}

function residentMb(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
}
