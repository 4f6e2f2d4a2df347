import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ClusterFolder } from '../../src/cli/up/cluster-state';

/**
 * `berth up` and `berth down` as a user runs them, in a network namespace of their own: the usual ports are free there, and
 * the Docker engine that `up` starts cannot meet another one's bridge. Needs root, ip, etcd, dockerd and a built dist.
 */
jest.setTimeout(240_000);

const MAIN = resolve(__dirname, '../../dist/main.js');
const NAMESPACE = `berth-up-${process.pid}`;

let parent: string;
let stateDir: string;
let socket: string;
let stranger: ChildProcess | undefined;

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: npm run build');
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  execFileSync('ip', ['-n', NAMESPACE, 'link', 'set', 'lo', 'up']);
  parent = mkdtempSync(join(tmpdir(), 'berth-up-'));
  stateDir = join(parent, 'state');
  socket = join(parent, 'docker.sock');
});
afterAll(() => {
  stranger?.kill('SIGKILL');
  berth('down', '--wipe');
  execFileSync('ip', ['netns', 'delete', NAMESPACE]);
  rmSync(parent, { recursive: true, force: true });
});

function inside(command: readonly string[]): readonly [string, string[]] {
  return ['nsenter', [`--net=/run/netns/${NAMESPACE}`, ...command]];
}

function berth(command: string, ...flags: string[]): { code: number | null; stdout: string; stderr: string } {
  const [program, args] = inside([process.execPath, MAIN, command, '--state-dir', stateDir, ...flags]);
  const run = spawnSync(program, args, { encoding: 'utf8', timeout: 200_000, cwd: parent });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

function up(...flags: string[]): ReturnType<typeof berth> {
  return berth('up', '--docker-socket', socket, '--timeout', '60secs', ...flags);
}

/** Command lines of live processes that name our folder (the test's own children with it as an argument are long gone). */
function ourProcesses(): string[] {
  const runFolder = new ClusterFolder(stateDir).engineRunFolder();
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => spawnSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8' }).stdout.replaceAll('\0', ' '))
    .filter((command) => command.includes(stateDir) || command.includes(runFolder));
}

function containerIds(): string[] {
  const docker = spawnSync('curl', ['-s', '--max-time', '10', '--unix-socket', socket, 'http://x/containers/json'], {
    encoding: 'utf8',
  });
  return (JSON.parse(docker.stdout) as { Id: string }[]).map(({ Id }) => Id).sort();
}

const ANSWER = /^ {2}http:\/\/127\.0\.0\.1:\d+\/ {2}-> {2}Hello from hello\.instance-\S+\._app\.\d+ on 127\.0\.0\.1$/gm;

test('a port that somebody else has is named, with its owner and a way out, and nothing is started', async () => {
  const listener = `require('net').createServer().listen(5050, '127.0.0.1', () => console.log('ready'))`;
  const [program, args] = inside([process.execPath, '-e', listener]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  stranger = child;
  await new Promise((ready) => child.stdout.once('data', ready));
  const { code, stderr } = up();
  expect(code).toBe(1);
  expect(stderr).toContain(`port 5050 is taken by process ${child.pid}`);
  expect(stderr).toContain('--mesos-port 5051');
  expect(ourProcesses()).toEqual([]);
  const gone = new Promise((exited) => child.once('exit', exited));
  child.kill('SIGKILL');
  await gone;
});

test('up ends with both instances of the sample answering', () => {
  const { code, stdout, stderr } = up();
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.match(ANSWER)).toHaveLength(2);
  expect(stdout).toContain('http://127.0.0.1:8080/v2/apps');
  expect(stdout).toContain('kubectl --kubeconfig state/kubeconfig get apps');
  expect(existsSync(join(stateDir, 'kubeconfig'))).toBe(true);
  expect(containerIds()).toHaveLength(2);
});

test('up again changes nothing and says so', () => {
  const before = { containers: containerIds(), processes: ourProcesses().sort() };
  const { code, stdout, stderr } = up();
  expect(code).toBe(0);
  expect(stdout.match(ANSWER)).toHaveLength(2);
  expect(stderr.match(/already/g)?.length).toBeGreaterThanOrEqual(4);
  expect({ containers: containerIds(), processes: ourProcesses().sort() }).toEqual(before);
});

test('up repairs: a server and an agent that were killed come back, the containers have not noticed', () => {
  const before = containerIds();
  for (const name of ['server', 'agent'] as const)
    process.kill(new ClusterFolder(stateDir).daemon(name).running()?.pid ?? -1, 'SIGKILL');
  const { code, stdout } = up();
  expect(code).toBe(0);
  expect(stdout.match(ANSWER)).toHaveLength(2);
  expect(containerIds()).toEqual(before);
});

test('status and logs find the cluster by themselves', () => {
  expect(berth('status').stdout).toMatch(/\/hello +2 +2 +2 +0/);
  const { code, stdout } = berth('logs', 'hello');
  expect(code).toBe(0);
  expect(stdout.match(/^\S+ \| serving as hello\.instance-/gm)).toHaveLength(2);
});

test('a running cluster does not move to another port', () => {
  const { code, stderr } = up('--marathon-port', '9999');
  expect(code).toBe(1);
  expect(stderr).toContain('marathon port 8080 instead of 9999');
});

test('down stops everything and keeps the data: up finds the app again', () => {
  expect(berth('down').code).toBe(0);
  expect(ourProcesses()).toEqual([]);
  const { code, stdout, stderr } = up();
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(stderr).toContain('already deployed');
  expect(stdout.match(ANSWER)).toHaveLength(2);
});

test('down --wipe leaves no process, file, mount or bridge, and can be repeated', () => {
  const runFolder = new ClusterFolder(stateDir).engineRunFolder();
  expect(berth('down', '--wipe').code).toBe(0);
  expect(ourProcesses()).toEqual([]);
  expect(readdirSync(parent)).toEqual([]);
  expect(existsSync(runFolder)).toBe(false);
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(parent);
  expect(execFileSync('ip', ['-n', NAMESPACE, 'link'], { encoding: 'utf8' })).not.toContain('docker0');
  const [program, args] = inside(['iptables-save']);
  expect(execFileSync(program, args, { encoding: 'utf8' })).not.toMatch(/docker|FORWARD DROP/i);
  expect(berth('down', '--wipe')).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to stop') });
});
