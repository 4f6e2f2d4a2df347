import { TimeoutError, UnavailableError } from '../../src/core/errors';
import { LIMITS } from '../../src/core/limits';
import type { ProbeAnswer } from '../../src/core/ports/probe';
import { TaskDriverError, type TaskLaunch } from '../../src/core/ports/task-driver';
import { shellTask, taskInfo } from './builders';
import { FakeWorld } from './fake-world';

let world: FakeWorld;
beforeEach(async () => {
  world = await FakeWorld.started();
});

async function running(taskId = 't'): Promise<void> {
  world.master.launch(shellTask(taskId, 'x'));
  await world.run();
  expect(world.master.last(taskId)?.state).toBe('TASK_RUNNING');
}

/** As the agent would have asked for it. */
function launchOf(taskId: string): TaskLaunch {
  const info = shellTask(taskId, 'x');
  return { taskId, frameworkId: 'F1', agentId: 'S1', info, sandbox: `/s/${taskId}`, environment: {} };
}

describe('launch', () => {
  test('checkpoints before the first call to the driver', async () => {
    const release = world.driver.hold('pull');
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    expect(world.driver.calls).toEqual(['recover', 'pull t']);
    expect(world.checkpoints.task('t')).toMatchObject({ phase: 'launching', taskId: 't', frameworkId: 'F1' });
    release();
    await world.run();
    expect(world.driver.calls.slice(2)).toEqual(['create t', 'start t']);
    expect(world.checkpoints.task('t')).toMatchObject({ phase: 'started', state: 'TASK_RUNNING' });
  });

  test('says what it waits for when the pull is slow, and not when it is quick', async () => {
    const release = world.driver.hold('pull');
    world.master.launch(shellTask('t', 'x'));
    await world.run(LIMITS.phaseReportMs);
    expect(world.master.last('t')).toMatchObject({ state: 'TASK_STAGING', phase: 'pulling image berth/bb:1' });
    release();
    await world.run();
    expect(world.master.states('t')).toEqual(['TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING']);
    await running('quick');
    expect(world.master.states('quick')).toEqual(['TASK_STARTING', 'TASK_RUNNING']);
  });

  test('of a task that is known is ignored', async () => {
    await running();
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    expect(world.driver.count('create t')).toBe(1);
  });

  test.each(['pull', 'create', 'start'] as const)('repeats %s while the engine is away', async (step) => {
    world.driver.fail(step, new UnavailableError('Docker'), new TimeoutError(`Docker ${step}`, 1));
    world.master.launch(shellTask('t', 'x'));
    await world.run(10_000);
    expect(world.driver.count(`${step} t`)).toBe(3);
    expect(world.master.statuses('t').map((status) => status.phase)).toContain('Docker is unavailable');
    expect(world.master.last('t')?.state).toBe('TASK_RUNNING');
  });

  test('gives up when the engine stays away', async () => {
    world.driver.fail('pull', ...Array.from({ length: 1_000 }, () => new UnavailableError('Docker')));
    world.master.launch(shellTask('t', 'x'));
    await world.run(LIMITS.taskLaunchMs + LIMITS.retryLastMs);
    expect(world.master.last('t')).toMatchObject({ state: 'TASK_FAILED', message: 'Docker is unavailable' });
  });

  test.each(['pull', 'create', 'start'] as const)('fails with the words of %s', async (step) => {
    world.driver.fail(step, new TaskDriverError('REASON_CONTAINER_LAUNCH_FAILED', step, 'manifest unknown'));
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    expect(world.master.last('t')).toMatchObject({
      state: 'TASK_FAILED',
      reason: 'REASON_CONTAINER_LAUNCH_FAILED',
      message: 'manifest unknown',
    });
    expect(world.driver.containers.size).toBe(0);
    expect(world.checkpoints.task('t')).toBeUndefined();
    expect(
      world.metrics.values.get(
        'berth_agent_task_ends_total{reason="REASON_CONTAINER_LAUNCH_FAILED",state="TASK_FAILED"}',
      ),
    ).toBe(1);
  });

  test('that cannot be written down starts nothing', async () => {
    world.checkpoints.full = true;
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    expect(world.master.last('t')).toMatchObject({ state: 'TASK_FAILED', message: expect.stringContaining('ENOSPC') });
    expect(world.driver.calls).toEqual(['recover']);
  });

  test('without a containerizer for it fails', async () => {
    world.master.launch(taskInfo('t', { container: undefined, command: { value: 'true' } }));
    await world.run();
    expect(world.master.last('t')?.message).toMatch(/None of the enabled containerizers/);
  });
});

