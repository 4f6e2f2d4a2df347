import { agent, appObject, instance, KubeWorld, rollout, task } from '../api/kube/world';
import { waitFor } from '../support/wait';
import { Kubectl } from './kubectl-client';

jest.setTimeout(60_000);
let world: KubeWorld;
let kubectl: Kubectl;

const APP_COLUMNS = ['NAME', 'INSTANCES', 'RUNNING', 'HEALTHY', 'IMAGE', 'AGE'];
/** The cells of a printed table, by line. */
const cells = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s{2,}/));

async function create(name: string, spec: Record<string, unknown> = {}, labels: Record<string, string> = {}) {
  await kubectl.ok(['create', '-f', '-'], { stdin: JSON.stringify(appObject(name, spec, { labels })) });
  await world.endRollouts();
}

beforeAll(async () => {
  world = await KubeWorld.start({ tls: true });
  kubectl = new Kubectl(world.kubeconfig, world.folder);
  await create('web', { instances: 3 }, { tier: 'front' });
  await create('db', { instances: 1 }, { tier: 'back' });
  const inProd = JSON.stringify(appObject('web', {}, { namespace: 'prod_eu' }));
  await kubectl.ok(['apply', '-f', '-'], { stdin: inProd });
  await world.endRollouts();
  await world.write(agent('a1'), instance('web', 'one'), task('a1', 'web', 'one', 'TASK_RUNNING'));
  await world.write(rollout('r1', '/other', 'Running'));
});
afterAll(async () => {
  kubectl.close();
  await world.close();
});

describe('what there is', () => {
  test('api-resources and versions', async () => {
    const out = await kubectl.ok(['api-resources', '--api-group', 'apps.berth.dev']);
    for (const plural of [
      'apps',
      'appversions',
      'groups',
      'rollouts',
      'instances',
      'tasks',
      'agents',
      'frameworks',
      'roles',
    ])
      expect(out).toMatch(new RegExp(`^${plural} `, 'm'));
    expect(
      (await kubectl.ok(['api-resources', '--categories', 'all', '-o', 'name'])).trim().split('\n').sort(),
    ).toEqual(['apps.apps.berth.dev', 'instances.apps.berth.dev', 'rollouts.apps.berth.dev']);
    expect(await kubectl.ok(['version'])).toContain('Server Version: v1.32.0+berth.0.1.0');
    expect(await kubectl.ok(['api-versions'])).toContain('apps.berth.dev/v1');
  });

  test('auth', async () => {
    expect((await kubectl.ok(['auth', 'can-i', 'delete', 'apps'])).trim()).toBe('yes');
    expect(await kubectl.ok(['auth', 'whoami'])).toContain('admin');
    expect(await kubectl.ok(['auth', 'can-i', '--list'])).toContain('apps.berth.dev');
  });
});

