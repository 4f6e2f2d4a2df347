import { webApp, type World } from '../e2e/world';
import { median, ms, quantile, type Row } from './harness';
import { waitFor } from '../support/wait';

/** A signal to the leader until the first task of a new app is known: the whole takeover, as a user sees it. */
export async function failover(world: World, signal: 'SIGKILL' | 'SIGTERM', rounds: number): Promise<Row> {
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const leader = await world.cluster.leader();
    const id = `/bench-failover-${signal.toLowerCase()}-${round}`;
    const standby = world.cluster.servers.find((server) => server !== leader);
    if (standby === undefined) throw new Error('two servers are needed');
    const startMs = performance.now();
    const dying = leader.process.kill(signal);
    await standby.marathon.ok('POST', '/v2/apps', { ...webApp(id), cmd: 'sleep 1000', healthChecks: [] });
    await waitFor('a task', async () => (await standby.marathon.app(id)).tasks.length > 0, 60_000, 2);
    samples.push(performance.now() - startMs);
    await dying;
    await standby.marathon.settled(id, 1);
    await standby.marathon.ok('DELETE', `/v2/apps${id}`);
    await standby.marathon.gone(id);
    await leader.restart();
  }
  const goal = signal === 'SIGKILL' ? 3_500 : 100;
  const worst = quantile(samples, 0.99);
  return {
    what: `leader ${signal} -> next placement, p99 of ${rounds}`,
    measured: `${ms(worst)} (p50 ${ms(median(samples))})`,
    floor: signal === 'SIGKILL' ? 'lease TTL 3 s' : '',
    goal: `<= ${ms(goal)}`,
    met: worst <= goal,
  };
}
