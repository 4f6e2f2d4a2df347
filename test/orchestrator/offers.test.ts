import { World } from './world';

describe('offers', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.end());

  const hosts = (app: string): string[] => world.running(app).flatMap(({ task }) => task?.record.spec.agentId ?? []);

  test('an idle framework holds no offers and asks for none', async () => {
    await world.start([{ id: 'a1' }]);
    await world.run(5_000);
    expect(world.master.callsOf('REVIVE')).toEqual([]);
    world.master.offer();
    await world.run(0);
    expect(world.master.callsOf('DECLINE').map(({ decline }) => decline.filters)).toEqual([{ refuse_seconds: 120 }]);
    await world.put({ id: '/web' });
    await world.run(0);
    expect(world.running('/web')).toHaveLength(1);
    expect(world.master.calls.at(-1)?.type).toBe('ACKNOWLEDGE');
    expect(world.master.callsOf('SUPPRESS')).toHaveLength(1);
  });

  test('an app that fits nowhere says why, with counts per reason', async () => {
    await world.start([
      { id: 'a1', cpus: 1 },
      { id: 'a2', cpus: 1 },
      { id: 'a3', mem: 16 },
    ]);
    await world.put({ id: '/web', cpus: 2, constraints: [['hostname', 'UNLIKE', 'a2']] });
    await world.run(1_000);
    const queue = world.app('/web')?.record.status?.launchQueue;
    expect(queue?.message).toBe(
      '1 instance waits: of 3 agents, 1 do not meet the constraints, 1 have too few cpus, 1 have too little memory',
    );
    expect(queue?.rejectSummaryLastOffers.filter(({ declined }) => declined > 0)).toEqual([
      { reason: 'UnfulfilledConstraint', declined: 1, processed: 3 },
      { reason: 'InsufficientCpus', declined: 1, processed: 2 },
      { reason: 'InsufficientMemory', declined: 1, processed: 1 },
    ]);
    expect(queue?.rejectSummaryLastOffers).toHaveLength(10);
    expect(queue?.lastUnusedOffers).toHaveLength(3);
    expect(world.app('/web')?.record.status?.conditions).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: 'Progressing', reason: 'WaitingForPlacement' })]),
    );
  });

  test('without any agent it says so', async () => {
    await world.start([]);
    await world.put({ id: '/web', instances: 2 });
    await world.run(1_000);
    expect(world.app('/web')?.record.status?.launchQueue?.message).toBe(
      '2 instances wait for offers: no agent has offered anything of use yet',
    );
  });

  test('hostname UNIQUE beyond the hosts waits, and a new host is used', async () => {
    await world.start([{ id: 'a1' }, { id: 'a2' }]);
    await world.put({ id: '/web', instances: 3, constraints: [['hostname', 'UNIQUE', '']] });
    await world.run(1_000);
    expect(hosts('/web').sort()).toEqual(['a1', 'a2']);
    expect(world.app('/web')?.record.status?.launchQueue?.count).toBe(1);
    await world.master.addAgents([{ id: 'a3' }]);
    world.master.offer();
    await world.run(1_000);
    expect(hosts('/web').sort()).toEqual(['a1', 'a2', 'a3']);
  });

  test('a place that was taken when it was offered, and became free, is asked for again', async () => {
    await world.start([{ id: 'a1' }, { id: 'a2' }]);
    await world.put({ id: '/web', instances: 2, constraints: [['hostname', 'UNIQUE']] });
    await world.run();
    const [lost = ''] = world.taskIds('/web');
    await world.master.update(lost, 'TASK_UNREACHABLE', { unreachableSinceMs: world.clock.nowMs() });
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(1);
    expect(world.app('/web')?.record.status?.launchQueue?.count).toBe(1);
    await world.master.update(lost, 'TASK_FAILED', { message: 'its host was switched off and on' });
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(2);
  });

  test('hostname UNIQUE can be rolled: only the new configuration counts', async () => {
    await world.start([{ id: 'a1' }, { id: 'a2' }]);
    const constraints = [['hostname', 'UNIQUE']];
    await world.put({ id: '/web', instances: 2, constraints });
    await world.run(1_000);
    await world.put({ id: '/web', instances: 2, constraints, labels: { v: '2' } });
    await world.run(1_000);
    expect(world.rollouts()).toEqual([]);
    expect(hosts('/web').sort()).toEqual(['a1', 'a2']);
  });

  test('GROUP_BY spreads, and scaling down keeps the spread', async () => {
    const agents = [1, 2, 3, 4, 5, 6].map((n) => ({ id: `a${n}`, attributes: { rack: `r${n % 3}` } }));
    await world.start(agents);
    const spec = { id: '/web', constraints: [['rack', 'GROUP_BY', '3']] };
    const racks = () => {
      const counts = new Map<string, number>();
      for (const id of hosts('/web')) {
        const rack = agents.find((agent) => agent.id === id)?.attributes.rack ?? '';
        counts.set(rack, (counts.get(rack) ?? 0) + 1);
      }
      return [...counts.values()].sort((a, b) => a - b);
    };
    await world.put({ ...spec, instances: 6 });
    await world.run(1_000);
    expect(racks()).toEqual([2, 2, 2]);
    await world.put({ ...spec, instances: 3 });
    await world.run(1_000);
    expect(racks()).toEqual([1, 1, 1]);
  });

  test('one task takes host ports out of the offer and tells the container', async () => {
    await world.start([{ id: 'a1', ports: [31_000, 31_001] }]);
    const portMappings = [
      { containerPort: 80, hostPort: 0 },
      { containerPort: 53, hostPort: 31_000, protocol: 'udp,tcp' as const },
    ];
    await world.put({
      id: '/web',
      networks: [{ mode: 'container/bridge' }],
      container: { docker: { image: 'x' }, portMappings },
    });
    await world.run();
    const [info] = world.master.launched();
    expect(info?.container?.docker?.port_mappings).toEqual([
      { container_port: 80, host_port: 31_001, protocol: 'tcp' },
      { container_port: 53, host_port: 31_000, protocol: 'udp' },
      { container_port: 53, host_port: 31_000, protocol: 'tcp' },
    ]);
    expect(info?.resources.find(({ name }) => name === 'ports')?.ranges?.range).toEqual([
      { begin: 31_000, end: 31_000 },
      { begin: 31_001, end: 31_001 },
    ]);
  });

  test('a plain command waits for an agent that can run it', async () => {
    await world.start([{ id: 'a1' }]);
    const { warnings } = await world.groups.apply([
      { kind: 'put', mode: 'create', spec: { id: '/cmd', cmd: 'sleep 1', cpus: 0.1, mem: 10 } },
    ]);
    expect(warnings).toEqual([expect.stringContaining('container')]);
    await world.run(1_000);
    expect(world.running('/cmd')).toEqual([]);
    expect(world.app('/cmd')?.record.status?.launchQueue?.rejectSummaryLastOffers).toEqual(
      expect.arrayContaining([{ reason: 'UnfulfilledConstraint', declined: 1, processed: 1 }]),
    );
    await world.master.addAgents([{ id: 'a2', containerizers: ['docker', 'mesos'] }]);
    world.master.offer();
    await world.run(1_000);
    expect(hosts('/cmd')).toEqual(['a2']);
  });

  test('an offer that was rescinded is not used', async () => {
    await world.start([{ id: 'a1' }]);
    world.master.offersOnRevive = false;
    await world.put({ id: '/web' });
    await world.run(1_000);
    world.master.offer();
    const offers = world.master.agents.length;
    expect(offers).toBe(1);
    world.master.emit({ type: 'RESCIND', rescind: { offer_id: { value: 'offer-1' } } });
    await world.run(1_000);
    expect(world.master.callsOf('ACCEPT')).toEqual([]);
    world.master.offer();
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(1);
  });

  test('more than one ACCEPT holds: the rest follows', async () => {
    await world.start([{ id: 'a1', cpus: 1_000, mem: 1_000_000 }]);
    await world.put({ id: '/web', instances: 250 });
    await world.run(1_000);
    expect(world.running('/web')).toHaveLength(250);
    const sizes = world.master
      .callsOf('ACCEPT')
      .map(({ accept }) => accept.operations[0]?.launch.task_infos.length ?? 0);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
  });

  test('the subscription that closed is opened again and goes on', async () => {
    await world.start([{ id: 'a1' }]);
    world.master.closeStream('failed over');
    await world.put({ id: '/web' });
    await world.run(10_000);
    expect(world.running('/web')).toHaveLength(1);
  });

  test('roles that are new are announced before offers are asked for', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web', role: 'dev' });
    await world.run(0);
    const [update] = world.master.callsOf('UPDATE_FRAMEWORK');
    expect(update?.update_framework.framework_info.roles).toEqual(['*', 'dev']);
    expect(world.master.callsOf('REVIVE').at(-1)?.revive?.roles).toEqual(['dev']);
  });

  test('a deposed leader writes and sends nothing', async () => {
    await world.start([{ id: 'a1' }]);
    await world.store.commit([{ kind: 'delete', key: '/berth/leader' }]);
    await world.put({ id: '/web' });
    await world.run(5_000);
    expect(world.views('/web')).toEqual([]);
    expect(world.master.callsOf('ACCEPT')).toEqual([]);
  });

  test('status is written at most four times a second, and not at all when nothing changes', async () => {
    await world.start([{ id: 'a1' }]);
    await world.put({ id: '/web', instances: 5 });
    await world.run(2_000);
    let writes = 0;
    const stop = world.records.onChange((changes) => {
      writes += changes.filter(({ kind }) => kind === 'App').length;
    });
    await world.run(200_000);
    expect(writes).toBe(0);
    for (let i = 0; i < 20; i++) {
      const [taskId = ''] = world.taskIds('/web');
      await world.master.update(taskId, i % 2 === 0 ? 'TASK_STARTING' : 'TASK_RUNNING');
      await world.run(50);
    }
    await world.run(1_000);
    stop();
    expect(writes).toBeGreaterThan(0);
    expect(writes).toBeLessThanOrEqual(6);
  });
});
