import { encodeRecord } from '../../../src/core/records/recordio';
import { RecordDecoder } from '../../../src/io/wire/recordio';

describe('RecordIO', () => {
  const values = [{ type: 'PING' }, { text: 'Grüße, 世界 🚢\n12\n' }, 'x'.repeat(10_000)];

  test.each([1, 2, 7, 1_000, 1_000_000])('comes back in chunks of %i bytes', (size) => {
    const bytes = Buffer.from(values.map(encodeRecord).join(''));
    const decoder = new RecordDecoder();
    const got: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size) got.push(...decoder.push(bytes.subarray(at, at + size)));
    expect(got).toEqual(values);
  });

  test('counts the same in bytes and in characters', () => {
    const record = encodeRecord({ text: 'Grüße 🚢' });
    const [length = '', text = ''] = record.split('\n');
    expect(Number(length)).toBe(text.length);
    expect(Buffer.byteLength(text)).toBe(text.length);
  });

  test.each([
    ['no length', 'hello\n{}'],
    ['a length of 0', '0\n'],
    ['a negative length', '-5\nhello'],
    ['no newline', '1'.repeat(50)],
    ['a record that is no JSON', '3\n{x}'],
    ['a record over the limit', '101\n'],
  ])('refuses %s', (_name, text) => {
    expect(() => new RecordDecoder(100).push(Buffer.from(text))).toThrow(Error);
  });
});
