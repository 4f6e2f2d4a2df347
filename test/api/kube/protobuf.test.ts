import { decodeProtobuf } from '../../../src/api/kube/protobuf';

const field = (number: number, bytes: Buffer | string) => {
  const value = Buffer.from(bytes as string);
  return Buffer.concat([Buffer.from([(number << 3) | 2, value.length]), value]);
};
const integer = (number: number, value: number) => Buffer.from([number << 3, value]);
const envelope = (kind: string, raw: Buffer) =>
  Buffer.concat([Buffer.from('k8s\0'), field(1, Buffer.concat([field(1, 'v1'), field(2, kind)])), field(2, raw)]);

test('reads DeleteOptions, skipping what it does not know', () => {
  const raw = Buffer.concat([
    integer(1, 0),
    field(2, field(1, 'the-uid')),
    integer(3, 1),
    field(4, 'Foreground'),
    field(5, 'All'),
    Buffer.from([(9 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8]),
    Buffer.from([(10 << 3) | 5, 1, 2, 3, 4]),
  ]);
  expect(decodeProtobuf(envelope('DeleteOptions', raw))).toEqual({
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
    preconditions: { uid: 'the-uid' },
    propagationPolicy: 'Foreground',
    dryRun: ['All'],
  });
});

test('reads access reviews', () => {
  const attributes = Buffer.concat([field(1, 'default'), field(2, 'delete'), field(5, 'apps')]);
  expect(decodeProtobuf(envelope('SelfSubjectAccessReview', field(2, field(1, attributes))))).toMatchObject({
    spec: { resourceAttributes: { namespace: 'default', verb: 'delete', resource: 'apps' } },
  });
});

test.each<{ name: string; body: Buffer; code: number }>([
  { name: 'no envelope', body: Buffer.from('{"a":1}'), code: 400 },
  { name: 'cut off', body: envelope('DeleteOptions', field(4, 'Orphan')).subarray(0, -3), code: 400 },
  { name: 'an endless number', body: Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(20, 0xff)]), code: 400 },
  { name: 'a wire type there is not', body: Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x0b])]), code: 400 },
  { name: 'another kind', body: envelope('Deployment', Buffer.alloc(0)), code: 415 },
  { name: 'a kind of Object.prototype', body: envelope('constructor', Buffer.alloc(0)), code: 415 },
])('refuses $name', ({ body, code }) => {
  expect(() => decodeProtobuf(body)).toThrow(expect.objectContaining({ code }));
});
