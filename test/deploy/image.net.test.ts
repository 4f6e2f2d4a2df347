import type Docker from 'dockerode';
import { packageVersion } from '../../src/cli/package-root';
import { webApp } from '../e2e/world';
import { importBusybox } from '../support/images';
import type { MarathonClient } from '../support/marathon-client';
import { waitFor } from '../support/wait';
import { Testbed } from '../testbed/testbed';
import { ComposeProject } from './compose-project';
import { BASE, buildImage } from './image';
import { addMachineParts } from './machine-image';

/**
 * deploy/Dockerfile, built by a real engine on a base made of this machine's parts; what the Helm chart, the compose file and
 * people expect of the image; and the services of deploy/compose.yaml, started from it. The images of etcd and Prometheus are
 * stand-ins with this machine's programs; Grafana's is not to be had without a registry and is left out.
 */
jest.setTimeout(600_000);

const NAME = 'berth:test';
const ETCD = 'berth-test/etcd:1';
const PROMETHEUS = 'berth-test/prometheus:1';
/** What the image may add to its base; 33 MB are needed, most of them modules of npm. */
const MOST_MB = 50;
const WAIT_MS = 120_000;

let bed: Testbed;
let docker: Docker;

beforeAll(async () => {
  bed = await Testbed.up({ etcd: 0, servers: 0, agents: 1, registry: false });
  docker = host().docker;
  await host().agent.kill();
  await buildImage(bed, NAME);
});
afterAll(async () => {
  await bed.down();
  expect(bed.leftovers()).toEqual([]);
});

function host() {
  const [first] = bed.hosts;
  if (first === undefined) throw new Error('the bed has no host');
  return first;
}

/** Runs a command in a container as hardened as the chart's, and returns what it printed. */
async function run(command: readonly string[], entrypoint?: readonly string[]): Promise<string> {
  const container = await docker.createContainer({
    Image: NAME,
    Cmd: [...command],
    Tty: true,
    ...(entrypoint === undefined ? {} : { Entrypoint: [...entrypoint] }),
    HostConfig: {
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      NetworkMode: 'none',
    },
  });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    const output = (await container.logs({ stdout: true, stderr: true })).toString('utf8').replaceAll('\r\n', '\n');
    if (StatusCode !== 0) throw new Error(`${command.join(' ')}: exit ${StatusCode}\n${output}`);
    return output.trim();
  } finally {
    await container.remove({ force: true });
  }
}

const sh = (script: string) => run(['-c', script], ['sh']);

describe('the image', () => {
  test('is small: the base, the program, the modules of production', async () => {
    const [base, image] = await Promise.all([docker.getImage(BASE).inspect(), docker.getImage(NAME).inspect()]);
    const [allMb, ownMb] = [image.Size / 1e6, (image.Size - base.Size) / 1e6];
    process.stderr.write(`image: ${allMb.toFixed(0)} MB, of which ${ownMb.toFixed(0)} MB are above the base\n`);
    expect(ownMb).toBeLessThan(MOST_MB);
  });

  test('is nobody in particular, and says so by number', async () => {
    const { Config } = await docker.getImage(NAME).inspect();
    expect(Config).toMatchObject({ User: '10001:10001', Entrypoint: ['berth'] });
    expect(await sh('id -u; id -g')).toBe('10001\n10001');
  });

  test('has berth, node and sh on the PATH, and runs with nothing to write to', async () => {
    expect(await run(['version'])).toContain(packageVersion());
    expect(await run(['server', '--help'])).toContain('--etcd-endpoints');
    expect(await run(['agent', '--help'])).toContain('--docker-socket');
    expect(await sh('berth version && node --version && command -v sh')).toContain(process.version);
  });

  test('holds nothing that its user could change, no sources, no tools of development', async () => {
    expect(await sh('find /opt/berth -user 10001 -o -type f -perm -002')).toBe('');
    expect(await sh('touch /opt/berth/dist/x 2>/dev/null || echo refused')).toBe('refused');
    const files = (await sh('ls -1 /opt/berth')).split('\n').toSorted();
    expect(files).toEqual(['LICENSE', 'dist', 'node_modules', 'package.json']);
    expect(await sh('ls /opt/berth/node_modules | grep -c -x -e typescript -e jest -e oxlint || true')).toBe('0');
  });

  test('has a folder for the server that is its user’s own, so that a new volume is too', async () => {
    expect(await sh('stat -c "%u %a" /var/lib/berth/server')).toBe('10001 700');
  });
});

