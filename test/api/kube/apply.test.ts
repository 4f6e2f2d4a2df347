import { serverSideApply } from '../../../src/api/kube/apply';
import { decodeFields, encodeFields, ownableFields } from '../../../src/api/kube/field-set';
import type { JsonObject } from '../../../src/api/kube/json';
import { afterUpdate, type Author, managedFieldsOf, type Owner, ownersOf } from '../../../src/api/kube/managed-fields';

const author = (manager: string): Author => ({
  manager,
  apiVersion: 'apps.berth.dev/v1',
  time: '2026-01-01T00:00:00Z',
});
const object = (spec: JsonObject, labels?: JsonObject): JsonObject => ({
  metadata: labels === undefined ? {} : { labels },
  spec,
});

/** Applies several configurations one after the other, each by its manager. */
function applyAll(...steps: readonly (readonly [manager: string, config: JsonObject, force?: boolean])[]) {
  let live: JsonObject | undefined;
  let owners: readonly Owner[] = [];
  let conflicts: readonly string[] = [];
  for (const [manager, config, force = false] of steps) {
    const applied = serverSideApply(live, owners, config, author(manager), force);
    conflicts = applied.conflicts.map(({ field, message }) => `${field}: ${message}`);
    if (conflicts.length > 0) break;
    live = applied.object;
    owners = applied.owners;
  }
  return { live, owners, conflicts };
}

const fieldsOf = (owners: readonly Owner[], manager: string) =>
  owners.flatMap((owner) => (owner.manager === manager ? [...owner.fields] : [])).sort();

describe('FieldsV1', () => {
  test('is written as Kubernetes does, and read back', () => {
    const fields = ownableFields(object({ a: 1, list: [{ x: 1 }], empty: {}, deep: { b: 'c' } }, { 'x.dev/y': 'z' }));
    const encoded = encodeFields(fields);
    expect(encoded).toEqual({
      'f:metadata': { 'f:labels': { 'f:x.dev/y': {} } },
      'f:spec': { 'f:a': {}, 'f:list': {}, 'f:empty': {}, 'f:deep': { 'f:b': {} } },
    });
    expect(decodeFields(encoded)).toEqual(fields);
  });

  test('keys of list items count as the list, and nonsense as nothing', () => {
    expect([...decodeFields({ 'f:spec': { 'f:ports': { 'k:{"port":80}': { '.': {} } } } })]).toEqual([
      '["spec","ports"]',
    ]);
    expect(decodeFields(undefined).size).toBe(0);
    expect(ownersOf([{ manager: 1 }, 'x', null])).toEqual([]);
  });
});