describe('get', () => {
  test('a table, and more of it with -o wide', async () => {
    const rows = cells(await kubectl.ok(['get', 'apps']));
    expect(rows[0]).toEqual(APP_COLUMNS);
    expect(rows.slice(1).map((row) => row.slice(0, 5))).toEqual([
      ['db', '1', '0', '-', 'nginx:1'],
      ['web', '3', '1', '-', 'nginx:1'],
    ]);
    const wide = cells(await kubectl.ok(['get', 'app', 'web', '-o', 'wide']));
    expect(wide[0]).toEqual([...APP_COLUMNS, 'CPUS', 'MEM', 'ID', 'VERSION', 'WAITING']);
    expect(wide[1]?.slice(6, 9)).toEqual(['0.5', '64', '/web']);
  });

  test('-n and -A', async () => {
    expect(cells(await kubectl.ok(['get', 'apps', '-n', 'prod_eu']))).toHaveLength(2);
    const all = cells(await kubectl.ok(['get', 'apps', '-A']));
    expect(all[0]?.[0]).toBe('NAMESPACE');
    expect(all.slice(1).map((row) => `${row[0]}/${row[1]}`)).toEqual(['default/db', 'prod_eu/web', 'default/web']);
    expect(await kubectl.ok(['get', 'ns', '-o', 'name'])).toBe('namespace/default\nnamespace/prod_eu\n');
  });

  test('selectors and label columns', async () => {
    expect(await kubectl.ok(['get', 'apps', '-l', 'tier=front', '-o', 'name'])).toBe('app.apps.berth.dev/web\n');
    expect(await kubectl.ok(['get', 'apps', '-l', 'tier notin (front)', '-o', 'name'])).toBe('app.apps.berth.dev/db\n');
    expect(await kubectl.ok(['get', 'apps', '--field-selector', 'metadata.name=db', '-o', 'name'])).toContain('/db');
    expect(cells(await kubectl.ok(['get', 'apps', '-L', 'tier']))[1]?.at(-1)).toBe('back');
    expect(await kubectl.ok(['get', 'apps', '--show-labels'])).toContain('tier=front');
  });

  test('--sort-by and --chunk-size', async () => {
    const sorted = cells(await kubectl.ok(['get', 'apps', '--sort-by', '.spec.instances']));
    expect(sorted.slice(1).map((row) => row[0])).toEqual(['db', 'web']);
    const reversed = cells(await kubectl.ok(['get', 'apps', '--sort-by', '.metadata.labels.tier']));
    expect(reversed.slice(1).map((row) => row[0])).toEqual(['db', 'web']);
    expect(cells(await kubectl.ok(['get', 'apps', '-A', '--chunk-size=1']))).toHaveLength(4);
  });

  test('yaml, json, jsonpath, custom columns', async () => {
    expect(await kubectl.ok(['get', 'app', 'web', '-o', 'yaml'])).toContain('kind: App\n');
    expect(JSON.parse(await kubectl.ok(['get', 'apps', '-o', 'json']))).toMatchObject({ kind: 'List' });
    expect(await kubectl.ok(['get', 'app', 'web', '-o', 'jsonpath={.spec.instances}'])).toBe('3');
    expect(cells(await kubectl.ok(['get', 'apps', '-o', 'custom-columns=N:.metadata.name,I:.spec.instances']))).toEqual(
      [
        ['N', 'I'],
        ['db', '1'],
        ['web', '3'],
      ],
    );
    expect(await kubectl.ok(['get', 'app', 'web', '-o', 'yaml'])).not.toContain('managedFields');
    expect(await kubectl.ok(['get', 'app', 'web', '-o', 'yaml', '--show-managed-fields'])).toContain('f:instances');
  });

  test('every kind, by its short name too', async () => {
    const plurals = 'apps,av,grp,ro,inst,tasks,ag,fw,roles,events';
    const out = await kubectl.ok(['get', plurals]);
    for (const name of [
      'app.apps.berth.dev/web',
      'appversion.apps',
      'rollout.apps',
      'instance.apps',
      'task.apps',
      'agent.apps',
    ])
      expect(out).toContain(name);
    expect(await kubectl.ok(['get', 'all'])).toContain('instance.apps.berth.dev/web.instance-one');
  });

  test('-w follows', async () => {
    const watch = kubectl.start(['get', 'apps', '-w', '--output-watch-events']);
    await waitFor('the first rows', () => /ADDED\s+web/.test(watch.output()));
    await kubectl.ok(['label', 'app', 'web', 'watched=yes']);
    await waitFor('the change', () => /MODIFIED\s+web/.test(watch.output()));
    expect(watch.output().match(/EVENT/g)).toHaveLength(1);
    await watch.stop();
  });

  test('what is not there', async () => {
    expect(await kubectl.fails(['get', 'app', 'nope'])).toBe(
      'Error from server (NotFound): apps.apps.berth.dev "nope" not found\n',
    );
    expect(await kubectl.fails(['get', 'ships'])).toContain('the server doesn\'t have a resource type "ships"');
    expect(await kubectl.fails(['get', 'apps', '--field-selector', 'spec.foo=1'])).toContain(
      'field label not supported',
    );
  });

  test('a wrong token', async () => {
    const err = await kubectl.fails(['get', 'apps', '--token', 'wrong']);
    expect(err).toContain('You must be logged in to the server');
  });
});

describe('describe', () => {
  test('shows the object and what happened to it', async () => {
    await kubectl.ok(['create', '-f', '-'], {
      stdin: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'web-1', namespace: 'default' },
        involvedObject: { kind: 'App', namespace: 'default', name: 'web' },
        type: 'Warning',
        reason: 'NoOffers',
        message: 'cpus: 3 of 4 offers are too small',
      }),
    });
    const out = await kubectl.ok(['describe', 'app', 'web']);
    expect(out).toMatch(/Name:\s+web/);
    expect(out).toMatch(/Warning\s+NoOffers.*cpus: 3 of 4 offers are too small/);
    expect(await kubectl.ok(['get', 'events'])).toContain('app/web');
    expect(await kubectl.ok(['events', '--for', 'app/web'])).toContain('NoOffers');
    expect(await kubectl.ok(['describe', 'agent', 'a1'])).toContain('a1.example');
  });
});

describe('explain', () => {
  test('the kind, a field, and all of it', async () => {
    expect(await kubectl.ok(['explain', 'app'])).toContain('a number of equal instances');
    const spec = await kubectl.ok(['explain', 'app.spec']);
    expect(spec).toMatch(/instances\t<integer>\n\s+How many instances shall run/);
    const ports = await kubectl.ok(['explain', 'app.spec.container.portMappings']);
    expect(ports.match(/Ports of the container, for networks/g)).toHaveLength(1);
    expect(await kubectl.ok(['explain', 'app.spec.unreachableStrategy.inactiveAfterSeconds'])).toContain('replacement');
    const whole = await kubectl.ok(['explain', 'app', '--recursive']);
    for (const field of ['forcePullImage', 'minimumHealthCapacity', 'gracePeriodSeconds'])
      expect(whole).toContain(field);
    for (const kind of ['appversion', 'group', 'rollout', 'instance', 'task', 'agent', 'framework', 'role', 'event'])
      expect(await kubectl.ok(['explain', kind])).toContain('FIELDS');
    expect(await kubectl.fails(['explain', 'app.spec.nope'])).toContain('nope');
  });
});
