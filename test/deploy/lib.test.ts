import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LIB = resolve(__dirname, '../../deploy/lib.sh');

let folder: string;
let bin: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-lib-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs shell text after the library, with nothing on the PATH but what the test has put there and the basic tools. */
function shell(text: string): { code: number; stdout: string; stderr: string } {
  // Programs that stand in for the real ones come first; `path_of` adds the system's folders, which `have` would look into.
  const script = `. ${LIB}\npath_of() { PATH=${bin} command -v "$1"; }\n${text}`;
  const run = spawnSync('/bin/sh', ['-c', script], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: `${bin}:/usr/bin:/bin` },
    timeout: 30_000,
  });
  return { code: run.status ?? -1, stdout: run.stdout, stderr: run.stderr };
}

function program(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
}

describe('version_at_least', () => {
  test.each([
    ['20.19.0', '20.19', true],
    ['20.19', '20.19', true],
    ['20.20.2', '20.19', true],
    ['22.0.0', '20.19', true],
    ['20.18.9', '20.19', false],
    ['18.99.0', '20.19', false],
    ['9.99.0', '20.19', false],
    ['', '20.19', false],
    ['next', '20.19', false],
  ])('%j against %s: %s', (version, wanted, expected) => {
    expect(shell(`version_at_least '${version}' '${wanted}'`).code === 0).toBe(expected);
  });
});

