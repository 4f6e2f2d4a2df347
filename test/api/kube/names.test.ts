import { age } from '../../../src/api/kube/age';
import {
  appName,
  appPathOf,
  appVersionName,
  appVersionPathOf,
  groupName,
  groupPathOf,
  roleName,
  rolePathOf,
} from '../../../src/api/kube/names';
import { fieldOf } from '../../../src/api/kube/status';

test.each<[path: string, namespace: string, name: string]>([
  ['web', 'default', 'web'],
  ['prod/web', 'prod', 'web'],
  ['prod/eu/web', 'prod_eu', 'web'],
  ['default/web', 'default_', 'web'],
  ['prod/web.v1', 'prod', 'web.v1'],
])('app %s is %s/%s', (path, namespace, name) => {
  expect(appName(path)).toEqual({ namespace, name });
  expect(appPathOf({ namespace, name })).toBe(path);
});

test.each<[namespace: string, name: string]>([
  ['default', 'We b'],
  ['default', 'UPPER'],
  ['default', '-x'],
  ['default', 'a_b'],
  ['default', '..'],
  ['prod__eu', 'web'],
  ['_', 'web'],
  ['prod/eu', 'web'],
  ['', 'web'],
])('no app can be %s/%s', (namespace, name) => {
  expect(appPathOf({ namespace, name })).toBeUndefined();
});

test('app versions', () => {
  const path = 'prod/web-1/2026-01-02T03:04:05.678Z';
  const name = { namespace: 'prod', name: 'web-1-2026-01-02t03-04-05-678z' };
  expect(appVersionName(path)).toEqual(name);
  expect(appVersionPathOf(name)).toBe(path);
  expect(appVersionPathOf({ namespace: 'prod', name: 'web' })).toBeUndefined();
});

test.each([
  ['prod/eu', 'prod_eu'],
  ['', '_'],
])('group "%s" is %s', (path, name) => {
  expect(groupName(path)).toEqual({ name });
  expect(groupPathOf({ name })).toBe(path);
});

test.each([
  ['team/dev', 'team:dev'],
  ['*', '*'],
  ['a_b', 'a_b'],
])('role %s is %s', (path, name) => {
  expect(roleName(path)).toEqual({ name });
  expect(rolePathOf({ name })).toBe(path);
});

test.each(['', '-a', '.', '..', 'a:..', 'a b', 'a::b', '%2f'])('no role can be "%s"', (name) => {
  expect(rolePathOf({ name })).toBeUndefined();
});

test.each([
  ['/', 'spec'],
  ['/cpus', 'spec.cpus'],
  ['/container/portMappings(0)/name', 'spec.container.portMappings[0].name'],
])('violation at %s is field %s', (path, field) => {
  expect(fieldOf(path)).toBe(field);
});

test.each([
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [250, '4m10s'],
  [600, '10m'],
  [3 * 3600, '3h'],
  [3 * 3600 + 1200, '3h20m'],
  [9 * 3600, '9h'],
  [5 * 86400 + 4 * 3600, '5d4h'],
  [40 * 86400, '40d'],
  [800 * 86400, '2y70d'],
  [9 * 365 * 86400, '9y'],
  [-5, '0s'],
])('%d seconds are %s old', (seconds, text) => {
  expect(age('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1) + seconds * 1000)).toBe(text);
});

test('an age of what has no time', () => {
  expect(age(undefined, 0)).toBe('<unknown>');
  expect(age('yesterday', 0)).toBe('<unknown>');
});