describe('compose.yaml', () => {
  const SERVICES = ['etcd1', 'etcd2', 'etcd3', 'server1', 'server2', 'server3', 'agent', 'prometheus'];
  const SERVER_URLS = ['http://127.0.0.1:8080', 'http://127.0.0.1:8081', 'http://127.0.0.1:8082'];
  let project: ComposeProject;
  let token: string;

  beforeAll(async () => {
    await Promise.all([
      importBusybox(host().dockerSocket, ETCD, {
        changes: ['ENV PATH=/usr/bin:/bin', 'CMD ["etcd"]'],
        add: (tar) => addMachineParts(tar, { programs: ['etcd', 'etcdctl'] }),
      }),
      importBusybox(host().dockerSocket, PROMETHEUS, {
        changes: ['ENV PATH=/usr/bin:/bin', 'ENTRYPOINT ["prometheus"]', 'USER nobody'],
        add: (tar) => {
          addMachineParts(tar, { programs: ['prometheus'] });
          tar.entry({ name: 'prometheus', type: 'directory', mode: 0o755, uid: 65_534, gid: 65_534 });
        },
      }),
    ]);
    project = new ComposeProject(host(), { BERTH_IMAGE: NAME, ETCD_IMAGE: ETCD, PROMETHEUS_IMAGE: PROMETHEUS });
    await up();
    token = await project.compose('exec', '-T', 'server1', 'cat', '/etc/berth/token');
  });
  afterAll(async () => {
    await project.compose('down', '--volumes', '--timeout', '5');
  });

  const up = () => project.compose('up', '--detach', '--no-build', ...SERVICES);
  const client = (index = 0): MarathonClient => project.marathon(SERVER_URLS[index] ?? '', token);
  const containerOf = async (service: string) => docker.getContainer(await project.compose('ps', '-q', service));

  async function taskContainers(): Promise<string[]> {
    const running = await docker.listContainers({ filters: { label: ['MESOS_TASK_ID'] } });
    return running.map(({ Id }) => Id).toSorted();
  }

  async function agentIsActive(index = 0): Promise<boolean> {
    const status = (await client(index).ok('GET', '/v1/status')) as { agents: { state: string }[] };
    return status.agents.some(({ state }) => state === 'active');
  }

  test('every service is well, and every server wants the secret', async () => {
    const states = async () =>
      Promise.all(SERVICES.slice(0, -1).map(async (name) => (await (await containerOf(name)).inspect()).State));
    const allWell = async () => (await states()).every(({ Health }) => Health?.Status === 'healthy');
    await waitFor('all services to be healthy', allWell, WAIT_MS, 1_000);
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    for (const url of SERVER_URLS) {
      expect((await project.fetch(`${url}/v2/apps`)).status).toBe(401);
      expect((await project.marathon(url, token).call('GET', '/v2/apps')).status).toBe(200);
    }
  });

  test('servers are not root and can write nothing but their volume', async () => {
    const { Config, HostConfig } = await (await containerOf('server1')).inspect();
    expect(Config.User).toBe('10001:10001');
    expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false });
  });

  test('an app runs, is reached on the machine, and is seen by the command line in a container', async () => {
    await waitFor('the agent to be active', agentIsActive, WAIT_MS, 500);
    await client().ok('POST', '/v2/apps', webApp('/web', { instances: 2 }));
    const app = await client().settled('/web', 2, WAIT_MS);
    for (const task of app.tasks) {
      const answer = await project.fetch(`http://${task.host}:${task.ports[0]}/`);
      expect(String(answer.body).trim()).toBe(task.id);
    }
    const status = await project.compose(
      'exec',
      '-T',
      'server1',
      'berth',
      'status',
      '--token-file',
      '/etc/berth/token',
    );
    expect(status).toContain('/web');
  });

  test('Prometheus scrapes all servers, the agent and etcd, and its rules are good', async () => {
    interface Target {
      readonly labels: { readonly job: string };
      readonly scrapeUrl: string;
      readonly health: string;
      readonly lastError: string;
    }
    const scraped = async () => {
      const { body } = await project.fetch('http://127.0.0.1:9090/api/v1/targets?state=active');
      const { activeTargets } = (body as { data: { activeTargets: Target[] } }).data;
      const words = activeTargets.map(({ scrapeUrl, health, lastError }) => `${scrapeUrl} ${health} ${lastError}`);
      const isWell = activeTargets.length === 7 && activeTargets.every(({ health }) => health === 'up');
      if (!isWell) throw new Error(words.join('\n'));
      return activeTargets.map(({ labels }) => labels.job);
    };
    const jobs = await waitFor('seven targets', scraped, WAIT_MS, 1_000);
    expect(new Set(jobs)).toEqual(new Set(['berth-agent', 'berth-server', 'berth-etcd']));
    const rules = (await project.fetch('http://127.0.0.1:9090/api/v1/rules')).body as {
      data: { groups: { rules: { name: string; lastError?: string }[] }[] };
    };
    const all = rules.data.groups.flatMap((group) => group.rules);
    expect(all.map(({ name }) => name)).toContain('BerthNoLeader');
    const wellOf = async (what: string) => {
      const { body } = await project.fetch(`http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(what)}`);
      return (body as { data: { result: { value: [number, string] }[] } }).data.result.map(({ value }) => value[1]);
    };
    await waitFor(
      'one leader',
      async () => (await wellOf('sum by (cluster) (berth_leader)')).join() === '1',
      WAIT_MS,
      1_000,
    );
    expect(all.filter(({ lastError }) => (lastError ?? '') !== '')).toEqual([]);
  });

  test('the leader dies: another takes over, the app changes, nothing restarts', async () => {
    const before = await taskContainers();
    const { leader } = (await client().ok('GET', '/v2/leader')) as { leader: string };
    const index = Number(/\.2([123]):/.exec(leader)?.[1]) - 1;
    const other = (index + 1) % 3;
    // Stopped by hand: the engine does not start it again.
    await (await containerOf(`server${index + 1}`)).kill();
    const taken = async () => ((await client(other).ok('GET', '/v2/leader')) as { leader: string }).leader !== leader;
    await waitFor('another leader', taken, WAIT_MS, 200);
    await waitFor('the agent to be active again', () => agentIsActive(other), WAIT_MS, 500);
    await client(other).ok('PUT', '/v2/apps/web', { instances: 3 });
    await client(other).settled('/web', 3, WAIT_MS);
    expect(await taskContainers()).toEqual(expect.arrayContaining(before));
  });

  test('Docker restarts, with a socket that is new: the agent goes on, nothing else restarts', async () => {
    await up(); // the server that the last test has killed
    const before = await taskContainers();
    const agent = await (await containerOf('agent')).inspect();
    await host().dockerd.kill('SIGTERM');
    await host().startDockerd();
    await waitFor('the agent to be active', agentIsActive, WAIT_MS, 500);
    await client().ok('PUT', '/v2/apps/web', { instances: 4 });
    await client().settled('/web', 4, WAIT_MS);
    expect(await taskContainers()).toEqual(expect.arrayContaining(before));
    expect((await (await containerOf('agent')).inspect()).State.StartedAt).toBe(agent.State.StartedAt);
    await client().ok('PUT', '/v2/apps/web', { instances: 3 });
    await client().settled('/web', 3, WAIT_MS);
  });

  test('down leaves the apps, up finds them: same secret, same records, same containers', async () => {
    const before = await taskContainers();
    await project.compose('down', '--timeout', '20');
    expect(await taskContainers()).toEqual(before);
    await up();
    await waitFor('the agent to be active', agentIsActive, WAIT_MS, 500);
    const app = await client().settled('/web', 3, WAIT_MS);
    expect(app.tasks).toHaveLength(3);
    expect(await taskContainers()).toEqual(before);
  });
});
