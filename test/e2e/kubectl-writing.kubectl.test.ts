import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { agent, appObject, KubeWorld } from '../api/kube/world';
import { waitFor } from '../support/wait';
import { Kubectl } from './kubectl-client';

jest.setTimeout(60_000);
let world: KubeWorld;
let kubectl: Kubectl;

beforeEach(async () => {
  world = await KubeWorld.start({ tls: true });
  kubectl = new Kubectl(world.kubeconfig, world.folder);
});
afterEach(async () => {
  kubectl.close();
  expect(world.log.messages('error')).toEqual([]);
  await world.close();
});

const app = (path = 'web') => world.records.collection('App').get(path)?.record;
const manifest = (spec: Record<string, unknown> = {}, meta: Record<string, unknown> = {}) => ({
  stdin: stringify(appObject('web', spec, meta)),
});
async function created(spec: Record<string, unknown> = {}) {
  await kubectl.ok(['apply', '-f', '-'], manifest(spec));
  await world.endRollouts();
}

describe('apply', () => {
  test('creates, then is unchanged, then configured', async () => {
    expect(await kubectl.ok(['apply', '-f', '-'], manifest({ instances: 2 }))).toBe('app.apps.berth.dev/web created\n');
    await world.endRollouts();
    expect(await kubectl.ok(['apply', '-f', '-'], manifest({ instances: 2 }))).toBe(
      'app.apps.berth.dev/web unchanged\n',
    );
    expect(await kubectl.ok(['apply', '-f', '-'], manifest({ instances: 4 }))).toBe(
      'app.apps.berth.dev/web configured\n',
    );
    await world.endRollouts();
    await kubectl.ok(['apply', '-f', '-'], manifest());
    expect(app()?.spec.instances).toBe(1);
  });

  test('into a namespace', async () => {
    await kubectl.ok(['apply', '-n', 'prod_eu', '-f', '-'], manifest());
    expect(app('prod/eu/web')?.spec.id).toBe('/prod/eu/web');
  });

  test('--server-side: conflicts, force, migration from client side', async () => {
    const server = ['apply', '--server-side', '-f', '-'];
    await created({ instances: 2 });
    expect(await kubectl.ok(server, manifest({ instances: 2 }))).toContain('serverside-applied');
    await kubectl.ok(['scale', 'app', 'web', '--replicas=5']);
    await world.endRollouts();
    const err = await kubectl.fails(server, manifest({ instances: 2 }));
    expect(err).toContain('Apply failed with 1 conflict');
    expect(err).toContain('.spec.instances');
    await kubectl.ok([...server, '--force-conflicts'], manifest({ instances: 2 }));
    expect(app()?.spec.instances).toBe(2);
    await world.endRollouts();
    const other = await kubectl.fails([...server, '--field-manager', 'ci'], manifest({ instances: 9 }));
    expect(other).toContain('conflict with "kubectl"');
  });

  test('--dry-run=server and diff change nothing', async () => {
    await created({ instances: 2 });
    await kubectl.ok(['apply', '--dry-run=server', '-f', '-'], manifest({ instances: 7 }));
    const diff = await kubectl.run(['diff', '-f', '-'], manifest({ instances: 7 }));
    expect(diff.code).toBe(1);
    expect(diff.out).toMatch(/-\s+instances: 2\n\+\s+instances: 7/);
    expect((await kubectl.run(['diff', '-f', '-'], manifest({ instances: 2 }))).code).toBe(0);
    expect(app()?.spec.instances).toBe(2);
    expect(await kubectl.fails(['apply', '--dry-run=server', '-f', '-'], manifest({ mem: -1 }))).toContain('spec.mem');
  });

  test('--prune by allow list takes away what is no longer there', async () => {
    await created();
    const args = ['apply', '-f', '-', '--prune', '--all', '--prune-allowlist', 'apps.berth.dev/v1/App'];
    const other = { stdin: JSON.stringify(appObject('other')) };
    expect(await kubectl.ok(args, other)).toContain('app.apps.berth.dev/web pruned');
    expect(app()?.metadata.deletionTimestamp).toEqual(expect.any(String));
  });
});

