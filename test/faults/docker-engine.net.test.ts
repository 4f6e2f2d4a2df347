import type { AgentHost } from '../testbed/agent-host';
import type { BedProcess } from '../testbed/bed-process';
import { killContainerd, killShim, restartDockerd } from '../testbed/faults/docker';
import { stall } from '../testbed/faults/process';
import { Testbed } from '../testbed/testbed';
import { webApp } from '../e2e/world';
import { isAlive } from '../support/leftovers';
import { waitFor } from '../support/wait';
import {
  Caller,
  failureOf,
  on,
  onlyTask,
  PATIENCE_MS,
  recordsEqualEngines,
  removeApps,
  replaced,
  sleeper,
  SMALL_BED,
} from './docker-apps';
import { describeLong, isLong, testLong } from './suite';

/** Longer than three failures in a row of a check that is asked every second. */
const OUTAGE_MS = 8_000;
/** Longer than everything that is asked of an engine every few seconds, shorter than the limit of a call. */
const HANG_MS = 40_000;

const commandChecked = (id: string) =>
  sleeper(id, {
    ...on('a1'),
    healthChecks: [
      {
        protocol: 'COMMAND',
        command: { value: 'true' },
        delaySeconds: 0,
        gracePeriodSeconds: 1,
        intervalSeconds: 1,
        timeoutSeconds: 2,
        maxConsecutiveFailures: 3,
      },
    ],
  });

/** Whether the process has said so since its log was `from` characters long. */
function logged(process: BedProcess, from: number, words: string): boolean {
  return process.log().slice(from).includes(words);
}

