import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from './helm';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'berth-scripts-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('setup-helm.sh', () => {
  test('without Go says what is missing, and how to do without', () => {
    for (const name of ['sh', 'dirname', 'mkdir']) symlinkSync(`/bin/${name}`, join(folder, name));
    const env = { PATH: folder, XDG_CACHE_HOME: join(folder, 'cache') };
    const { code, err } = run('/bin/sh', [resolve('deploy/setup-helm.sh')], { env });
    expect(code).toBe(1);
    expect(err).toContain('FAILED: Go is not installed');
    expect(err).toContain('https://helm.sh/docs/intro/install');
  });
});

describe('kube-schemas.js', () => {
  test('makes a strict schema of each kind, with what it refers to', () => {
    const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
    const swagger = {
      definitions: {
        'io.k8s.api.x.v1.Thing': {
          type: 'object',
          properties: {
            metadata: { $ref: `#/definitions/${meta}` },
            port: { $ref: '#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString' },
            size: { type: 'integer' },
          },
          'x-kubernetes-group-version-kind': [{ group: 'x.k8s.io', version: 'v1', kind: 'Thing' }],
        },
        [meta]: { type: 'object', properties: { name: { type: 'string' } } },
        'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { type: 'string', format: 'int-or-string' },
        unrelated: { type: 'object' },
      },
    };
    writeFileSync(join(folder, 'swagger.json'), JSON.stringify(swagger));
    mkdirSync(join(folder, 'out'));
    const made = run(process.execPath, ['deploy/kube-schemas.js', join(folder, 'swagger.json'), join(folder, 'out')]);
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining('1 schemas') });
    const schema: unknown = JSON.parse(readFileSync(join(folder, 'out/thing-x-v1.json'), 'utf8'));
    expect(schema).toMatchObject({
      $ref: '#/definitions/io.k8s.api.x.v1.Thing',
      definitions: {
        'io.k8s.api.x.v1.Thing': { additionalProperties: false, properties: { size: { type: ['integer', 'null'] } } },
        [meta]: { additionalProperties: false },
        'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { oneOf: [{ type: 'string' }, { type: 'integer' }] },
      },
    });
    expect(JSON.stringify(schema)).not.toContain('unrelated');
  });
});