describe('what is wrong', () => {
  test('an unknown field, a wrong value, a broken rule', async () => {
    expect(await kubectl.fails(['create', '-f', '-'], manifest({ instancez: 1 }))).toContain(
      'strict decoding error: unknown field "spec.instancez"',
    );
    const err = await kubectl.fails(['create', '-f', '-'], manifest({ instances: 'three', cpus: -1 }));
    expect(err).toContain('The App "web" is invalid');
    expect(err).toContain('* spec.instances: Invalid value: "three": expected number, received string');
    expect(err).toContain('* spec.cpus: Invalid value: -1');
    expect(await kubectl.fails(['create', '-f', '-'], manifest({ cmd: 'a', args: ['b'] }))).toContain('is invalid');
    expect(app()).toBeUndefined();
  });

  test('--validate=warn prints it and goes on', async () => {
    const { code, err } = await kubectl.run(['create', '--validate=warn', '-f', '-'], manifest({ instancez: 1 }));
    expect(code).toBe(0);
    expect(err).toContain('Warning: unknown field "spec.instancez"');
    expect(app()?.spec).not.toHaveProperty('instancez');
  });

  test('twice', async () => {
    await created();
    expect(await kubectl.fails(['create', '-f', '-'], manifest())).toContain('(AlreadyExists)');
  });

  test('what cannot be written says who writes it', async () => {
    await world.write(agent('a1'));
    expect(await kubectl.fails(['create', 'ns', 'x'])).toContain('a namespace is a group of apps');
    expect(await kubectl.fails(['delete', 'agent', 'a1'])).toContain('it is active; stop it');
    expect(await kubectl.fails(['patch', 'agent', 'a1', '--type=merge', '-p', '{"spec":{"port":1}}'])).toContain(
      'Forbidden',
    );
  });
});

describe('changes', () => {
  test('patch: merge and json; strategic is refused', async () => {
    await created();
    await kubectl.ok(['patch', 'app', 'web', '--type=merge', '-p', '{"spec":{"instances":2}}']);
    await world.endRollouts();
    await kubectl.ok([
      'patch',
      'app',
      'web',
      '--type=json',
      '-p',
      '[{"op":"replace","path":"/spec/instances","value":3}]',
    ]);
    expect(app()?.spec.instances).toBe(3);
    const err = await kubectl.fails(['patch', 'app', 'web', '-p', '{"spec":{"instances":4}}']);
    expect(err).toContain('strategic-merge-patch+json is not supported');
  });

  test('label and annotate start no rollout', async () => {
    await created();
    await kubectl.ok(['label', 'app', 'web', 'a=b']);
    await kubectl.ok(['annotate', 'app', 'web', 'c=d']);
    expect(await kubectl.fails(['label', 'app', 'web', 'a=c'])).toContain('--overwrite is false');
    await kubectl.ok(['label', 'app', 'web', 'a-']);
    expect(app()?.metadata.labels).toBeUndefined();
    expect(app()?.metadata.annotations).toMatchObject({ c: 'd' });
    expect(world.records.collection('Rollout').size).toBe(0);
    expect(app()?.metadata.generation).toBe(1);
  });

  test('replace: a stale version is refused', async () => {
    await created();
    const live = JSON.parse(await kubectl.ok(['get', 'app', 'web', '-o', 'json'])) as ReturnType<typeof appObject>;
    await kubectl.ok(['label', 'app', 'web', 'a=b']);
    const stale = { stdin: JSON.stringify({ ...live, spec: { ...live.spec, instances: 6 } }) };
    expect(await kubectl.fails(['replace', '-f', '-'], stale)).toContain('the object has been modified');
    await kubectl.ok(['replace', '-f', '-'], manifest({ instances: 6 }));
    expect(app()?.spec.instances).toBe(6);
  });

  test('scale, also from an expected number', async () => {
    await created({ instances: 2 });
    expect(await kubectl.ok(['scale', 'app', 'web', '--replicas=4'])).toBe('app.apps.berth.dev/web scaled\n');
    await world.endRollouts();
    await kubectl.ok(['scale', 'app', 'web', '--current-replicas=4', '--replicas=5']);
    expect(await kubectl.fails(['scale', 'app', 'web', '--current-replicas=4', '--replicas=6'])).toContain(
      'Expected replicas',
    );
    expect(app()?.spec.instances).toBe(5);
  });

  test('scale waits for a rollout, and says for which', async () => {
    await kubectl.ok(['apply', '-f', '-'], manifest());
    const scale = kubectl.start(['scale', 'app', 'web', '--replicas=4']);
    await waitFor('the warning', () => scale.output().includes('is being changed by rollout'));
    await world.endRollouts();
    await waitFor('the end', () => scale.output().includes('scaled'));
    await scale.stop();
    expect(app()?.spec.instances).toBe(4);
  });

  test('the force annotation replaces a rollout and is not kept', async () => {
    await kubectl.ok(['apply', '-f', '-'], manifest());
    const forced = manifest({ instances: 3 }, { annotations: { 'berth.dev/force': 'true' } });
    await kubectl.ok(['apply', '-f', '-'], forced);
    expect(app()?.spec.instances).toBe(3);
    expect(app()?.metadata.annotations).not.toHaveProperty('berth.dev/force');
  });

  test('edit: saved, and refused with the reason', async () => {
    await created({ instances: 2 });
    const editor = join(world.folder, 'editor');
    const editWith = async (expression: string) => {
      await writeFile(editor, `#!/bin/sh\nsed -i '${expression}' "$1"\n`);
      await chmod(editor, 0o755);
      return kubectl.run(['edit', 'app', 'web'], { env: { EDITOR: editor, TMPDIR: world.folder } });
    };
    expect((await editWith('s/instances: 2/instances: 5/')).out).toContain('edited');
    expect(app()?.spec.instances).toBe(5);
    await world.endRollouts();
    const refused = await editWith('s/instances: 5/instances: -5/');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('"web" is invalid');
    const copy = /stored to "([^"]+)"/.exec(refused.err)?.[1] ?? '';
    expect(await readFile(copy, 'utf8')).toContain('# * spec.instances: Invalid value: -5');
    expect(app()?.spec.instances).toBe(5);
  });

  test('roles and agents', async () => {
    const role = { apiVersion: 'apps.berth.dev/v1', kind: 'Role', metadata: { name: 'team:dev' }, spec: { weight: 2 } };
    await kubectl.ok(['apply', '-f', '-'], { stdin: JSON.stringify(role) });
    expect(await kubectl.ok(['get', 'role', 'team:dev', '-o', 'jsonpath={.spec.name}'])).toBe('team/dev');
    await kubectl.ok(['delete', 'role', 'team:dev']);
    await world.write(agent('a1'));
    await kubectl.ok(['patch', 'agent', 'a1', '--type=merge', '-p', '{"spec":{"unschedulable":true}}']);
    expect(await kubectl.ok(['get', 'agents'])).toContain('SchedulingDisabled');
  });
});