/** The Docker engine below running tasks goes away, hangs, or loses its parts. */
describe('the engine on the test bed', () => {
  let bed: Testbed;
  let host: AgentHost;
  beforeAll(async () => {
    bed = await Testbed.up({ ...SMALL_BED, registry: false });
    const [first] = bed.hosts;
    if (first === undefined) throw new Error('no host');
    host = first;
  });
  const callers: Caller[] = [];
  afterEach(async () => {
    await Promise.all(callers.splice(0).map((caller) => caller.stop()));
    await recordsEqualEngines(bed);
    await removeApps(bed);
  });
  afterAll(async () => {
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });

  const pids = async (): Promise<Map<string, number>> => {
    const list = await host.containers();
    const found = await Promise.all(
      list
        .filter(({ state }) => state === 'running')
        .map(async ({ id }) => [id, (await host.docker.getContainer(id).inspect()).State.Pid] as const),
    );
    return new Map(found);
  };

  const callerOf = (url: string) => {
    const caller = new Caller(url);
    callers.push(caller);
    return caller;
  };

  /** One app that is checked from outside, one from inside, both healthy. */
  const twoApps = async () => {
    const client = bed.marathon();
    await client.ok('POST', '/v2/apps', webApp('/web', on('a1')));
    await client.ok('POST', '/v2/apps', commandChecked('/inside'));
    for (const id of ['/web', '/inside'])
      await waitFor(`${id} to be healthy`, async () => (await client.app(id)).tasksHealthy === 1, PATIENCE_MS);
    const { tasks } = await client.app('/web');
    return { before: await pids(), url: `http://${tasks[0]?.host}:${tasks[0]?.ports[0]}/` };
  };

  /** The same containers with the same processes, no failure, everything healthy. */
  const untouched = async (before: Map<string, number>) => {
    const client = bed.marathon();
    for (const id of ['/web', '/inside'])
      await waitFor(`${id} to be healthy`, async () => (await client.app(id)).tasksHealthy === 1, PATIENCE_MS);
    expect(await pids()).toEqual(before);
    for (const id of ['/web', '/inside']) expect((await client.app(id)).lastTaskFailure).toBeUndefined();
  };

  test.each(isLong ? (['SIGTERM', 'SIGKILL'] as const) : (['SIGKILL'] as const))(
    'restart of dockerd (%s) with live-restore: containers serve all the time, nothing is reported',
    async (how) => {
      const { before, url } = await twoApps();
      const caller = callerOf(url);
      await host.dockerd.kill(how, PATIENCE_MS);
      await caller.answers(20);
      expect(await caller.stop()).toEqual([]);
      // A dockerd that starts writes its rules of the network anew, which is a gap of its own making.
      await host.startDockerd();
      await callerOf(url).answers(5);
      await untouched(before);
    },
  );

  describeLong('for a while', () => {
    test('dockerd is away: health checks of both kinds kill nothing, ends are learnt late, kills go through', async () => {
      const { before, url } = await twoApps();
      await bed.marathon().ok('POST', '/v2/apps', sleeper('/doomed', on('a1')));
      await onlyTask(bed, '/doomed');
      const caller = callerOf(url);
      await host.dockerd.kill('SIGTERM', PATIENCE_MS);
      await bed.marathon().ok('DELETE', '/v2/apps/doomed');
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
      expect((await bed.marathon().app('/web')).tasks).toHaveLength(1);
      expect(await caller.stop()).toEqual([]);
      await host.startDockerd();
      await bed.marathon().gone('/doomed', PATIENCE_MS);
      await untouched(before);
    });

    test('a task ends while dockerd is away: the exit status is reported when it is back', async () => {
      const brief = { cmd: 'sleep 4; exit 7', backoffSeconds: 60, ...on('a1') };
      await bed.marathon().ok('POST', '/v2/apps', sleeper('/brief', brief));
      const task = await onlyTask(bed, '/brief');
      await host.dockerd.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
      expect((await bed.marathon().app('/brief')).tasks.map(({ id }) => id)).toEqual([task.taskId]);
      await host.startDockerd();
      const failure = await failureOf(bed, '/brief', /status 7/);
      expect(failure.taskId).toBe(task.taskId);
    });

    test('dockerd hangs: nothing is declared dead; kills, scaling and status wait and then go through', async () => {
      const { before, url } = await twoApps();
      await bed.marathon().ok('POST', '/v2/apps', sleeper('/doomed', on('a1')));
      await onlyTask(bed, '/doomed');
      const caller = callerOf(url);
      const agent = host.agent.pid;
      const heal = await stall(host.dockerd);
      await bed.marathon().ok('DELETE', '/v2/apps/doomed');
      await bed.marathon().ok('POST', '/v2/apps', sleeper('/late', on('a1')));
      await new Promise((resolve) => setTimeout(resolve, HANG_MS));
      const { tasks } = (await bed.marathon().ok('GET', '/v2/tasks')) as { tasks: { appId: string; state: string }[] };
      expect(tasks.filter(({ state }) => state === 'TASK_RUNNING').map(({ appId }) => appId)).toEqual(
        expect.arrayContaining(['/inside', '/web']),
      );
      expect(await bed.activeAgents()).toBe(2);
      await heal();
      await bed.marathon().gone('/doomed', PATIENCE_MS);
      const late = await onlyTask(bed, '/late');
      expect(host.agent.pid).toBe(agent);
      expect(await caller.stop()).toEqual([]);
      expect(new Map([...(await pids())].filter(([id]) => id !== late.id))).toEqual(before);
    });

    test('dockerd hangs while the agent starts anew: it waits, and knows its tasks afterwards', async () => {
      const { before } = await twoApps();
      const heal = await stall(host.dockerd);
      await host.agent.restart();
      await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
      await heal();
      await bed.allActive();
      await untouched(before);
    });
  });

  testLong('death of containerd: what runs goes on, what is new waits for it', async () => {
    const { before } = await twoApps();
    const heal = await killContainerd(host);
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/new', on('a1')));
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    expect((await bed.marathon().app('/new')).tasksRunning).toBe(0);
    await heal();
    const task = await onlyTask(bed, '/new');
    const seen = new Map([...(await pids())].filter(([id]) => before.has(id)));
    expect(seen).toEqual(before);
    expect(task.state).toBe('running');
  });

  testLong('death of a shim: the task has failed and is replaced', async () => {
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/shim', on('a1')));
    const task = await onlyTask(bed, '/shim');
    await killShim(host, task.id);
    expect(await failureOf(bed, '/shim', /./)).toMatchObject({ taskId: task.taskId, state: 'TASK_FAILED' });
    await replaced(bed, '/shim', [task.taskId]);
  });

  testLong(
    'containerd and the shim die during a kill: Docker takes the container for running, the kill is done',
    async () => {
      await bed.marathon().ok('POST', '/v2/apps', sleeper('/undead', on('a1')));
      const task = await onlyTask(bed, '/undead');
      const { Pid: pid } = (await host.docker.getContainer(task.id).inspect()).State;
      const [asked, forced] = [host.agent.log().length, host.dockerd.log().length];
      const heal = await killContainerd(host);
      await bed.marathon().ok('DELETE', '/v2/apps/undead');
      await waitFor('the agent to stop it', () => logged(host.agent, asked, 'task is to be killed'), PATIENCE_MS);
      await killShim(host, task.id);
      const inVain = () => logged(host.dockerd, forced, 'using the force');
      await waitFor('dockerd to have killed in vain', inVain, PATIENCE_MS);
      await heal();
      await waitFor('the process to be gone', () => !isAlive(pid), PATIENCE_MS);
      await bed.marathon().gone('/undead', PATIENCE_MS);
      // Those of tasks that ended by themselves are kept for a while.
      const isGone = async () => (await host.containers()).every(({ id }) => id !== task.id);
      await waitFor('the container to be gone', isGone, PATIENCE_MS);
    },
  );

  testLong(
    'without live-restore: the agent warns; a restart of dockerd ends the tasks, which are replaced',
    async () => {
      await host.dockerd.kill('SIGTERM', PATIENCE_MS);
      await host.agent.kill();
      await host.startEngine({ liveRestore: false });
      host.agent.start();
      await bed.allActive();
      await waitFor('the warning', () => host.agent.log().includes('docker live-restore is off'));
      await bed.marathon().ok('POST', '/v2/apps', sleeper('/mortal', { instances: 3, ...on('a1') }));
      const before = (await bed.marathon().settled('/mortal', 3)).tasks.map(({ id }) => id);
      await restartDockerd(host, 'SIGTERM');
      await replaced(bed, '/mortal', before, 3);
      const failure = await failureOf(bed, '/mortal', /./);
      expect(failure.state).toBe('TASK_FAILED');
      expect(before).toContain(failure.taskId);
      await host.dockerd.kill('SIGTERM', PATIENCE_MS);
      await host.startEngine();
    },
  );
});
