import { type JsonObject, plainText } from './json';
import { badRequest, unsupportedMediaType } from './status';

/**
 * The few protobuf bodies that kubectl's typed clients send and that we must read: access reviews and DeleteOptions. Envelope:
 * `k8s\0`, then Unknown{1: TypeMeta{1 apiVersion, 2 kind}, 2: raw}. Source: the generated.proto files of k8s.io/api 1.32.
 */

type Field = { readonly kind: 'text' } | { readonly kind: 'integer' } | Message;
interface Message {
  readonly kind: 'message';
  readonly fields: Readonly<Record<number, readonly [name: string, field: Field, repeated?: 'list']>>;
}

const text: Field = { kind: 'text' };
const integer: Field = { kind: 'integer' };
const message = (fields: Message['fields']): Message => ({ kind: 'message', fields });

const TYPE_META = message({ 1: ['apiVersion', text], 2: ['kind', text] });

const MESSAGES: Readonly<Record<string, Message>> = {
  SelfSubjectAccessReview: message({
    2: [
      'spec',
      message({
        1: [
          'resourceAttributes',
          message({
            1: ['namespace', text],
            2: ['verb', text],
            3: ['group', text],
            4: ['version', text],
            5: ['resource', text],
            6: ['subresource', text],
            7: ['name', text],
          }),
        ],
        2: ['nonResourceAttributes', message({ 1: ['path', text], 2: ['verb', text] })],
      }),
    ],
  }),
  SelfSubjectRulesReview: message({ 2: ['spec', message({ 1: ['namespace', text] })] }),
  SelfSubjectReview: message({}),
  DeleteOptions: message({
    1: ['gracePeriodSeconds', integer],
    2: ['preconditions', message({ 1: ['uid', text], 2: ['resourceVersion', text] })],
    4: ['propagationPolicy', text],
    5: ['dryRun', text, 'list'],
  }),
};

const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** Reads one enveloped object. Throws 400 for what is broken, 415 for other kinds. */
export function decodeProtobuf(body: Buffer): JsonObject {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw badRequest('the protobuf body has no k8s envelope');
  const envelope = new Map(readFields(body.subarray(MAGIC.length)));
  const type = decodeMessage(bytesOf(envelope.get(1)), TYPE_META);
  const kind = plainText(type['kind']);
  const shape = Object.hasOwn(MESSAGES, kind) ? MESSAGES[kind] : undefined;
  if (shape === undefined)
    throw unsupportedMediaType(
      `protobuf is not supported for ${kind === '' ? 'this body' : kind}: send JSON or YAML (kubectl create -f)`,
    );
  return { ...type, ...decodeMessage(bytesOf(envelope.get(2)), shape) };
}

type RawValue = Buffer | bigint;

function bytesOf(value: RawValue | undefined): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

function decodeMessage(bytes: Buffer, shape: Message): JsonObject {
  const result: JsonObject = {};
  for (const [number, raw] of readFields(bytes)) {
    const field = shape.fields[number];
    if (field === undefined) continue;
    const [name, type, repeated] = field;
    const value = valueOf(raw, type);
    const former = result[name];
    result[name] = repeated === undefined ? value : [...(Array.isArray(former) ? former : []), value];
  }
  return result;
}

function valueOf(raw: RawValue, field: Field): unknown {
  switch (field.kind) {
    case 'text':
      return bytesOf(raw).toString('utf8');
    case 'integer':
      return typeof raw === 'bigint' ? Number(BigInt.asIntN(64, raw)) : 0;
    case 'message':
      return decodeMessage(bytesOf(raw), field);
  }
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
/** A varint of 64 bits has at most so many bytes. */
const VARINT_BYTES_MAX = 10;

function readFields(bytes: Buffer): [number, RawValue][] {
  const fields: [number, RawValue][] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let count = 0; count < VARINT_BYTES_MAX; count++) {
      const byte = bytes[at++];
      if (byte === undefined) throw badRequest('the protobuf body ends too early');
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) return value;
    }
    throw badRequest('the protobuf body has a number that is too long');
  };
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw badRequest('the protobuf body ends too early');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wireType = tag & 7;
    if (wireType === VARINT) fields.push([tag >>> 3, varint()]);
    else if (wireType === LENGTH) fields.push([tag >>> 3, take(Number(varint()))]);
    else if (wireType === FIXED64) take(8);
    else if (wireType === FIXED32) take(4);
    else throw badRequest(`the protobuf body has wire type ${wireType}`);
  }
  return fields;
}
