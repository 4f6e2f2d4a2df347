import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AGENT_FLAGS } from '../../src/cli/agent-flags';
import { variableName } from '../../src/cli/flag';
import { parseAgentOptions, parseServerOptions } from '../../src/cli/options';
import { SERVER_FLAGS } from '../../src/cli/server-flags';

const FOLDER = resolve(__dirname, '../../deploy/systemd');
const UNITS = ['berth-server.service', 'berth-agent.service'];
/** What `systemd-analyze security` gives at most, of 10.0; an ordinary unit has 9.6. The agent is root and has four capabilities. */
const MOST_EXPOSED: Readonly<Record<string, number>> = {
  'berth-server.service': 1.6,
  'berth-agent.service': 3.0,
};

const unitText = (name: string) => readFileSync(join(FOLDER, name), 'utf8');

/** `--offline` came with 250. */
function analyzes(): boolean {
  const answer = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return Number(/^systemd (\d+)/.exec(answer.stdout ?? '')?.[1] ?? 0) >= 250;
}

describe('units', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-units-'));
    // The program is not installed here: any that is there will do.
    for (const name of UNITS)
      writeFileSync(join(folder, name), unitText(name).replace('/usr/local/bin/berth', process.execPath));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const told = analyzes() ? test : test.skip;
  if (!analyzes()) process.stderr.write('SKIPPED: units are not analyzed, systemd-analyze 250 or newer is not there\n');

  told.each(UNITS)('%s: systemd finds nothing to complain of', (name) => {
    const run = spawnSync('systemd-analyze', ['verify', '--man=no', join(folder, name)], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    const complaints = `${run.stdout}${run.stderr}`.split('\n').filter((line) => line.includes(name));
    expect(complaints).toEqual([]);
    expect(run.status).toBe(0);
  });

  told.each(UNITS)('%s: is confined', (name) => {
    const words = ['security', '--offline=true', '--no-pager', join(folder, name)];
    const report = execFileSync('systemd-analyze', words, { encoding: 'utf8', timeout: 30_000 });
    const exposure = Number(/Overall exposure level .*: ([\d.]+)/.exec(report)?.[1]);
    expect(exposure).toBeLessThanOrEqual(MOST_EXPOSED[name] ?? 0);
  });

  test.each(UNITS)('%s: never gives up, except over wrong flags', (name) => {
    const lines = unitText(name).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining(['Restart=always', 'StartLimitIntervalSec=0', 'RestartPreventExitStatus=2']),
    );
  });

  test('Docker’s restart does not take the agent along', () => {
    expect(unitText('berth-agent.service')).not.toMatch(/^(Requires|BindsTo|PartOf)=/m);
  });
});

describe('environment files', () => {
  const FILES = [
    { file: 'server.env', flags: SERVER_FLAGS, parse: parseServerOptions },
    { file: 'agent.env', flags: AGENT_FLAGS, parse: parseAgentOptions },
  ];
  let token: string;
  beforeAll(() => {
    token = join(mkdtempSync(join(tmpdir(), 'berth-env-')), 'token');
    writeFileSync(token, 'a secret of many characters'.replaceAll(' ', '-'));
  });
  afterAll(() => rmSync(resolve(token, '..'), { recursive: true }));

  /** Lines that count, and those that are there to be uncommented. */
  const settings = (file: string) =>
    unitText(file)
      .split('\n')
      .flatMap((line) => {
        const [, name, value] = /^#?(BERTH_[A-Z_]+)=(.*)$/.exec(line) ?? [];
        return name === undefined || value === undefined ? [] : [{ name, value, isActive: !line.startsWith('#') }];
      });

  test.each(FILES)('$file names flags that exist, each once', ({ file, flags }) => {
    const known = Object.keys(flags).map(variableName);
    const names = settings(file).map(({ name }) => name);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(5);
  });

  test.each(FILES)('$file is accepted as it is', ({ file, parse }) => {
    const env = Object.fromEntries(
      settings(file)
        .filter(({ isActive }) => isActive)
        .map(({ name, value }) => [name, name === 'BERTH_TOKEN_FILE' ? token : value]),
    );
    expect(parse([], env)).toMatchObject({ listen: '0.0.0.0', cluster: 'berth', auth: { kind: 'token' } });
  });

  test.each(FILES)('$file: what is commented out is accepted too', ({ file, parse }) => {
    const files = /_(FILE|CA|CERT|KEY|CONFIG)$/;
    const env = Object.fromEntries(settings(file).map(({ name, value }) => [name, files.test(name) ? token : value]));
    expect(() => parse([], env)).not.toThrow();
  });

  test('the folder holds nothing that nobody installs', () => {
    const guide = readFileSync(resolve(FOLDER, '../INSTALL.md'), 'utf8');
    for (const file of readdirSync(FOLDER)) expect(guide).toContain(`deploy/systemd/${file}`);
  });
});