describe('kill', () => {
  test.each(['pull', 'create'] as const)('during %s ends before the task runs', async (step) => {
    const release = world.driver.hold(step);
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    world.master.kill('t');
    release();
    await world.run();
    expect(world.master.last('t')).toMatchObject({ state: 'TASK_KILLED', reason: 'REASON_TASK_KILLED_DURING_LAUNCH' });
    expect(world.driver.calls).not.toContain('start t');
    expect(world.driver.containers.size).toBe(0);
  });

  test('of a start that was given up removes what an engine that hung creates afterwards', async () => {
    world.driver.fail('create', ...Array.from({ length: 9 }, () => new TimeoutError('Docker create', 1)));
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    world.master.kill('t');
    await world.run(1_000);
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
    world.driver.containers.set('t', { phase: 'created', launch: launchOf('t'), waiters: [] });
    await world.run(LIMITS.lateEngineMs);
    expect(world.driver.containers.size).toBe(0);
    expect(world.driver.calls).not.toContain('start t');
  });

  test('while the engine hangs with the creation removes what comes of it', async () => {
    const release = world.driver.hold('create');
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    world.driver.fail('create', new TimeoutError('Docker create', 1));
    world.master.kill('t');
    release();
    await world.run();
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
    world.driver.containers.set('t', { phase: 'created', launch: launchOf('t'), waiters: [] });
    await world.run(LIMITS.lateEngineMs);
    expect(world.driver.containers.size).toBe(0);
  });

  test('during start stops what was started', async () => {
    const release = world.driver.hold('start');
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    world.master.kill('t', 3_000);
    release();
    await world.run();
    expect(world.driver.calls).toContain('stop t 3000');
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
    expect(world.driver.containers.size).toBe(0);
  });

  test('while the engine is away ends the launch', async () => {
    world.driver.fail('pull', ...Array.from({ length: 9 }, () => new UnavailableError('Docker')));
    world.master.launch(shellTask('t', 'x'));
    await world.run(500);
    world.master.kill('t');
    await world.run();
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
  });

  test.each<{ name: string; given?: number; policy?: number; expected: number }>([
    { name: 'that of the kill', given: 1_500, policy: 9e9, expected: 1_500 },
    { name: 'that of the task', policy: 9e9, expected: 9_000 },
    { name: 'that of the agent', expected: 5_000 },
  ])('takes the grace period: $name', async ({ given, policy, expected }) => {
    const kill_policy = policy === undefined ? undefined : { grace_period: { nanoseconds: policy } };
    world.master.launch(shellTask('t', 'x', { kill_policy }));
    await world.run();
    world.master.kill('t', given);
    await world.run();
    expect(world.driver.calls).toContain(`stop t ${expected}`);
  });

  test('repeated does not start anew, shorter takes over', async () => {
    world.driver.stopIgnored = true;
    await running();
    world.master.kill('t', 60_000);
    await world.run(1_000);
    world.master.kill('t', 60_000);
    await world.run();
    expect(world.driver.calls.filter((call) => call.startsWith('stop'))).toEqual(['stop t 60000']);
    world.master.kill('t', 0);
    await world.run();
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
  });

  test('is repeated until the engine does it', async () => {
    await running();
    world.driver.fail('stop', new UnavailableError('Docker'), new UnavailableError('Docker'));
    world.master.kill('t', 5_000);
    await world.run(2_000);
    expect(world.driver.calls.filter((call) => call.startsWith('stop'))).toEqual([
      'stop t 5000',
      'stop t 4900',
      'stop t 4700',
    ]);
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
  });

  test('is asked for again when Docker says that it is done and the container still runs', async () => {
    world.driver.stopIgnored = true;
    await running();
    world.master.kill('t', 1_000);
    await world.run(LIMITS.stopAgainMs - 1);
    expect(world.driver.calls.filter((call) => call.startsWith('stop'))).toEqual(['stop t 1000']);
    await world.run(LIMITS.retryFirstMs + 1);
    expect(world.driver.calls.filter((call) => call.startsWith('stop'))).toEqual(['stop t 1000', 'stop t 0']);
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
    await world.run(2 * LIMITS.stopAgainMs);
    expect(world.driver.calls.filter((call) => call.startsWith('stop'))).toHaveLength(2);
  });

  test('of an unknown task is answered, and its late launch starts nothing', async () => {
    world.master.kill('late');
    await world.run();
    expect(world.master.last('late')).toMatchObject({ state: 'TASK_GONE', uuid: expect.stringMatching(/^.{22}==$/) });
    world.master.launch(shellTask('late', 'x'));
    await world.run();
    expect(world.master.last('late')?.state).toBe('TASK_KILLED');
    expect(world.driver.calls).toEqual(['recover']);
  });
});

