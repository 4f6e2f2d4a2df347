import { webApp } from '../e2e/world';
import { waitFor } from '../support/wait';
import type { AgentHost } from '../testbed/agent-host';
import { etcdDown } from '../testbed/faults/etcd';
import { cutLink } from '../testbed/faults/link';
import { Testbed } from '../testbed/testbed';
import { median, ms, quantile, type Row } from './harness';

/** How often a lost host is measured: each round takes the whole time of its discovery. */
const SLOW_ROUNDS = 5;
const TIMEOUT_MS = 120_000;
/** Of the polls that look for the end of a measurement: its resolution. */
const POLL_MS = 5;

/** How long a cluster of several machines takes to be well again after each kind of loss, with the default time limits. */
export async function recoveryTimers(rounds: number): Promise<Row[]> {
  const bed = await Testbed.up({ agents: 4, registry: false });
  const timers = new Timers(bed);
  try {
    const sampled = async (count: number, measure: (round: number) => Promise<number>) => {
      const samples: number[] = [];
      for (let round = 0; round < count; round++) samples.push(await measure(round));
      return samples;
    };
    return [
      row('leader killed -> next task', 'lease TTL 3 s', await sampled(rounds, (n) => timers.leaderKilled(n)), 3_500),
      row('agent started again -> task RUNNING on it', '', await sampled(rounds, (n) => timers.agentReattach(n))),
      row('task killed -> replacement RUNNING', '', await sampled(rounds, () => timers.failedTask())),
      row(
        'host lost -> replacement RUNNING',
        '5 pings of 3 s',
        await sampled(Math.min(rounds, SLOW_ROUNDS), () => timers.lostHost()),
      ),
      row('etcd back -> new app RUNNING', '', await sampled(Math.min(rounds, SLOW_ROUNDS), (n) => timers.etcdBack(n))),
    ];
  } finally {
    await bed.down();
  }
}

class Timers {
  constructor(private readonly bed: Testbed) {}

  async leaderKilled(round: number): Promise<number> {
    const { bed } = this;
    const leader = await bed.leader();
    const other = bed.servers.find((server) => server !== leader);
    if (other === undefined) throw new Error('two servers are needed');
    const startMs = performance.now();
    await leader.process.kill('SIGKILL');
    const tookMs = await this.newApp(`/failover-${round}`, startMs, other.marathon, {}, 'placed');
    leader.start();
    await leader.ready();
    return tookMs;
  }

  async agentReattach(round: number): Promise<number> {
    const host = this.host(0);
    await host.agent.kill('SIGKILL');
    // The leader must have seen that the connection is gone, or it hands out an offer of the dead.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const startMs = performance.now();
    host.agent.start();
    const there = { constraints: [['hostname', 'CLUSTER', host.node.address]] };
    return this.newApp(`/reattach-${round}`, startMs, this.bed.marathon(), there, 'running');
  }

  async failedTask(): Promise<number> {
    const { bed } = this;
    const client = bed.marathon();
    await client.ok('PUT', '/v2/apps/victim', sleeper('/victim', { backoffSeconds: 0 }));
    const [task] = (await client.settled('/victim', 1)).tasks;
    const host = bed.hosts.find(({ node }) => node.address === task?.host);
    const container = (await host?.containers())?.find(({ taskId }) => taskId === task?.id);
    if (task === undefined || host === undefined || container === undefined) throw new Error('the task is nowhere');
    const startMs = performance.now();
    await host.docker.getContainer(container.id).kill();
    return this.replaced('/victim', task.id, startMs);
  }

  async lostHost(): Promise<number> {
    const { bed } = this;
    const client = bed.marathon();
    const unreachableStrategy = { inactiveAfterSeconds: 0, expungeAfterSeconds: 0 };
    await client.ok('PUT', '/v2/apps/lost', sleeper('/lost', { unreachableStrategy }));
    const [task] = (await client.settled('/lost', 1)).tasks;
    const host = bed.hosts.find(({ node }) => node.address === task?.host);
    if (task === undefined || host === undefined) throw new Error('the task is nowhere');
    const startMs = performance.now();
    const heal = cutLink(bed, host.node);
    const tookMs = await this.replaced('/lost', task.id, startMs);
    await heal();
    await bed.allActive();
    await client.settled('/lost', 1);
    return tookMs;
  }

  async etcdBack(round: number): Promise<number> {
    const { bed } = this;
    const back = await etcdDown(bed);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const startMs = performance.now();
    void back();
    return this.newApp(`/etcd-back-${round}`, startMs, bed.marathon(), {}, 'running');
  }

  /** Creates the app as soon as that is possible, and waits for its first task. */
  private async newApp(
    id: string,
    startMs: number,
    client: ReturnType<Testbed['marathon']>,
    overrides: Record<string, unknown>,
    until: 'placed' | 'running',
  ): Promise<number> {
    const created = async () =>
      [201, 409].includes((await client.call('POST', '/v2/apps', sleeper(id, overrides))).status);
    await waitFor(`${id} to be accepted`, created, TIMEOUT_MS, POLL_MS);
    const state = until === 'placed' ? /./ : /RUNNING/;
    const seen = async () => (await client.app(id)).tasks.some((task) => state.test(task.state));
    await waitFor(`${id} to be ${until}`, seen, TIMEOUT_MS, POLL_MS);
    const tookMs = performance.now() - startMs;
    await client.settled(id, 1);
    await client.ok('DELETE', `/v2/apps${id}`);
    await client.gone(id);
    return tookMs;
  }

  private async replaced(id: string, taskId: string, startMs: number): Promise<number> {
    const client = this.bed.marathon();
    const runs = async () => (await client.tasks(id)).some((task) => task.id !== taskId);
    await waitFor(`${id} to be replaced`, runs, TIMEOUT_MS, POLL_MS);
    return performance.now() - startMs;
  }

  private host(index: number): AgentHost {
    const host = this.bed.hosts[index];
    if (host === undefined) throw new Error(`no host ${index}`);
    return host;
  }
}

function sleeper(id: string, overrides: Record<string, unknown>): Record<string, unknown> {
  return { ...webApp(id), cmd: 'exec sleep 100000', healthChecks: [], ...overrides };
}

function row(what: string, floor: string, samples: readonly number[], goalMs?: number): Row {
  const p99 = quantile(samples, 0.99);
  const goal = goalMs === undefined ? {} : { met: p99 <= goalMs };
  return {
    what: `${what}, n=${samples.length}`,
    measured: `p50 ${ms(median(samples))}, p99 ${ms(p99)}`,
    floor,
    goal: goalMs === undefined ? '' : `p99 <= ${ms(goalMs)}`,
    ...goal,
  };
}
