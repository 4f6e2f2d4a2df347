import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../support/wait';
import { startControlPlane, type ControlPlane } from './control-plane';
import { CHART, ciFile, describeWith, must, objectsOf, run, template, type KubeObject } from './helm';

const CI = readdirSync(join(CHART, 'ci')).map((name) => name.replace('-values.yaml', ''));

/** Kinds of others: enough of a definition that objects of them can be made. */
const FOREIGN = [
  { group: 'cert-manager.io', plural: 'certificates', kind: 'Certificate' },
  { group: 'monitoring.coreos.com', plural: 'servicemonitors', kind: 'ServiceMonitor' },
  { group: 'monitoring.coreos.com', plural: 'podmonitors', kind: 'PodMonitor' },
  { group: 'monitoring.coreos.com', plural: 'prometheusrules', kind: 'PrometheusRule' },
  { group: 'gateway.networking.k8s.io', plural: 'httproutes', kind: 'HTTPRoute' },
];

describeWith('helm', 'kube-apiserver', 'kube-controller-manager')('the chart on a real API server of Kubernetes', () => {
  let plane: ControlPlane;
  const kubectl = (args: readonly string[], input?: string) =>
    must('kubectl', ['--kubeconfig', plane.kubeconfig, ...args], input === undefined ? {} : { input });
  const helm = (...args: readonly string[]) => must('helm', ['--kubeconfig', plane.kubeconfig, ...args]);
  const get = (space: string, what: string) =>
    JSON.parse(kubectl(['-n', space, 'get', what, '-o', 'json'])) as KubeObject & { items: (KubeObject & { status: unknown })[] };
  const namespace = (name: string, level: string) => {
    kubectl(['create', 'namespace', name]);
    kubectl(['label', 'namespace', name, `pod-security.kubernetes.io/enforce=${level}`]);
  };
  const podsIn = (space: string, what: string) => waitFor(`pods of ${what}`, () => {
    const names = get(space, 'pods').items.map(({ metadata }) => metadata.name).filter((name) => name.includes(what));
    return names.length > 0 && names;
  });

  beforeAll(async () => {
    plane = await startControlPlane();
    for (const { group, plural, kind } of FOREIGN) kubectl(['create', '-f', '-'], definition(group, plural, kind));
    for (const { group, plural } of FOREIGN)
      kubectl(['wait', '--for=condition=Established', `crd/${plural}.${group}`, '--timeout=60s']);
    namespace('space', 'privileged');
    namespace('monitoring', 'restricted');
  });
  afterAll(() => plane?.stop());

  test.each(CI)('%s: server-side dry run', (name) => {
    const { out } = template(['-f', ciFile(name)]);
    // Pods are refused without their ServiceAccount, and a dry run leaves none behind.
    for (const account of objectsOf(out).filter(({ kind }) => kind === 'ServiceAccount'))
      kubectl(['apply', '-f', '-'], JSON.stringify(account));
    const answer = kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], out);
    const objects = out.match(/^kind: /gm)?.length ?? 0;
    expect(answer.match(/\(server dry run\)/g)).toHaveLength(objects);
  });

  test.each(CI)('%s: installs, upgrades without changing a thing, and leaves nothing', async (name) => {
    const space = `ci-${name}`;
    namespace(space, 'privileged');
    helm('install', 'rel', CHART, '-n', space, '-f', ciFile(name));
    const notes = helm('get', 'notes', 'rel', '-n', space);
    expect(notes).toContain('/v2/info');
    expect(notes).toContain('kubectl --kubeconfig berth.kubeconfig get apps');
    expect(notes).not.toMatch(/<no value>|%!/);
    expect(notes.includes('insecureNoAuth')).toBe(name === 'insecure');
    expect(notes).not.toContain('the token crosses');

    const first = helm('get', 'manifest', 'rel', '-n', space);
    helm('upgrade', 'rel', CHART, '-n', space, '-f', ciFile(name));
    // Secrets and checksums too: an upgrade that changes no value restarts no pod.
    expect(helm('get', 'manifest', 'rel', '-n', space)).toBe(first);

    helm('uninstall', 'rel', '-n', space);
    const left = kubectl(['-n', space, 'get', 'secrets,services,statefulsets,daemonsets,networkpolicies,pdb,configmaps,sa', '-o', 'name']);
    expect(left.trim().split('\n').sort()).toEqual(['configmap/kube-root-ca.crt', 'serviceaccount/default']);
  });

  test('servers, etcd and the test pod are admitted where only restricted pods are', async () => {
    namespace('strict', 'restricted');
    helm('install', 'rel', CHART, '-n', 'strict', '-f', ciFile('existing-secrets'), '--set', 'agent.mode=off');
    // Servers fetch what tasks write from the agents' addresses.
    expect(helm('get', 'notes', 'rel', '-n', 'strict')).toMatch(/berth agent --master .* --listen 0\.0\.0\.0 --hostname /);
    expect(await podsIn('strict', 'server-2')).toEqual(['cluster-a-server-2']);
    expect(await podsIn('strict', 'etcd-2')).toEqual(['cluster-a-etcd-2']);
    const hooks = helm('get', 'hooks', 'rel', '-n', 'strict');
    expect(kubectl(['-n', 'strict', 'create', '-f', '-'], hooks)).toContain('pod/cluster-a-test created');
    // And the pod that the README has the operator start.
    const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
    const restore = /kubectl (-n berth run [^]*?) < berth\.backup/.exec(readme)?.[1] ?? '';
    const words = restore.replace('-n berth', '-n strict').replace('--rm -i', '--dry-run=server');
    expect(must('sh', ['-c', `kubectl --kubeconfig ${plane.kubeconfig} ${words}`])).toContain('pod/berth-restore created');
    const claims = () => get('strict', 'pvc').items.map(({ metadata }) => metadata.name);
    await waitFor('a claim for each member', () => claims().length === 3);
    expect(claims().sort()).toEqual([0, 1, 2].map((i) => `data-cluster-a-etcd-${i}`));
  });

  test.each(['dind', 'hostDocker'])('agents by %s: one for each node', async (mode) => {
    const space = `agents-${mode.toLowerCase()}`;
    namespace(space, 'privileged');
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: `node-${mode.toLowerCase()}`, labels: { 'berth/agent': mode } } };
    kubectl(['apply', '-f', '-'], JSON.stringify(node));
    helm('install', 'rel', CHART, '-n', space, '-f', ciFile('default'), '--set', `agent.mode=${mode},agent.nodeSelector.berth/agent=${mode}`);
    expect(await podsIn(space, 'agent')).toHaveLength(1);
    const notes = helm('get', 'notes', 'rel', '-n', space);
    expect(notes.includes('WARNING: none of the')).toBe(mode === 'hostDocker');
  });

  test("the README's way: install, the authority and the token out of the cluster, upgrade with the values there are", async () => {
    helm('install', 'berth', CHART, '--namespace', 'berth', '--create-namespace', '--set', 'image.registry=registry.example.com');
    const read = (secret: string, key: string) =>
      kubectl(['-n', 'berth', 'get', 'secret', secret, '-o', `go-template={{index .data "${key}" | base64decode}}`]);
    expect(read('berth-tls', 'ca.crt')).toMatch(/^-----BEGIN CERTIFICATE-----/);
    const token = read('berth-token', 'token');
    expect(token).toMatch(/^\S{48}$/);
    const notes = helm('get', 'notes', 'berth', '-n', 'berth');
    expect(notes).toContain(`get secret berth-token -o 'go-template={{index .data "token" | base64decode}}'`);
    expect(notes).toContain(`get secret berth-tls -o 'go-template={{index .data "ca.crt" | base64decode}}'`);
    helm('upgrade', 'berth', CHART, '-n', 'berth', '--reset-then-reuse-values');
    expect(read('berth-token', 'token')).toBe(token);
    kubectl(['-n', 'berth', 'scale', 'statefulset/berth-server', '--replicas=0']);
    const servers = '--selector=app.kubernetes.io/component=server';
    kubectl(['-n', 'berth', 'wait', 'pod', '--for=delete', servers, '--timeout=60s']);
    expect(kubectl(['-n', 'berth', 'get', 'pods', servers, '-o', 'name'])).toBe('');
    kubectl(['-n', 'berth', 'rollout', 'restart', 'statefulset/berth-server']);
    const claims = () => kubectl(['-n', 'berth', 'get', 'pvc', '-l', 'app.kubernetes.io/component=etcd', '-o', 'name']);
    await waitFor('the claims that the README tells how to delete', () => claims().includes('data-berth-etcd-2'));
  });

  describe('an upgrade', () => {
    const data = (secret: string) => get('up', `secret/${secret}`).data ?? {};
    const upgrade = (...set: readonly string[]) =>
      helm('upgrade', 'rel', CHART, '-n', 'up', '-f', ciFile('default'), ...set.flatMap((one) => ['--set', one]));

    beforeAll(() => {
      namespace('up', 'privileged');
      helm('install', 'rel', CHART, '-n', 'up', '-f', ciFile('default'));
    });

    test('keeps token, authority and certificate when it is about something else', () => {
      const before = ['token', 'ca', 'tls'].map((name) => data(`rel-berth-${name}`));
      upgrade('server.logLevel=debug');
      expect(['token', 'ca', 'tls'].map((name) => data(`rel-berth-${name}`))).toEqual(before);
    });

    test('makes a new certificate of the same authority when it gets a new name, and restarts servers but no agents', () => {
      const [before, servers, agents] = [data('rel-berth-tls'), mark('statefulset/rel-berth-server'), mark('daemonset/rel-berth-agent')];
      upgrade('tls.names={berth.example.com}');
      const after = data('rel-berth-tls');
      expect(after['ca.crt']).toBe(before['ca.crt']);
      expect(after['tls.crt']).not.toBe(before['tls.crt']);
      expect(mark('statefulset/rel-berth-server')).not.toBe(servers);
      expect(mark('daemonset/rel-berth-agent')).toBe(agents);
    });

    test('makes a new certificate when its revision changes', () => {
      const before = data('rel-berth-tls');
      upgrade('tls.names={berth.example.com}', 'tls.generated.revision=2');
      expect(data('rel-berth-tls')['tls.crt']).not.toBe(before['tls.crt']);
      expect(data('rel-berth-tls')['ca.crt']).toBe(before['ca.crt']);
    });

    test('takes a new token that it is given, and restarts servers and agents', () => {
      const [servers, agents] = [mark('statefulset/rel-berth-server'), mark('daemonset/rel-berth-agent')];
      upgrade('tls.names={berth.example.com}', 'tls.generated.revision=2', 'auth.token=a-token-of-our-own-0123');
      expect(Buffer.from(data('rel-berth-token')['token'] ?? '', 'base64').toString()).toBe('a-token-of-our-own-0123');
      expect(mark('statefulset/rel-berth-server')).not.toBe(servers);
      expect(mark('daemonset/rel-berth-agent')).not.toBe(agents);
    });

    test('to a changed number of servers restarts no agent', () => {
      const before = JSON.stringify(get('up', 'daemonset/rel-berth-agent').spec);
      upgrade('tls.names={berth.example.com}', 'tls.generated.revision=2', 'auth.token=a-token-of-our-own-0123', 'server.replicas=5');
      expect(JSON.stringify(get('up', 'daemonset/rel-berth-agent').spec)).toBe(before);
    });

    test('with values that make no sense changes nothing', () => {
      const before = helm('get', 'manifest', 'rel', '-n', 'up');
      const args = ['--kubeconfig', plane.kubeconfig, 'upgrade', 'rel', CHART, '-n', 'up', '-f', ciFile('default'), '--set', 'etcd.enabled=false'];
      expect(run('helm', args)).toMatchObject({ code: 1, err: expect.stringContaining('no etcd') });
      expect(helm('get', 'manifest', 'rel', '-n', 'up')).toBe(before);
    });

    function mark(what: string): string {
      const { template: made } = get('up', what).spec as { template: { metadata: { annotations: Record<string, string> } } };
      return made.metadata.annotations['checksum/config'] ?? '';
    }
  });
});

function definition(group: string, plural: string, kind: string): string {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return JSON.stringify({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      // Kubernetes asks this of names below k8s.io.
      annotations: { 'api-approved.kubernetes.io': 'unapproved, a test' },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind, singular: kind.toLowerCase() },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  });
}
