import { jsonPatch, mergePatch } from '../../../src/api/kube/patch';

describe('mergePatch', () => {
  // Source: RFC 7396, appendix A, as far as both sides are objects.
  test.each<{ target: object; patch: object; result: object }>([
    { target: { a: 'b' }, patch: { a: 'c' }, result: { a: 'c' } },
    { target: { a: 'b' }, patch: { b: 'c' }, result: { a: 'b', b: 'c' } },
    { target: { a: 'b' }, patch: { a: null }, result: {} },
    { target: { a: 'b', b: 'c' }, patch: { a: null }, result: { b: 'c' } },
    { target: { a: ['b'] }, patch: { a: 'c' }, result: { a: 'c' } },
    { target: { a: 'c' }, patch: { a: ['b'] }, result: { a: ['b'] } },
    { target: { a: { b: 'c' } }, patch: { a: { b: 'd', c: null } }, result: { a: { b: 'd' } } },
    { target: { a: [{ b: 'c' }] }, patch: { a: [1] }, result: { a: [1] } },
    { target: { e: null }, patch: { a: 1 }, result: { e: null, a: 1 } },
    { target: {}, patch: { a: { bb: { ccc: null } } }, result: { a: { bb: {} } } },
  ])('$target + $patch', ({ target, patch, result }) => {
    const before = JSON.stringify(target);
    expect(mergePatch({ ...target }, patch)).toEqual(result);
    expect(JSON.stringify(target)).toBe(before);
  });

  test('refuses keys that reach into prototypes', () => {
    expect(() => mergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}'))).toThrow('not allowed');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('refuses what is not an object', () => {
    expect(() => mergePatch({}, [1])).toThrow('must be a JSON object');
  });
});

describe('jsonPatch', () => {
  test('does all operations on a copy', () => {
    const target = { a: { b: 1 }, c: [1, 2] };
    const patch = [
      { op: 'test', path: '/a/b', value: 1 },
      { op: 'replace', path: '/a/b', value: 2 },
      { op: 'add', path: '/c/-', value: 3 },
      { op: 'remove', path: '/c/0' },
    ];
    expect(jsonPatch(target, patch)).toEqual({ a: { b: 2 }, c: [2, 3] });
    expect(target).toEqual({ a: { b: 1 }, c: [1, 2] });
  });

  test.each<{ name: string; patch: unknown; code: number }>([
    { name: 'no array', patch: { op: 'add' }, code: 400 },
    { name: 'no operation', patch: [{ path: '/a' }], code: 400 },
    { name: 'an unknown operation', patch: [{ op: 'frobnicate', path: '/a' }], code: 422 },
    { name: 'a path that is not there', patch: [{ op: 'replace', path: '/x/y', value: 1 }], code: 422 },
    { name: 'a test that fails', patch: [{ op: 'test', path: '/a', value: 2 }], code: 422 },
    { name: 'nothing left', patch: [{ op: 'replace', path: '', value: 1 }], code: 422 },
    { name: 'a prototype', patch: [{ op: 'add', path: '/__proto__/polluted', value: 1 }], code: 422 },
    { name: 'too many', patch: Array(10_001).fill({ op: 'test', path: '/a', value: 1 }), code: 413 },
  ])('$name: $code', ({ patch, code }) => {
    expect(() => jsonPatch({ a: 1 }, patch)).toThrow(expect.objectContaining({ code }));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
