import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
  appendFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BadRequestError, NotFoundError } from '../../../src/core/errors';
import { CheckpointFolder } from '../../../src/io/files/checkpoint-folder';
import { hostResources, leftOf } from '../../../src/io/files/host-resources';
import { SandboxFolder } from '../../../src/io/files/sandbox-folder';
import { SandboxReader } from '../../../src/io/files/sandbox-reader';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'berth-files-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('CheckpointFolder', () => {
  const files = () => readdirSync(root).filter((name) => name.endsWith('.json'));

  test('gives back what was written, whatever the name; a name holds one document', async () => {
    const names = ['agent', 'task/a', 'task_a', 'task/../../etc', 'ü'.repeat(300)];
    for (const name of names) await new CheckpointFolder(root).write(name, `old ${name}`);
    for (const name of names) await new CheckpointFolder(root).write(name, `new ${name}`);
    const { documents } = await new CheckpointFolder(root).list();
    expect(documents.map(({ name, text }) => `${name}: ${text}`).sort()).toEqual(
      names.map((name) => `${name}: new ${name}`).sort(),
    );
    await new CheckpointFolder(root).remove('task/a');
    await new CheckpointFolder(root).remove('never there');
    expect((await new CheckpointFolder(root).list()).documents).toHaveLength(names.length - 1);
  });

  test.each(['', '{"name": "age', 'null', '{"name":"other","text":"x"}'])(
    'a file that holds %j is set aside and kept',
    async (text) => {
      const store = new CheckpointFolder(root);
      await store.write('agent', 'x');
      await store.write('good', 'y');
      const [file = ''] = files().filter((name) => name.startsWith('agent'));
      writeFileSync(join(root, file), text);
      const { documents, unreadable } = await store.list();
      expect(documents).toEqual([{ name: 'good', text: 'y' }]);
      expect(unreadable).toHaveLength(1);
      expect(existsSync(unreadable[0] ?? '')).toBe(true);
      expect((await store.list()).unreadable).toEqual([]);
    },
  );

  test('an unfinished write is forgotten, the finished one before it is not', async () => {
    const store = new CheckpointFolder(root);
    await store.write('agent', 'whole');
    writeFileSync(join(root, `${files()[0]}.new`), '{"na');
    expect(await store.list()).toEqual({ documents: [{ name: 'agent', text: 'whole' }], unreadable: [] });
    expect(readdirSync(root)).toHaveLength(1);
  });

  test('setAside takes a document out of the list', async () => {
    const store = new CheckpointFolder(root);
    await store.write('agent', 'x');
    expect(existsSync(await store.setAside('agent'))).toBe(true);
    expect((await store.list()).documents).toEqual([]);
  });
});

describe('SandboxFolder', () => {
  test('makes a folder that any user of a container can write to and nobody else reaches', async () => {
    const sandboxes = new SandboxFolder(join(root, 's'));
    const path = await sandboxes.create('F1', 't.1');
    expect(path).toBe(join(root, 's', 'F1', 't.1'));
    expect(readdirSync(path).sort()).toEqual(['stderr', 'stdout']);
    expect(statSync(path).mode & 0o7777).toBe(0o1777);
    expect(statSync(join(root, 's')).mode & 0o777).toBe(0o700);
    expect(await sandboxes.create('F1', 't.1')).toBe(path);
    expect((await sandboxes.list()).map((sandbox) => sandbox.path)).toEqual([path]);
    await sandboxes.remove(path);
    expect(await sandboxes.list()).toEqual([]);
    const { blocks, bavail } = statfsSync(root);
    expect(await sandboxes.diskUsage()).toBeCloseTo(1 - bavail / blocks, 1);
    expect(await new SandboxFolder(join(root, 'not', 'yet')).diskUsage()).toBeCloseTo(1 - bavail / blocks, 1);
  });

  test.each(['..', '.', '../../etc', 'a/b', ''])('the id %j cannot lead out', (id) => {
    const path = new SandboxFolder(root).pathOf(id, id);
    expect(path).toMatch(new RegExp(`^${root}/[0-9a-f]{64}/[0-9a-f]{64}$`));
  });

  test.each(['/etc', '.', 'F1', 'F1/t/deeper', 'F1/../..'])('remove refuses %s', async (path) => {
    await expect(new SandboxFolder(root).remove(path === '/etc' ? path : join(root, path))).rejects.toThrow(
      BadRequestError,
    );
  });
});