describe('the end', () => {
  test.each<{ name: string; exit: object; state: string; reason?: string }>([
    { name: 'status 0', exit: { exitCode: 0 }, state: 'TASK_FINISHED' },
    {
      name: 'status 0 although a child was out of memory',
      exit: { exitCode: 0, oomKilled: true },
      state: 'TASK_FINISHED',
    },
    { name: 'another status', exit: { exitCode: 2 }, state: 'TASK_FAILED', reason: 'REASON_COMMAND_EXECUTOR_FAILED' },
    {
      name: 'memory',
      exit: { exitCode: 137, oomKilled: true },
      state: 'TASK_FAILED',
      reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
    },
    { name: 'no status', exit: { exitCode: undefined }, state: 'TASK_FAILED', reason: 'REASON_EXECUTOR_TERMINATED' },
  ])('by $name is $state', async ({ exit, state, reason }) => {
    await running();
    world.driver.exit('t', exit);
    await world.run();
    expect(world.master.last('t')).toMatchObject({ state, ...(reason === undefined ? {} : { reason }) });
  });

  test('keeps the container for a while, then forgets all but the sandbox', async () => {
    await running();
    world.driver.exit('t', { exitCode: 1, finishedAtMs: world.clock.nowMs() });
    await world.run(LIMITS.agentGcMs);
    expect(world.driver.containers.size).toBe(1);
    await world.run(600_000);
    expect(world.driver.containers.size).toBe(0);
    expect(world.agent.task('t')).toBeUndefined();
    expect(world.checkpoints.task('t')).toBeUndefined();
    expect(world.sandboxes.folders.size).toBe(1);
    await world.run(8 * 24 * 3_600_000);
    expect(world.sandboxes.folders.size).toBe(0);
  });

  test('of a killed task whose container cannot be removed is reported; the container goes later', async () => {
    await running();
    world.driver.fail('remove', new UnavailableError('Docker'));
    world.master.kill('t');
    await world.run();
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
    expect(world.driver.containers.size).toBe(1);
    await world.run(LIMITS.agentGcMs);
    expect(world.driver.containers.size).toBe(0);
  });
});