describe('serverSideApply', () => {
  test('creates', () => {
    const { live, owners } = applyAll(['a', object({ instances: 2 }, { tier: 'x' })]);
    expect(live).toMatchObject(object({ instances: 2 }, { tier: 'x' }));
    expect(fieldsOf(owners, 'a')).toEqual(['["metadata","labels","tier"]', '["spec","instances"]']);
  });

  test('two managers own different fields side by side', () => {
    const { live } = applyAll(['a', object({ instances: 2 })], ['b', object({ cpus: 1 })]);
    expect(live).toMatchObject({ spec: { instances: 2, cpus: 1 } });
  });

  test("another's field at another value is a conflict", () => {
    const { conflicts } = applyAll(['a', object({ instances: 2 })], ['b', object({ instances: 3 })]);
    expect(conflicts).toEqual(['.spec.instances: conflict with "a" using apps.berth.dev/v1']);
  });

  test('the same value is shared', () => {
    const { conflicts, owners } = applyAll(['a', object({ instances: 2 })], ['b', object({ instances: 2 })]);
    expect(conflicts).toEqual([]);
    expect(fieldsOf(owners, 'a')).toEqual(fieldsOf(owners, 'b'));
  });

  test('force takes the field over', () => {
    const { live, owners } = applyAll(['a', object({ instances: 2, cpus: 1 })], ['b', object({ instances: 3 }), true]);
    expect(live).toMatchObject({ spec: { instances: 3, cpus: 1 } });
    expect(fieldsOf(owners, 'a')).toEqual(['["spec","cpus"]']);
    expect(fieldsOf(owners, 'b')).toEqual(['["spec","instances"]']);
  });

  test('what is left out goes, unless another owns it too', () => {
    const both = object({ instances: 2, cpus: 1 });
    const { live } = applyAll(['a', both], ['b', object({ cpus: 1 })], ['a', object({ mem: 5 })]);
    expect(live).toMatchObject({ spec: { cpus: 1, mem: 5 } });
    expect(live).not.toHaveProperty('spec.instances');
  });

  test('an abandoned object goes with the defaults the server had put into it', () => {
    const first = applyAll(['a', object({ container: { docker: { image: 'x' } }, cpus: 1 })]);
    const live = object({
      container: { type: 'DOCKER', volumes: [], docker: { image: 'x', privileged: false } },
      cpus: 1,
    });
    const { object: result } = serverSideApply(live, first.owners, object({ cpus: 1 }), author('a'), false);
    expect(result).toEqual(object({ cpus: 1 }));
  });

  test('labels that nobody applied stay when the applied ones go', () => {
    const first = applyAll(['a', object({}, { tier: 'x' })]);
    const live = object({}, { tier: 'x', other: 'y' });
    const { object: result } = serverSideApply(live, first.owners, object({ cpus: 1 }), author('a'), false);
    expect(result).toMatchObject({ metadata: { labels: { other: 'y' } } });
    expect(result).not.toHaveProperty('metadata.labels.tier');
  });

  test('a leaf that others hold as an object is a conflict, and the other way round', () => {
    const disabled = applyAll(['a', object({ u: { x: 1 } })], ['b', object({ u: 'disabled' })]);
    expect(disabled.conflicts).toEqual(['.spec.u: conflict with "a" using apps.berth.dev/v1']);
    const enabled = applyAll(['a', object({ u: 'disabled' })], ['b', object({ u: { x: 1 } })]);
    expect(enabled.conflicts).toEqual(['.spec.u.x: conflict with "a" using apps.berth.dev/v1']);
    const forced = applyAll(['a', object({ u: 'disabled' })], ['b', object({ u: { x: 1 } }), true]);
    expect(forced.live).toMatchObject({ spec: { u: { x: 1 } } });
    expect(fieldsOf(forced.owners, 'a')).toEqual([]);
  });

  test('lists are atomic', () => {
    const { conflicts } = applyAll(['a', object({ args: ['1'] })], ['b', object({ args: ['1', '2'] })]);
    expect(conflicts).toHaveLength(1);
  });
});

describe('afterUpdate', () => {
  const applied = applyAll(['a', object({ instances: 2, cpus: 1 })]).owners;

  test('the author takes what it changed, and others lose it', () => {
    const owners = afterUpdate(
      applied,
      object({ instances: 2, cpus: 1 }),
      object({ instances: 5, cpus: 1 }),
      author('scale'),
    );
    expect(fieldsOf(owners, 'a')).toEqual(['["spec","cpus"]']);
    expect(fieldsOf(owners, 'scale')).toEqual(['["spec","instances"]']);
  });

  test('nobody owns what is gone', () => {
    const owners = afterUpdate(applied, object({ instances: 2, cpus: 1 }), object({ cpus: 1 }), author('x'));
    expect(managedFieldsOf(owners).map(({ manager }) => manager)).toEqual(['a']);
    expect(fieldsOf(owners, 'a')).toEqual(['["spec","cpus"]']);
  });

  test('nothing changed: nothing owned', () => {
    const same = object({ instances: 2, cpus: 1 });
    expect(managedFieldsOf(afterUpdate(applied, same, same, author('x')))).toEqual(managedFieldsOf(applied));
  });

  test('the number of writers kept has a limit; no field loses its owner', () => {
    let owners: readonly Owner[] = [];
    let live = object({});
    for (let index = 0; index < 30; index++) {
      const next = object({ ...(live['spec'] as JsonObject), [`f${index}`]: index });
      const time = new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString();
      owners = afterUpdate(owners, live, next, { ...author(`m${index}`), time });
      live = next;
    }
    expect(owners).toHaveLength(10);
    expect(owners.map(({ manager }) => manager)).toContain('ancient-changes');
    expect(new Set(owners.flatMap(({ fields }) => [...fields])).size).toBe(30);
  });
});