describe('delete', () => {
  test('waits until the containers are gone', async () => {
    await created();
    const deletion = kubectl.start(['delete', 'app', 'web']);
    await waitFor('the mark', () => app()?.metadata.deletionTimestamp !== undefined);
    await waitFor('the wait', () => world.streams.size === 1);
    await world.finishDeletion('web');
    await waitFor('the end', () => world.streams.size === 0);
    expect(deletion.output()).toContain('"web" deleted');
    await deletion.stop();
    expect(await kubectl.fails(['get', 'app', 'web'])).toContain('NotFound');
  });

  test('-l, --all, --wait=false, --ignore-not-found', async () => {
    for (const name of ['a', 'b', 'c'])
      await kubectl.ok(['create', '-f', '-'], { stdin: JSON.stringify(appObject(name, {}, { labels: { n: name } })) });
    await world.endRollouts();
    expect(await kubectl.ok(['delete', 'apps', '-l', 'n in (a,b)', '--wait=false'])).toContain('"a" deleted');
    expect(app('c')?.metadata.deletionTimestamp).toBeUndefined();
    await kubectl.ok(['delete', 'apps', '--all', '--wait=false']);
    expect(app('c')?.metadata.deletionTimestamp).toEqual(expect.any(String));
    await kubectl.ok(['delete', 'app', 'nope', '--ignore-not-found']);
    expect(await kubectl.fails(['delete', 'app', 'nope'])).toContain('NotFound');
  });

  test('a rollout is rolled back', async () => {
    await created({ instances: 2 });
    await kubectl.ok(['scale', 'app', 'web', '--replicas=9']);
    const [rollout] = [...world.records.collection('Rollout').list()];
    await kubectl.ok(['delete', 'rollout', rollout?.path ?? '', '--wait=false']);
    expect(app()?.spec.instances).toBe(2);
  });
});

describe('wait', () => {
  test('for a condition and for a field', async () => {
    await created();
    const condition = kubectl.start(['wait', 'app/web', '--for=condition=Available', '--timeout=20s']);
    const field = kubectl.start(['wait', 'app/web', '--for=jsonpath={.status.tasksRunning}=2', '--timeout=20s']);
    await waitFor('both watches', () => world.streams.size === 2);
    const at = new Date(0).toISOString();
    const available = { type: 'Available', status: 'True', reason: 'AllRunning', message: '', lastTransitionTime: at };
    await world.setStatus('web', { tasksRunning: 2, conditions: [available] });
    await waitFor('the condition', () => condition.output().includes('condition met'));
    await waitFor('the field', () => field.output().includes('condition met'));
    await condition.stop();
    await field.stop();
  });
});
