import { webApp } from '../e2e/world';
import { Testbed } from './testbed';

describe('the test bed', () => {
  let bed: Testbed;
  beforeAll(async () => {
    bed = await Testbed.up();
  });
  afterAll(async () => {
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });

  test('is a cluster: an app runs on several hosts and is reached over the network', async () => {
    const client = bed.marathon();
    await client.ok('POST', '/v2/apps', webApp('/web', { instances: 5, constraints: [['hostname', 'UNIQUE']] }));
    const app = await client.settled('/web', 5);
    expect(new Set(app.tasks.map(({ host }) => host)).size).toBe(5);
    for (const task of app.tasks) {
      const answer = await fetch(`http://${task.host}:${task.ports[0]}/`, { signal: AbortSignal.timeout(5_000) });
      expect((await answer.text()).trim()).toBe(task.id);
    }
    expect([...(await bed.running()).keys()].toSorted()).toEqual(app.tasks.map(({ id }) => id).toSorted());
  });

  test('has a registry that wants a login, and agents that have it', async () => {
    const client = bed.marathon();
    const image = `${bed.registry.host}/berth/test:1`;
    const container = { type: 'DOCKER', docker: { image, network: 'BRIDGE', forcePullImage: true } };
    await client.ok('POST', '/v2/apps', {
      id: '/pulled',
      cmd: 'sleep 1000',
      cpus: 0.1,
      mem: 16,
      instances: 1,
      container,
    });
    await client.settled('/pulled', 1);
  });
});
