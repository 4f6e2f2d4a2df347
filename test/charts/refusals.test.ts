import { ciFile, describeWith, template } from './helm';

const IMAGE = 'image.registry=registry.example.com';

describeWith('helm')('the chart refuses', () => {
  test.each<{ name: string; set: string[]; says: RegExp }>([
    { name: 'a value that does not exist', set: ['server.replica=3'], says: /replica/ },
    { name: 'a value that does not exist, deep inside', set: ['etcd.persistence.sizes=1Gi'], says: /sizes/ },
    { name: 'two servers', set: ['server.replicas=2'], says: /server\/replicas/ },
    { name: 'two members of etcd', set: ['etcd.replicas=2'], says: /etcd\/replicas/ },
    { name: 'a mode of agents that does not exist', set: ['agent.mode=podman'], says: /dind.*hostDocker.*off/ },
    { name: 'a text where a number belongs', set: ['service.ports.marathon=http'], says: /ports\/marathon/ },
    { name: 'a port that does not exist', set: ['service.ports.mesos=70000'], says: /65535|65,535/ },
    { name: 'an image digest that is none', set: ['image.digest=latest'], says: /image\/digest/ },
    { name: 'a token that can be guessed', set: ['auth.token=short'], says: /auth\/token/ },
    { name: 'an unknown flag of the server', set: ['server.flags.offer-timeot=1secs'], says: /offer-timeot/ },
    { name: 'a flag that the chart sets itself', set: ['server.flags.listen=0.0.0.0'], says: /listen/ },
    { name: 'an unknown flag of the agent', set: ['agent.flags.zones=a'], says: /zones/ },
    { name: 'a probe of another kind', set: ['server.livenessProbe.exec=x'], says: /livenessProbe/ },
    { name: 'a quota that etcd does not bear', set: ['etcd.quotaMiB=100000'], says: /quotaMiB/ },
    { name: 'a relative work folder', set: ['agent.workDir=work'], says: /workDir/ },
    { name: 'an endpoint without scheme', set: ['etcd.enabled=false', 'externalEtcd.endpoints={10.0.0.1:2379}'], says: /endpoints/ },
    { name: 'an access mode that lets two members write', set: ['etcd.persistence.accessModes={ReadWriteMany}'], says: /accessModes/ },
    {
      name: 'both etcds',
      set: ['externalEtcd.endpoints={http://10.0.0.1:2379}'],
      says: /two etcds: set either etcd.enabled=true .* or externalEtcd.endpoints/,
    },
    { name: 'neither etcd', set: ['etcd.enabled=false'], says: /no etcd: set etcd.enabled=true .* or externalEtcd.endpoints/ },
    {
      name: 'certificates for an endpoint without TLS',
      set: ['etcd.enabled=false', 'externalEtcd.endpoints={http://10.0.0.1:2379}', 'externalEtcd.tls.existingSecret=x'],
      says: /http:\/\/10.0.0.1:2379 is not https/,
    },
    {
      name: 'a client certificate without key',
      set: ['etcd.enabled=false', 'externalEtcd.endpoints={https://10.0.0.1:2379}', 'externalEtcd.tls.keyKey='],
      says: /certKey and externalEtcd.tls.keyKey must be given together/,
    },
    {
      name: 'a user of etcd without password',
      set: ['etcd.enabled=false', 'externalEtcd.endpoints={https://10.0.0.1:2379}', 'externalEtcd.auth.user=x'],
      says: /auth.user and externalEtcd.auth.existingSecret must be given together/,
    },
    {
      name: 'two sources of the token',
      set: ['auth.existingSecret=x', 'auth.token=0123456789abcdef'],
      says: /auth: set either existingSecret or token/,
    },
    { name: 'a token and none', set: ['auth.existingSecret=x', 'auth.insecureNoAuth=true'], says: /insecureNoAuth contradicts/ },
    {
      name: 'two sources of certificates',
      set: ['tls.existingSecret=x', 'tls.certManager.enabled=true'],
      says: /tls: set either existingSecret or certManager.enabled/,
    },
    {
      name: "two sources of etcd's certificates",
      set: ['etcd.tls.existingSecret=x', 'etcd.tls.certManager.enabled=true'],
      says: /etcd.tls: set either/,
    },
    { name: 'cert-manager without issuer', set: ['tls.certManager.enabled=true'], says: /issuerRef.name must name the issuer/ },
    {
      name: 'to advertise addresses that no certificate has',
      set: ['server.advertiseAddress=$(POD_IP)'],
      says: /list all of them in tls.addresses/,
    },
    {
      name: 'servers that the policy would keep from etcd',
      set: ['server.hostNetwork=true'],
      says: /list those in networkPolicy.nodeCIDRs/,
    },
    {
      name: 'a server that is killed before it has drained',
      set: ['server.drainSeconds=30'],
      says: /server.terminationGracePeriodSeconds must be longer/,
    },
    { name: 'a route without gateway', set: ['httpRoute.enabled=true'], says: /httpRoute.parentRefs must name the gateway/ },
  ])('$name', ({ set, says }) => {
    const { code, err } = template([IMAGE, ...set].flatMap((one) => ['--set', one]));
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(says) });
  });

  test('to run an image of unknown origin', () => {
    expect(template([])).toMatchObject({ code: 1, err: expect.stringContaining('image.registry must be set') });
  });

  test.each(['1.24.9', '1.20.0'])('Kubernetes %s', (version) => {
    const { code, err } = template(['-f', ciFile('default'), '--kube-version', version]);
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('requires kubeVersion') });
  });
});
