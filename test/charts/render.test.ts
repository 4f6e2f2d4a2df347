import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAgentOptions, parseServerOptions } from '../../src/cli/options';
import { CHART, ciFile, describeWith, find, objectsOf, render, run, template, TOOLS, type KubeObject } from './helm';

interface Container {
  name: string;
  image: string;
  args: string[];
  env?: { name: string; value?: string }[];
  securityContext: Record<string, unknown>;
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  [probe: string]: unknown;
}
interface PodSpec {
  automountServiceAccountToken: boolean;
  hostNetwork?: boolean;
  securityContext: Record<string, unknown>;
  containers: Container[];
  volumes?: { name: string; hostPath?: { path: string; type: string }; secret?: { secretName: string; items: unknown } }[];
  topologySpreadConstraints?: { labelSelector?: unknown }[];
}
interface Workload {
  replicas?: number;
  podManagementPolicy?: string;
  updateStrategy: { type: string };
  selector: { matchLabels: Record<string, string> };
  template: { metadata: { labels: Record<string, string>; annotations: Record<string, string> }; spec: PodSpec };
  volumeClaimTemplates?: unknown[];
}

const CI = readdirSync(join(CHART, 'ci')).map((name) => name.replace('-values.yaml', ''));
const ci = (name: string) => render('-f', ciFile(name));
const spec = (object: KubeObject) => object.spec as Workload;
const pods = (objects: readonly KubeObject[]): { name: string; pod: PodSpec }[] =>
  objects.flatMap((object) => {
    if (object.kind === 'Pod') return [{ name: object.metadata.name, pod: object.spec as PodSpec }];
    if (!['StatefulSet', 'DaemonSet', 'Deployment'].includes(object.kind)) return [];
    return [{ name: object.metadata.name, pod: spec(object).template.spec }];
  });
const argsOf = (objects: readonly KubeObject[], kind: string, name: string) =>
  spec(find(objects, kind, name)).template.spec.containers[0]?.args ?? [];
const decode = (object: KubeObject, key: string) => Buffer.from(object.data?.[key] ?? '', 'base64').toString();

