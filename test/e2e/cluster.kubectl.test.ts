import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../support/wait';
import { IMAGE, startWorld, type World } from './world';

let world: World;
beforeAll(async () => {
  world = await startWorld();
}, 120_000);
afterAll(async () => world.stop(), 120_000);

/** The real kubectl on the real cluster; resolves with its output whatever its exit code. */
function kubectl(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const kubeconfig = world.cluster.servers[0]?.kubeconfig ?? '';
  const options = { timeout: 60_000, env: { ...process.env, HOME: world.cluster.dir, KUBECONFIG: kubeconfig, ...env } };
  return new Promise((resolve) => {
    execFile('kubectl', [...args], options, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

function manifest(name: string, spec: Readonly<Record<string, unknown>>): string {
  const file = join(world.cluster.dir, `${name}.json`);
  const docker = { image: IMAGE };
  const app = {
    apiVersion: 'apps.berth.dev/v1',
    kind: 'App',
    metadata: { name, namespace: 'default' },
    spec: { cmd: 'sleep 1000', cpus: 0.1, mem: 32, container: { docker }, taskKillGracePeriodSeconds: 0, ...spec },
  };
  writeFileSync(file, JSON.stringify(app));
  return file;
}

test('an app lives and dies by kubectl alone', async () => {
  expect(await kubectl(['apply', '-f', manifest('kube', { instances: 2 })])).toContain('created');
  expect(await kubectl(['wait', '--for=condition=Available', 'app/kube', '--timeout=40s'])).toContain('condition met');
  await world.marathon.settled('/kube', 2);
  expect(await kubectl(['get', 'apps'])).toMatch(/kube +2 +2 +- /);

  expect(await kubectl(['scale', 'app/kube', '--replicas=3'])).toContain('scaled');
  await world.marathon.settled('/kube', 3);
  const before = new Set((await world.containers()).keys());

  const editor = join(world.cluster.dir, 'editor.sh');
  writeFileSync(editor, '#!/bin/sh\nsed -i "s/cmd: sleep 1000/cmd: sleep 2000/" "$1"\n', { mode: 0o755 });
  expect(await kubectl(['edit', 'app', 'kube'], { EDITOR: editor, KUBE_EDITOR: editor })).toContain('edited');
  await world.marathon.settled('/kube', 3);
  expect([...(await world.containers()).keys()].some((taskId) => before.has(taskId))).toBe(false);

  expect(await kubectl(['delete', 'app', 'kube', '--timeout=40s'])).toContain('deleted');
  expect(await world.containers()).toEqual(new Map());
  expect(await kubectl(['get', 'app', 'kube'])).toContain('NotFound');
}, 180_000);

test('describe tells why an app fits nowhere, with counts', async () => {
  await kubectl(['apply', '-f', manifest('large', { cpus: 1_000 })]);
  const described = await waitFor('reasons', async () => {
    const text = await kubectl(['describe', 'app', 'large']);
    return /Declined: +1\n +Processed: +1\n +Reason: +InsufficientCpus/.test(text) ? text : undefined;
  });
  expect(described).toMatch(/Message: .*cpus/);
  expect(await kubectl(['delete', 'app', 'large', '--force', '--grace-period=0', '--timeout=40s'])).toContain(
    'deleted',
  );
}, 120_000);

test('describe tells how the last task failed', async () => {
  await kubectl(['apply', '-f', manifest('failing', { cmd: 'exit 3', backoffSeconds: 30 })]);
  const described = await waitFor('the failure', async () => {
    const text = await kubectl(['describe', 'app', 'failing']);
    return text.includes('Last Task Failure') ? text : undefined;
  });
  expect(described).toMatch(/Last Task Failure:[\s\S]*status 3/);
  await kubectl(['delete', 'app', 'failing', '--force', '--grace-period=0', '--timeout=40s']);
}, 120_000);