describe('health', () => {
  const check = {
    type: 'HTTP',
    http: { port: 31_000 },
    from: 'host',
    delay_seconds: 0,
    interval_seconds: 1,
    timeout_seconds: 1,
    grace_period_seconds: 5,
  };

  test('a wall clock that jumps while the agent is away does not end the grace period', async () => {
    world.answer = { ok: false, cause: 'connection refused' };
    world.master.launch(shellTask('t', 'x', { health_checks: [check] }));
    await world.run(2_000);
    await world.crash(() => world.clock.jumpWallClock(3_600_000));
    await world.run(4_000);
    expect(world.master.last('t')?.healthy).toBeUndefined();
    await world.run(3_000);
    expect(world.master.last('t')?.healthy).toBe(false);
  });

  test('failures in the grace period are silent, then each is told, and a success ends them', async () => {
    world.answer = { ok: true, status: 503 };
    world.master.launch(shellTask('t', 'x', { health_checks: [check] }));
    await world.run(4_500);
    expect(world.master.last('t')?.health).toBeUndefined();
    await world.run(2_500);
    const failing = world.master.last('t')?.health?.[0];
    expect(failing).toMatchObject({ alive: false, lastFailureCause: 'HTTP 503' });
    expect(failing?.consecutiveFailures).toBeGreaterThanOrEqual(2);
    expect(world.master.last('t')?.healthy).toBe(false);
    world.answer = { ok: true, status: 302 };
    await world.run(1_500);
    expect(world.master.last('t')?.health?.[0]).toMatchObject({ alive: true, consecutiveFailures: 0 });
    const told = world.master.statuses('t').length;
    await world.run(10_000);
    expect(world.master.statuses('t')).toHaveLength(told);
  });

  test.each<{ name: string; parts: object; host: string }>([
    { name: 'a host port', parts: { from: 'host' }, host: '127.0.0.1' },
    { name: 'a port of the container', parts: { from: undefined }, host: '172.17.0.2' },
  ])('asks $name at $host', async ({ parts, host }) => {
    world.master.launch(shellTask('t', 'x', { health_checks: [{ ...check, ...parts }] }));
    await world.run(200);
    expect(world.probed[0]).toEqual({ host, port: 31_000 });
  });

  const refused = { ok: false, cause: 'connection refused' };
  const fine = { ok: true, status: 200 };
  test.each<{ name: string; parts: object; elsewhere: ProbeAnswer; alive: boolean }>([
    { name: 'a published port is asked there', parts: {}, elsewhere: fine, alive: true },
    { name: 'a published port is refused there too', parts: {}, elsewhere: refused, alive: false },
    { name: 'a port of the container is not asked there', parts: { from: undefined }, elsewhere: fine, alive: false },
  ])('without Docker’s proxy on loopback: $name', async ({ parts, elsewhere, alive }) => {
    world = await FakeWorld.started({ nodeAddress: () => '10.0.0.9' });
    world.answer = refused;
    world.answersAt.set('10.0.0.9', elsewhere);
    world.master.launch(shellTask('t', 'x', { health_checks: [{ ...check, grace_period_seconds: 0, ...parts }] }));
    await world.run(2_000);
    expect(world.master.last('t')?.health?.[0]?.alive).toBe(alive);
  });

  test('a command that an engine in trouble cannot run says nothing about the task', async () => {
    const command = { ...check, type: 'COMMAND', command: { value: 'check' }, grace_period_seconds: 0 };
    world.master.launch(shellTask('t', 'x', { health_checks: [command] }));
    await world.run(500);
    expect(world.master.last('t')?.health?.[0]?.alive).toBe(true);
    world.driver.fail('exec', ...Array.from({ length: 5 }, () => new UnavailableError('Docker')));
    await world.run(4_900);
    expect(world.master.last('t')?.health?.[0]).toMatchObject({ alive: true, consecutiveFailures: 0 });
    world.driver.fail('exec', new TimeoutError('the command', 1_000));
    await world.run(1_500);
    expect(world.driver.failures.get('exec')).toEqual([]);
    const told = world.master.statuses('t').map(({ health }) => health?.[0]?.lastFailureCause);
    expect(told).toContainEqual(expect.stringMatching(/the command/));
  });

  test('results of several checks come together by index', async () => {
    const command = { ...check, type: 'COMMAND', command: { value: 'check' } };
    world.driver.execAnswer = () => ({ exitCode: 9, output: 'sick' });
    world.master.launch(shellTask('t', 'x', { health_checks: [check, { ...command, grace_period_seconds: 0 }] }));
    await world.run(500);
    expect(world.master.last('t')).toMatchObject({
      state: 'TASK_RUNNING',
      healthy: false,
      health: [{ alive: true }, { alive: false, lastFailureCause: 'the command exited with status 9: sick' }],
      container_status: { container_id: { value: 'id-t' } },
    });
  });

  test('reports survive a restart of the agent and are not repeated', async () => {
    world.master.launch(shellTask('t', 'x', { health_checks: [check] }));
    await world.run(500);
    expect(world.master.last('t')?.healthy).toBe(true);
    await world.crash();
    await world.run(3_000);
    expect(world.master.states('t')).toEqual([]);
    world.answer = { ok: false, cause: 'connection refused' };
    await world.run(3_000);
    expect(world.master.statuses('t')[0]?.health?.[0]).toMatchObject({
      alive: false,
      consecutiveFailures: 1,
      firstSuccess: expect.any(String),
    });
  });
});