describe('need_node', () => {
  test('is silent when all is well', () => {
    program('node', 'echo v20.19.0');
    program('npm', ':');
    expect(shell('need_node')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test.each([
    ['no node', () => undefined, 'Node.js (20.19 or newer) with npm is not installed'],
    ['an old node', () => (program('node', 'echo v18.20.0'), program('npm', ':')), 'Node.js 18.20.0 is too old'],
    ['node without npm', () => program('node', 'echo v22.0.0'), 'with npm is not installed'],
  ])('%s', (_, prepare, message) => {
    prepare();
    const { code, stderr } = shell('need_node');
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
  });
});

describe('install_missing', () => {
  test('does nothing when everything is there', () => {
    for (const name of ['etcd', 'dockerd']) program(name, ':');
    program('apt-get', 'echo must not be called; exit 1');
    expect(shell('install_missing etcd dockerd')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('installs the packages of what is missing, and nothing else', () => {
    program('dockerd', ':');
    program('apt-cache', 'exit 0');
    const etcd = join(bin, 'etcd');
    program('apt-get', `echo "$@" >>${folder}/calls; printf '#!/bin/sh\\n' >${etcd}; chmod 755 ${etcd}`);
    program('id', 'echo 0');
    const { code, stderr } = shell('no_services() { "$@"; }; install_missing etcd dockerd');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '- installing: etcd \n' });
    const calls = readFileSync(join(folder, 'calls'), 'utf8');
    expect(calls).toMatch(/install --no-install-recommends .*etcd-server/);
    expect(calls).not.toContain('docker');
  });

  test('refreshes the package lists when they do not know a package', () => {
    program('apt-cache', `[ -f ${folder}/updated ]`);
    const etcd = join(bin, 'etcd');
    program('apt-get', `case "$*" in *update*) touch ${folder}/updated ;; *) touch ${etcd}; chmod 755 ${etcd} ;; esac`);
    program('id', 'echo 0');
    expect(shell('no_services() { "$@"; }; install_missing etcd')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('refreshing'),
    });
  });

  test('an older release has the package under another name', () => {
    program('apt-cache', '[ "$2" = etcd ]');
    expect(shell('apt_choice "$(packages_for apt-get etcd)"').stdout).toBe('etcd\n');
  });

  test('shows the end of what failed', () => {
    program('apt-cache', 'exit 0');
    program('apt-get', 'echo E: no space left; exit 100');
    program('id', 'echo 0');
    const { code, stderr } = shell('no_services() { "$@"; }; install_missing etcd');
    expect(code).not.toBe(0);
    expect(stderr).toContain('| E: no space left');
  });

  test('without root and sudo it says what to run', () => {
    program('apt-get', ':');
    program('id', 'echo 1000');
    const { code, stderr } = shell('install_missing etcd busybox');
    expect(code).not.toBe(0);
    expect(stderr).toContain('As root: apt-get install etcd-server busybox-static');
  });

  test.each([
    ['dnf', 'dnf install etcd moby-engine'],
    ['apk', 'apk add etcd docker'],
    ['pacman', 'pacman -S etcd docker'],
  ])('with %s it says what to install', (manager, command) => {
    program(manager, 'echo must not be called >&2');
    const { code, stderr } = shell('install_missing etcd dockerd');
    expect(code).not.toBe(0);
    expect(stderr).toContain(command);
    expect(stderr).not.toContain('must not be called');
  });

  test('on an unknown system it says where to get them', () => {
    const { code, stderr } = shell('install_missing etcd');
    expect(code).not.toBe(0);
    expect(stderr).toContain('https://github.com/etcd-io/etcd/releases');
  });

  test('a busybox that needs a dynamic loader counts as missing', () => {
    program('busybox', '# /ld-linux');
    expect(shell('missing_of busybox').stdout).toBe('busybox ');
    program('busybox', '# static');
    expect(shell('missing_of busybox').stdout).toBe('');
  });

  test('every program it may be asked for is in its table, for every system', () => {
    const rows = execFileSync('/bin/sh', ['-c', `. ${LIB}; package_table`], { encoding: 'utf8' })
      .trimEnd()
      .split('\n');
    expect(rows.map((row) => row.split(/\s+/).length)).toEqual(rows.map(() => 5));
    const needed = ['deploy/up.sh', 'test/run.sh'].flatMap((path) =>
      [...readFileSync(resolve(__dirname, '../..', path), 'utf8').matchAll(/^install_missing ([a-z -]+)/gm)].flatMap(
        ([, names = '']) => names.trim().split(' '),
      ),
    );
    expect(needed).toContain('etcd');
    expect(rows.map((row) => row.split(' ')[0])).toEqual(expect.arrayContaining(needed));
  });
});

describe('ensure_modules', () => {
  beforeEach(() => {
    writeFileSync(join(folder, 'package-lock.json'), '{}');
    program('npm', `echo called >>${folder}/npm-calls; mkdir -p node_modules`);
  });
  const npmWasCalled = () => existsSync(join(folder, 'npm-calls'));

  test('installs once, and again when the lock file changes', () => {
    expect(shell('ensure_modules').code).toBe(0);
    rmSync(join(folder, 'npm-calls'));
    shell('ensure_modules');
    expect(npmWasCalled()).toBe(false);
    writeFileSync(join(folder, 'package-lock.json'), '{"changed":true}');
    shell('ensure_modules');
    expect(npmWasCalled()).toBe(true);
  });

  test('takes what a plain `npm ci` has installed', () => {
    mkdirSync(join(folder, 'node_modules'));
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{}');
    utimesSync(join(folder, 'package-lock.json'), 1, 1);
    shell('ensure_modules');
    expect(npmWasCalled()).toBe(false);
  });

  test('never empties a folder that is only linked here', () => {
    mkdirSync(join(folder, 'elsewhere'));
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'node_modules'));
    shell('ensure_modules');
    expect(npmWasCalled()).toBe(false);
  });

  test('shows why it failed, and tries again the next time', () => {
    program('npm', 'echo E404 no such package >&2; exit 1');
    const { code, stderr } = shell('ensure_modules');
    expect(code).not.toBe(0);
    expect(stderr).toContain('| E404 no such package');
    expect(existsSync(join(folder, 'node_modules/.berth-lock'))).toBe(false);
  });
});

describe('ensure_build', () => {
  beforeEach(() => {
    mkdirSync(join(folder, 'src'));
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
    for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src/main.ts']) {
      writeFileSync(join(folder, name), '');
      utimesSync(join(folder, name), 1, 1);
    }
    utimesSync(join(folder, 'src'), 1, 1);
  });

  function compiler(text: string): void {
    const path = join(folder, 'node_modules/.bin/tsc');
    writeFileSync(path, `#!/bin/sh\necho x >>${folder}/builds\n${text}\n`);
    chmodSync(path, 0o755);
  }
  const builds = () => readFileSync(join(folder, 'builds'), 'utf8').trimEnd().split('\n').length;

  test('builds once, and again when a source changes', () => {
    compiler('mkdir -p "$4"; echo "built" >"$4/main.js"');
    for (let i = 0; i < 2; i++) expect(shell('ensure_build').code).toBe(0);
    expect(builds()).toBe(1);
    const future = Date.now() / 1_000 + 60;
    utimesSync(join(folder, 'src/main.ts'), future, future);
    shell('ensure_build');
    expect(builds()).toBe(2);
  });

  test('a build that fails leaves the old one in place', () => {
    mkdirSync(join(folder, 'dist'));
    writeFileSync(join(folder, 'dist/main.js'), 'old');
    utimesSync(join(folder, 'dist/main.js'), 0, 0);
    compiler('echo "error TS1: no"; exit 2');
    const { code, stderr } = shell('ensure_build');
    expect(code).not.toBe(0);
    expect(stderr).toContain('error TS1: no');
    expect(readFileSync(join(folder, 'dist/main.js'), 'utf8')).toBe('old');
  });
});
