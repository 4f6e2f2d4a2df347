import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../support/wait';
import type { AgentHost } from '../testbed/agent-host';
import { diskFull, smallDisk } from '../testbed/faults/disk';
import type { Heal } from '../testbed/faults/fault';
import { IMAGE, Testbed } from '../testbed/testbed';
import {
  failureOf,
  longestPause,
  on,
  onlyTask,
  PATIENCE_MS,
  recordsEqualEngines,
  removeApps,
  sleeper,
  SMALL_BED,
} from './docker-apps';
import { describeLong } from './suite';

const ENGINE_MEGABYTES = 100;
const WORK_MEGABYTES = 20;

/** Long lines, so that the disk is full in the middle of one. */
const FILLER = 'x'.repeat(1_000);
const COUNTING = `n=0; while usleep 20000; do n=$((n+1)); echo "$n ${FILLER}"; done`;

/** No block is left where Docker keeps its containers, or where the agent keeps its notes and sandboxes. */
describeLong('a full disk on the test bed', () => {
  let bed: Testbed;
  let host: AgentHost;
  let heal: Heal | undefined;
  beforeAll(async () => {
    bed = await Testbed.up({
      ...SMALL_BED,
      prepareHost: (each) => {
        if (each.node.name !== 'a1') return;
        smallDisk(each, ENGINE_MEGABYTES);
        smallDisk(each, WORK_MEGABYTES, each.workDir);
      },
    });
    const [first] = bed.hosts;
    if (first === undefined) throw new Error('no host');
    host = first;
  });
  afterEach(async () => {
    await heal?.();
    await recordsEqualEngines(bed);
    await removeApps(bed);
  });
  afterAll(async () => {
    await bed.down();
    expect(bed.leftovers()).toEqual([]);
  });

  /** Starts an app on the host and tells its container. */
  const running = async (id: string, overrides = {}) => {
    await bed.marathon().ok('POST', '/v2/apps', sleeper(id, { ...on('a1'), ...overrides }));
    return onlyTask(bed, id);
  };
  const linesOf = (taskId: string) =>
    readFileSync(join(host.workDir, 'sandboxes', 'berth-marathon', taskId, 'stdout'), 'utf8').split('\n');
  const stillRuns = async (id: string, task: { readonly taskId: string; readonly id: string }) => {
    expect((await bed.marathon().tasks(id)).map((each) => each.id)).toEqual([task.taskId]);
    expect((await bed.running()).get(task.taskId)).toBe(task.id);
  };

  test("the engine's: what runs goes on, launches fail in words with growing pauses, and run when there is room", async () => {
    const kept = await running('/kept');
    heal = diskFull(host);
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/new', { ...on('a1'), backoffFactor: 2 }));
    const failure = await failureOf(bed, '/new', /no space left on device/);
    expect(failure.state).toBe('TASK_FAILED');
    expect(await longestPause(bed, '/new', 3)).toBeGreaterThanOrEqual(2);
    await stillRuns('/kept', kept);
    await heal();
    await bed.marathon().settled('/new', 1, PATIENCE_MS);
    await stillRuns('/kept', kept);
  });

  test("the engine's: a pull fails in words", async () => {
    const [, other] = bed.hosts;
    if (other === undefined) throw new Error('no other host');
    await bed.registry.push(other.docker, IMAGE, 'berth/big:1');
    heal = diskFull(host);
    const image = `${bed.registry.host}/berth/big:1`;
    const container = { type: 'DOCKER', docker: { image, network: 'BRIDGE' } };
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/pulled', { ...on('a1'), container }));
    await failureOf(bed, '/pulled', /no space left on device/);
    await heal();
    await bed.marathon().settled('/pulled', 1, PATIENCE_MS);
  });

  test("the engine's: an app that may run elsewhere does", async () => {
    heal = diskFull(host);
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/free', { instances: 4 }));
    const { tasks } = await bed.marathon().settled('/free', 4, PATIENCE_MS);
    expect(new Set(tasks.map((task) => task.host))).toEqual(new Set([bed.hosts[1]?.node.address]));
  });

  test("the engine's: what runs can be killed", async () => {
    await running('/doomed');
    heal = diskFull(host);
    await bed.marathon().ok('DELETE', '/v2/apps/doomed');
    await bed.marathon().gone('/doomed', PATIENCE_MS);
    expect((await host.containers()).filter(({ state }) => state === 'running')).toEqual([]);
  });

  test("the agent's: nothing is lost or killed by it, and new tasks fail in words", async () => {
    const kept = await running('/kept', { cmd: COUNTING });
    await running('/doomed');
    heal = diskFull(host, host.workDir);
    await bed.marathon().ok('POST', '/v2/apps', sleeper('/new', on('a1')));
    await failureOf(bed, '/new', /cannot write to its disk.*ENOSPC/);
    await bed.marathon().ok('DELETE', '/v2/apps/doomed');
    await bed.marathon().gone('/doomed', PATIENCE_MS);
    await host.agent.restart();
    await bed.allActive();
    await stillRuns('/kept', kept);
    const { length } = linesOf(kept.taskId);
    await heal();
    await bed.marathon().settled('/new', 1, PATIENCE_MS);
    await stillRuns('/kept', kept);
    // Its output waited in Docker's log: all of it comes, and once.
    await waitFor('output after the disk has room', () => linesOf(kept.taskId).length > length + 100, PATIENCE_MS);
    const lines = linesOf(kept.taskId).slice(0, -1);
    expect(lines.map((line) => Number(line.split(' ')[0]))).toEqual(lines.map((_, index) => index + 1));
    expect(new Set(lines.map((line) => line.replace(/^\d+ /, '')))).toEqual(new Set([FILLER]));
  });

  test("the agent's: a task that ends while nothing can be written down is reported and replaced", async () => {
    const before = await running('/ending');
    heal = diskFull(host, host.workDir);
    await host.docker.getContainer(before.id).kill();
    const failure = await failureOf(bed, '/ending', /SIGKILL/);
    expect(failure.taskId).toBe(before.taskId);
    await failureOf(bed, '/ending', /cannot write to its disk/);
    await heal();
    await bed.marathon().settled('/ending', 1, PATIENCE_MS);
  });
});