describe('a launch that a crash has cut off', () => {
  /** Written down, nothing asked of the engine yet; the new agent finds no master that lets it in. */
  async function cutOff(master: (world: FakeWorld) => void): Promise<void> {
    const release = world.driver.hold('pull');
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    await world.crash(() => {
      release();
      master(world);
    });
    await world.run(60_000);
    expect(world.checkpoints.task('t')).toMatchObject({ phase: 'launching' });
    expect(world.driver.calls.filter((call) => call !== 'recover')).toEqual([]);
  }

  test('waits for a master, and then goes on', async () => {
    await cutOff(({ master }) => (master.away = true));
    world.master.away = false;
    await world.run(60_000);
    expect(world.master.states('t')).toEqual(['TASK_STARTING', 'TASK_RUNNING']);
    expect(world.driver.calls.filter((call) => call !== 'recover')).toEqual(['pull t', 'create t', 'start t']);
  });

  test('is not started by an agent that is sent away: its disk may be a copy', async () => {
    await cutOff(({ master }) => (master.sendsAway = 'another host has this id'));
    expect(world.agent.status()).toMatchObject({ state: 'shutdown', reason: 'another host has this id' });
  });

  test('does not keep the agent from stopping', async () => {
    await cutOff(({ master }) => (master.away = true));
    await world.agent.stop();
    expect(world.driver.calls.filter((call) => call !== 'recover')).toEqual([]);
  });
});