describe('SandboxReader', () => {
  let box: string;
  let reader: SandboxReader;
  beforeEach(() => {
    box = join(root, 's', 'F1', 't');
    mkdirSync(box, { recursive: true });
    writeFileSync(join(box, 'stdout'), 'one\ntwo\nthree\n');
    writeFileSync(join(root, 'secret'), 'secret');
    symlinkSync(join(root, 'secret'), join(box, 'link'));
    reader = new SandboxReader(join(root, 's'));
  });
  const collect = async (stream: AsyncIterable<Uint8Array>) => {
    let text = '';
    for await (const chunk of stream) text += Buffer.from(chunk).toString();
    return text;
  };
  const never = new AbortController().signal;

  test('browses as Mesos does, without links that lead out', async () => {
    expect(await reader.browse(box)).toMatchObject([
      { path: join(box, 'stdout'), size: 14, mode: '-rw-r--r--', nlink: 1 },
    ]);
  });

  test.each(['../../../secret', '/etc/passwd', 'link', 'none', 'stdout\0'])('does not find %j', async (path) => {
    const asked = path.startsWith('/') ? path : join(box, path);
    await expect(reader.read(path.includes('\0') ? `${box}/${path}` : asked, 0, 10)).rejects.toThrow(NotFoundError);
  });

  test('reads parts, and no folders', async () => {
    expect(Buffer.from(await reader.read(join(box, 'stdout'), 4, 3)).toString()).toBe('two');
    await expect(reader.size(box)).rejects.toThrow(BadRequestError);
    expect(await reader.find('t')).toBe(box);
    expect(await reader.find('other')).toBeUndefined();
  });

  test.each([
    [0, ''],
    [1, 'three\n'],
    [2, 'two\nthree\n'],
    [99, 'one\ntwo\nthree\n'],
  ])('the last %i lines', async (lines, expected) => {
    const path = join(box, 'stdout');
    const offset = await reader.tailOffset(path, lines);
    expect(await collect(reader.stream(path, { offset, follow: false, signal: never }))).toBe(expected);
  });

  test('follows what is appended, through a rotation, to the end', async () => {
    const path = join(box, 'stdout');
    let over = false;
    const stream = reader.stream(path, { offset: 0, follow: true, signal: never, isOver: () => over });
    const first = await stream.next();
    appendFileSync(path, 'four\n');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'five\n');
    over = true;
    expect(Buffer.from(first.value ?? []).toString()).toBe('one\ntwo\nthree\n');
    expect(await collect(stream)).toBe('four\nfive\n');
  });

  test('following ends when the reader goes', async () => {
    const gone = new AbortController();
    const text = collect(reader.stream(join(box, 'stdout'), { offset: 0, follow: true, signal: gone.signal }));
    gone.abort();
    expect('one\ntwo\nthree\n'.startsWith(await text)).toBe(true);
  });
});

describe('hostResources', () => {
  test('measures what the operator did not name', () => {
    const given = [{ name: 'mem', type: 'SCALAR' as const, scalar: { value: 7 } }];
    const resources = hostResources(join(root, 'not', 'there', 'yet'), given);
    expect(resources.map(({ name }) => name).sort()).toEqual(['cpus', 'disk', 'mem', 'ports']);
    expect(resources.find(({ name }) => name === 'mem')?.scalar?.value).toBe(7);
    expect(resources.find(({ name }) => name === 'disk')?.scalar?.value).toBeGreaterThan(0);
  });

  test.each([
    [8_192, 1_024, 7_168],
    [2_048, 1_024, 1_024],
    [1_500, 1_024, 750],
    [0, 1_024, 0],
  ])('of %i with %i kept, %i is offered', (total, kept, left) => expect(leftOf(total, kept)).toBe(left));
});