describeWith('helm')('the chart, rendered', () => {
  test.each(CI)('%s: helm lint --strict is content', (name) => {
    expect(run('helm', ['lint', '--strict', CHART, '-f', ciFile(name)])).toMatchObject({ code: 0 });
  });

  describe.each(CI)('%s', (name) => {
    let objects: KubeObject[];
    beforeAll(() => (objects = ci(name)));

    test('names are unique, and every object of ours has the standard labels', () => {
      const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`);
      expect(new Set(names).size).toBe(names.length);
      const ours = objects.filter(({ metadata }) => metadata.namespace !== undefined);
      for (const { metadata } of ours)
        for (const label of ['name', 'instance', 'version', 'managed-by', 'component', 'part-of'])
          expect(metadata.labels).toHaveProperty([`app.kubernetes.io/${label}`]);
    });

    test('no pod gets a token of Kubernetes, and all but agents are confined', () => {
      for (const { name: pod, pod: podSpec } of pods(objects)) {
        expect(podSpec.automountServiceAccountToken).toBe(false);
        if (pod.endsWith('-agent')) continue;
        expect(podSpec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
        const [main] = podSpec.containers;
        expect(main?.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    });

    test('selectors are in the pods they select, and hold nothing that changes', () => {
      for (const object of objects.filter(({ kind }) => kind === 'StatefulSet' || kind === 'DaemonSet')) {
        const { selector, template: made } = spec(object);
        expect(made.metadata.labels).toMatchObject(selector.matchLabels);
        expect(Object.keys(selector.matchLabels).sort()).toEqual([
          'app.kubernetes.io/component',
          'app.kubernetes.io/instance',
          'app.kubernetes.io/name',
        ]);
        // Else every new version of the chart would restart all pods.
        expect(made.metadata.labels).not.toHaveProperty(['helm.sh/chart']);
        for (const constraint of made.spec.topologySpreadConstraints ?? [])
          expect(constraint.labelSelector).toEqual(selector);
      }
    });

    test('every mount has its volume', () => {
      for (const object of objects.filter(({ kind }) => kind === 'StatefulSet' || kind === 'DaemonSet')) {
        const { template: made, volumeClaimTemplates } = spec(object);
        const volumes = new Set((made.spec.volumes ?? []).map((volume) => volume.name));
        if (volumeClaimTemplates !== undefined) volumes.add('data');
        for (const container of made.spec.containers)
          for (const mount of container.volumeMounts ?? []) expect(volumes).toContain(mount.name);
      }
    });

    test('our processes accept their arguments', () => {
      for (const [kind, part] of [['StatefulSet', 'server'], ['DaemonSet', 'agent']] as const)
        for (const object of objects.filter((one) => one.kind === kind && one.metadata.name.endsWith(`-${part}`)))
          expect(refusalOf(spec(object).template.spec.containers[0])).toBe('');
    });
  });

  test('servers: probes, budget, no volume, all at once', () => {
    const objects = ci('default');
    const server = spec(find(objects, 'StatefulSet', 'rel-berth-server'));
    expect(server).toMatchObject({ replicas: 3, podManagementPolicy: 'Parallel' });
    expect(server.volumeClaimTemplates).toBeUndefined();
    const probe = (path: string) => ({ httpGet: { path, port: 'marathon', scheme: 'HTTPS' } });
    expect(server.template.spec.containers[0]).toMatchObject({
      startupProbe: probe('/healthz'),
      livenessProbe: probe('/healthz'),
      readinessProbe: probe('/readyz'),
    });
    expect(find(objects, 'PodDisruptionBudget', 'rel-berth-server').spec).toMatchObject({ maxUnavailable: 1 });
    expect(find(objects, 'Service', 'rel-berth-server-headless').spec).toMatchObject({
      clusterIP: 'None',
      publishNotReadyAddresses: true,
    });
    const service = find(objects, 'Service', 'rel-berth').spec as { ports: { port: number }[] };
    expect(service.ports.map(({ port }) => port)).toEqual([8080, 5050, 8443]);
  });

  test('a server that is to stop serves on until no node sends it connections any more', () => {
    const lifecycle = (...set: string[]) =>
      spec(find(render('-f', ciFile('default'), ...set), 'StatefulSet', 'rel-berth-server')).template.spec.containers[0]?.lifecycle;
    expect(lifecycle()).toEqual({ preStop: { exec: { command: ['sleep', '5'] } } });
    expect(lifecycle('--set', 'server.drainSeconds=0')).toBeUndefined();
  });

  test('probes speak what the port speaks', () => {
    const server = spec(find(ci('insecure'), 'StatefulSet', 'rel-berth-server'));
    expect(server.template.spec.containers[0]).toMatchObject({ livenessProbe: { httpGet: { scheme: 'HTTP' } } });
  });

  test('etcd: compaction is ours, quota in bytes, reached by servers and what the operator starts by hand', () => {
    const objects = ci('default');
    const args = argsOf(objects, 'StatefulSet', 'rel-berth-etcd');
    expect(args).toContain('--auto-compaction-retention=0');
    expect(args).toContain('--quota-backend-bytes=2147483648');
    expect(args.find((arg) => arg.startsWith('--initial-cluster='))?.split(',')).toHaveLength(3);
    const policy = find(objects, 'NetworkPolicy', 'rel-berth-etcd').spec as { ingress: { ports: unknown; from?: unknown }[] };
    expect(policy.ingress[0]).toEqual({
      ports: [{ port: 'client', protocol: 'TCP' }],
      from: ['server', 'maintenance'].map((component) => ({
        podSelector: {
          matchLabels: {
            'app.kubernetes.io/name': 'berth',
            'app.kubernetes.io/instance': 'rel',
            'app.kubernetes.io/component': component,
          },
        },
      })),
    });
  });

  test('an external etcd: no etcd of ours, its certificates and user are shown', () => {
    const objects = ci('external-etcd');
    expect(objects.filter(({ metadata }) => metadata.name.includes('etcd'))).toEqual([]);
    expect(objects.filter(({ kind }) => kind === 'DaemonSet')).toEqual([]);
    const server = spec(find(objects, 'StatefulSet', 'rel-berth-server')).template.spec.containers[0];
    expect(server?.args).toContain('--max-agent-ping-timeouts=10');
    expect(environmentOf(server)).toMatchObject({
      BERTH_ETCD_ENDPOINTS: 'https://10.0.0.1:2379,https://etcd-2.example.com:2379',
      BERTH_ETCD_CA: '/etc/berth/etcd-tls/ca.crt',
      BERTH_ETCD_CERT: '/etc/berth/etcd-tls/client.crt',
      BERTH_ETCD_KEY: '/etc/berth/etcd-tls/client.key',
      BERTH_ETCD_USER: 'berth',
      BERTH_ETCD_PASSWORD_FILE: '/etc/berth/etcd-password/password',
    });
  });

  test('agents by dind: own engine, no TCP port of it, nothing restarts it unasked', () => {
    const { updateStrategy, template: made } = spec(find(ci('default'), 'DaemonSet', 'rel-berth-agent'));
    expect(updateStrategy).toEqual({ type: 'OnDelete' });
    expect(made.spec.hostNetwork).toBeUndefined();
    expect(made.spec).toMatchObject({ shareProcessNamespace: true });
    const [agent, dind] = made.spec.containers;
    expect(dind).toMatchObject({ name: 'dind', securityContext: { privileged: true } });
    expect(dind?.args[0]).toBe('dockerd');
    expect(dind?.args.join(' ')).not.toContain('tcp://');
    expect(dind?.['livenessProbe']).toBeUndefined();
    expect(agent?.args).toContain('--docker-socket=/run/berth-docker/docker.sock');
    const work = { name: 'work', mountPath: '/var/lib/berth/agent' };
    for (const container of made.spec.containers) expect(container.volumeMounts).toContainEqual(work);
  });

  test("agents by hostDocker: the node's socket, network and folder", () => {
    const { updateStrategy, template: made } = spec(find(ci('host-docker'), 'DaemonSet', 'rel-berth-agent'));
    expect(updateStrategy.type).toBe('RollingUpdate');
    expect(made.spec).toMatchObject({ hostNetwork: true, hostPID: true, dnsPolicy: 'ClusterFirstWithHostNet' });
    expect(made.spec.containers).toHaveLength(1);
    expect(made.spec.containers[0]?.securityContext).not.toHaveProperty('privileged');
    // By its folder: an engine that starts anew makes a new socket.
    expect(made.spec.volumes).toContainEqual({ name: 'docker-folder', hostPath: { path: '/run', type: 'DirectoryOrCreate' } });
    const folder = { name: 'docker-folder', mountPath: '/run/berth-docker', readOnly: true };
    expect(made.spec.containers[0]?.volumeMounts).toContainEqual(folder);
    expect(made.spec.containers[0]?.args).toContain('--docker-socket=/run/berth-docker/docker.sock');
    expect(made.spec.containers[0]?.args).toContain('--hostname=$(NODE_IP)');
  });

  test('generated secrets: a token that the server takes, certificates of the authority for every name', () => {
    const objects = ci('default');
    expect(decode(find(objects, 'Secret', 'rel-berth-token'), 'token')).toMatch(/^[A-Za-z0-9]{48}$/);
    const authority = new X509Certificate(decode(find(objects, 'Secret', 'rel-berth-ca'), 'tls.crt'));
    const tls = find(objects, 'Secret', 'rel-berth-tls');
    const leaf = new X509Certificate(decode(tls, 'tls.crt'));
    expect(Object.keys(tls.data ?? {}).sort()).toEqual(['ca.crt', 'tls.crt', 'tls.key']);
    expect(leaf.checkIssued(authority) && leaf.verify(authority.publicKey)).toBe(true);
    expect(leaf.checkPrivateKey(createPrivateKey(decode(tls, 'tls.key')))).toBe(true);
    for (const name of [
      'localhost',
      'rel-berth.space.svc',
      'rel-berth-server-headless.space.svc.cluster.local',
      'rel-berth-server-2.rel-berth-server-headless.space.svc.cluster.local',
    ])
      expect([name, leaf.checkHost(name) !== undefined]).toEqual([name, true]);
    expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1');
  });

  test('names that servers advertise are in the certificate', () => {
    const leaf = new X509Certificate(decode(find(ci('full'), 'Secret', 'rel-harbour-tls'), 'tls.crt'));
    for (const i of [0, 4]) expect(leaf.checkHost(`rel-harbour-server-${i}.berth.example.com`)).toBeDefined();
    expect(leaf.checkIP('192.0.2.5')).toBe('192.0.2.5');
    expect(Math.round((Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 86_400_000)).toBe(400);
  });

  test('every member of etcd is named in the certificate under which its peers look it up', () => {
    const objects = ci('full');
    const leaf = new X509Certificate(decode(find(objects, 'Secret', 'rel-harbour-etcd-tls'), 'tls.crt'));
    const cluster = argsOf(objects, 'StatefulSet', 'rel-harbour-etcd').find((arg) => arg.startsWith('--initial-cluster='));
    const hosts = [...(cluster ?? '').matchAll(/https:\/\/([^:]+):2380/g)].map(([, host]) => host ?? '');
    expect(hosts).toHaveLength(3);
    for (const host of hosts) expect(leaf.subjectAltName?.split(', ')).toContain(`DNS:${host}`);
  });

  test("the authority's key is mounted by nobody", () => {
    for (const name of CI) expect(JSON.stringify(pods(ci(name)))).not.toMatch(/"secretName":"[^"]*-ca"/);
  });

  test('with all secrets brought nothing is generated, and two renderings are equal', () => {
    const once = template(['-f', ciFile('existing-secrets')]).out;
    expect(objectsOf(once).filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(template(['-f', ciFile('existing-secrets')]).out).toBe(once);
  });

  test('secrets appear in Secrets only', () => {
    const token = '0123456789abcdef0123456789abcdef';
    const others = ci('full').filter(({ kind }) => kind !== 'Secret');
    expect(JSON.stringify(others)).not.toContain(token);
    expect(JSON.stringify(others)).not.toContain(Buffer.from(token).toString('base64'));
  });

  test('monitors show the token and check the certificate; rules and dashboards are those of the files', () => {
    const objects = ci('full');
    const { endpoints } = find(objects, 'ServiceMonitor', 'rel-harbour-server').spec as { endpoints: unknown[] };
    expect(endpoints[0]).toMatchObject({
      scheme: 'https',
      path: '/metrics',
      authorization: { type: 'Bearer', credentials: { name: 'rel-harbour-token', key: 'token' } },
      tlsConfig: { serverName: 'rel-harbour.space.svc', ca: { secret: { name: 'rel-harbour-tls', key: 'ca.crt' } } },
    });
    // Rules and dashboards know these names.
    const label = (targetLabel: string, replacement: string) => expect.objectContaining({ targetLabel, replacement }) as unknown;
    const relabelings = (kind: string, name: string) => {
      const spec = find(objects, kind, name).spec as Record<string, [{ relabelings: unknown[] }]>;
      return (spec['podMetricsEndpoints'] ?? spec['endpoints'])?.[0].relabelings;
    };
    expect(relabelings('ServiceMonitor', 'rel-harbour-server')).toContainEqual(label('job', 'berth-server'));
    expect(relabelings('PodMonitor', 'rel-harbour-agent')).toContainEqual(label('job', 'berth-agent'));
    expect(relabelings('PodMonitor', 'rel-harbour-etcd')).toEqual(
      expect.arrayContaining([label('job', 'berth-etcd'), label('cluster', expect.any(String) as unknown as string)]),
    );
    const { groups } = find(objects, 'PrometheusRule', 'rel-harbour').spec as { groups: { name: string }[] };
    expect(groups.at(-1)?.name).toBe('own');
    const dashboards = objects.filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.labels?.['grafana_dashboard'] === '1');
    const files = join(CHART, 'files/dashboards');
    const copies = existsSync(files) ? readdirSync(files).filter((name) => name.endsWith('.json')) : [];
    expect(dashboards).toHaveLength(copies.length);
    for (const { data } of dashboards) for (const text of Object.values(data ?? {})) expect(JSON.parse(text)).toHaveProperty('title');
  });

  test('extra objects are templates', () => {
    const objects = ci('full');
    expect(find(objects, 'ConfigMap', 'rel-harbour-more')).toBeDefined();
    expect(find(objects, 'ConfigMap', 'rel-text')).toBeDefined();
  });

  test('the longest name leaves room for what is appended', () => {
    const objects = render('-f', ciFile('full'), '--set', `fullnameOverride=${'x'.repeat(60)}`);
    for (const { metadata } of objects) expect(metadata.name.length).toBeLessThanOrEqual(63);
    // A pod's name becomes a label: the StatefulSet's name, a dash, a hash of ten.
    for (const { metadata } of objects.filter(({ kind }) => kind === 'StatefulSet'))
      expect(metadata.name.length).toBeLessThanOrEqual(52);
  });
});

describeWith('helm', 'kubeconform')('kubeconform', () => {
  const schemas = join(TOOLS, 'schemas');
  // Kinds of others, whose schemas are not in Kubernetes.
  const FOREIGN = 'Certificate,ServiceMonitor,PodMonitor,PrometheusRule,HTTPRoute';
  const location = `${schemas}/{{ .ResourceKind }}{{ .KindSuffix }}.json`;

  test.each(CI)('%s: every object is one of Kubernetes', (name) => {
    const { code, out, err } = run('kubeconform', ['-strict', '-summary', '-skip', FOREIGN, '-schema-location', location, '-'], {
      input: template(['-f', ciFile(name)]).out,
    });
    expect({ code, out, err }).toMatchObject({ code: 0, out: expect.stringMatching(/Valid: [1-9]\d*, Invalid: 0, Errors: 0/) });
  });

  test('would find a key that does not exist', () => {
    const broken = template(['-f', ciFile('default')]).out.replace('podManagementPolicy:', 'podManagmentPolicy:');
    expect(run('kubeconform', ['-strict', '-skip', FOREIGN, '-schema-location', location, '-'], { input: broken }).code).toBe(1);
  });
});

/** What the chart itself puts into the environment of a container. */
function environmentOf(container: Container | undefined): Record<string, string> {
  const ours = (container?.env ?? []).filter(({ name }) => name.startsWith('BERTH_'));
  return Object.fromEntries(ours.map(({ name, value }) => [name, value ?? '']));
}

/** What `berth` says of a command line and environment; files that only exist in the pod are put in place of real ones. */
function refusalOf(container: Container | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), 'berth-chart-'));
  try {
    const file = join(folder, 'file');
    writeFileSync(file, 'x'.repeat(32));
    const inPod = (text: string) =>
      text
        .replace(/\/etc\/berth\/.*|\/var\/lib\/berth\/server\/pki\/.*/, file)
        .replaceAll('$(POD_NAME)', 'pod-0')
        .replaceAll(/\$\((POD_IP|NODE_IP)\)/g, '10.1.2.3')
        .replaceAll('$(NODE_NAME)', 'node-1');
    const [part, ...flags] = (container?.args ?? []).map(inPod);
    const env = Object.fromEntries(Object.entries(environmentOf(container)).map(([name, value]) => [name, inPod(value)]));
    expect(flags.join(' ')).not.toContain('$(');
    if (part === 'server') parseServerOptions(flags, env);
    else parseAgentOptions(flags, env);
    return '';
  } catch (error) {
    return String(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