describe('a crash of the agent', () => {
  test.each(['pull', 'create', 'start'] as const)('during %s: the launch goes on', async (step) => {
    const release = world.driver.hold(step);
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    await world.crash(release);
    await world.run();
    expect(world.master.last('t')?.state).toBe('TASK_RUNNING');
    expect(world.driver.containers.get('t')?.phase).toBe('running');
    expect(world.driver.containers.size).toBe(1);
  });

  test('after start and before it was written down: the task is found running', async () => {
    await running();
    const before = world.checkpoints.task('t');
    const text = JSON.stringify({
      ...before,
      phase: 'launching',
      state: 'TASK_STARTING',
      container: undefined,
      updates: [],
    });
    await world.crash(() => void world.checkpoints.documents.set('task/t', text));
    expect(world.driver.calls).toEqual(['recover']);
    expect(world.master.states('t')).toEqual(['TASK_RUNNING']);
    expect(world.master.subscriptions[0]?.agent.id).toBe('S1');
  });

  test('while it runs: nothing is touched and nothing is reported', async () => {
    await running();
    await world.crash();
    expect(world.driver.calls).toEqual(['recover']);
    expect(world.master.states('t')).toEqual([]);
    expect(world.master.subscriptions[0]?.tasks).toMatchObject([{ frameworkId: 'F1', state: 'TASK_RUNNING' }]);
  });

  test('and the task ended meanwhile: the end is reported', async () => {
    await running();
    await world.crash(() => world.driver.exit('t', { exitCode: 4 }));
    expect(world.master.states('t')).toEqual(['TASK_FAILED']);
  });

  test('and the task ended meanwhile: it is not called alive while its last output is still read', async () => {
    await running();
    world.driver.followLogs = () => new Promise(() => undefined);
    await world.crash(() => world.driver.exit('t', { exitCode: 4 }));
    expect(world.master.subscriptions[0]?.tasks).toMatchObject([{ frameworkId: 'F1', state: 'TASK_FAILED' }]);
    expect(world.master.states('t')).toEqual([]);
    await world.run(LIMITS.logDrainMs);
    expect(world.master.states('t')).toEqual(['TASK_FAILED']);
  });

  test('and the container was removed meanwhile: the end is reported', async () => {
    await running();
    await world.crash(() => world.driver.vanish('t'));
    expect(world.master.last('t')).toMatchObject({ state: 'TASK_FAILED', message: expect.stringContaining('gone') });
  });

  test('during a kill: the rest of the grace period is kept', async () => {
    world.driver.stopIgnored = true;
    await running();
    world.master.kill('t', 60_000);
    await world.run(20_000);
    await world.crash();
    expect(world.driver.calls).toContain('stop t 40000');
  });

  test('before an update was acknowledged: the same update comes again', async () => {
    world.master.acknowledges = false;
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    const uuid = world.master.last('t')?.uuid;
    await world.crash();
    expect(world.master.statuses('t')[0]?.uuid).toBe(uuid);
    expect(world.master.states('t')).toEqual(['TASK_STARTING', 'TASK_RUNNING']);
  });

  test('and garbage checkpoints: they are set aside, the container is taken over, the id is kept', async () => {
    await running();
    await world.crash(() => {
      for (const name of world.checkpoints.documents.keys()) world.checkpoints.documents.set(name, '{"cut');
    });
    expect(world.checkpoints.aside.sort()).toEqual(['agent', 'task/t']);
    expect(world.driver.calls).toEqual(['recover']);
    expect(world.agent.status().agentId).toBe('S1');
    expect(world.master.states('t')).toEqual(['TASK_RUNNING']);
  });

  test('and a container that never ran and has no checkpoint: it is removed before the master hears of the agent', async () => {
    await world.crash(
      () => void world.driver.containers.set('late', { phase: 'created', launch: launchOf('late'), waiters: [] }),
    );
    expect(world.driver.calls).toEqual(['recover', 'remove late']);
    expect(world.driver.containers.size).toBe(0);
    expect(world.master.subscriptions[0]?.tasks).toEqual([]);
  });

  test('and a container that is created only after the agent has looked: it is removed', async () => {
    await running();
    await world.crash();
    world.driver.containers.set('late', { phase: 'created', launch: launchOf('late'), waiters: [] });
    await world.run(LIMITS.lateEngineMs);
    expect([...world.driver.containers.keys()]).toEqual(['t']);
  });

  test('between create and start, and a kill before the start: the container is removed', async () => {
    world.driver.hold('start');
    world.driver.pullIgnoresAbort = true;
    world.master.launch(shellTask('t', 'x'));
    await world.run();
    let release = () => undefined as void;
    await world.crash(() => (release = world.driver.hold('pull')));
    world.master.kill('t');
    release();
    await world.run();
    expect(world.master.last('t')?.state).toBe('TASK_KILLED');
    expect(world.driver.containers.size).toBe(0);
  });

  test('and an engine that does not remove it: it is left alone and named', async () => {
    await world.crash(() => {
      world.driver.containers.set('late', { phase: 'created', launch: launchOf('late'), waiters: [] });
      world.driver.fail('remove', new UnavailableError('Docker'));
    });
    expect(world.agent.status().state).toBe('registered');
    expect(world.driver.containers.get('late')?.phase).toBe('created');
    expect(world.metrics.read('berth_agent_unknown_containers')).toBe(1);
  });

  test('and an engine that is away: the agent waits, says so and then goes on', async () => {
    await running();
    await world.crash(() =>
      world.driver.fail('recover', new UnavailableError('Docker'), new UnavailableError('Docker')),
    );
    expect(world.agent.status()).toMatchObject({ state: 'recovering', reason: 'Docker is unavailable' });
    expect(world.master.subscriptions).toEqual([]);
    await world.run(1_000);
    expect(world.agent.status().state).toBe('registered');
  });
});
