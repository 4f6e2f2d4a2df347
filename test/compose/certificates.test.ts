import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { Pem } from '../../src/api/http/listen';
import { keepCertificates, readCertificate } from '../../src/compose/certificates';
import { LIMITS } from '../../src/core/limits';
import { FakeClock, RecordingLogger, RecordingMetrics } from '../support/fakes';
import { waitFor } from '../support/wait';

const pair = async (days: number): Promise<Pem> => {
  const made = await generate([], { notAfterDate: new Date(Date.now() + days * 86_400_000) });
  return { cert: made.cert, key: made.private };
};

let folder: string;
let files: { certFile: string; keyFile: string };
let shown: Pem[];
let stop: AbortController;
let parts: { clock: FakeClock; log: RecordingLogger; metrics: RecordingMetrics };
let keeping: Promise<void>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-certificates-'));
  files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  shown = [];
  stop = new AbortController();
  parts = { clock: new FakeClock(), log: new RecordingLogger(), metrics: new RecordingMetrics() };
});
afterEach(async () => {
  stop.abort();
  await keeping;
  await rm(folder, { recursive: true, force: true });
});

async function put(pem: Pem): Promise<void> {
  await writeFile(files.certFile, pem.cert);
  await writeFile(files.keyFile, pem.key);
}

async function keep(refuse?: () => Error | undefined): Promise<void> {
  const http = await readCertificate(files);
  if (http === undefined) throw new Error('no certificate');
  const setCertificate = (pem: Pem) => {
    const error = refuse?.();
    if (error !== undefined) throw error;
    shown.push(pem);
  };
  keeping = keepCertificates([http.shownBy([{ setCertificate }, { setCertificate }])], parts, stop.signal);
}

/** One look, from the end of a pause to the beginning of the next: reading files takes real time. */
async function look(): Promise<void> {
  parts.clock.advance(LIMITS.certificateCheckMs);
  await waitFor('the next pause', () => parts.clock.timers === 1, 30_000, 1);
}

const end = () => parts.metrics.read('berth_certificate_expiry_timestamp_seconds', { certificate: 'http' }) ?? 0;
const warnings = () => parts.log.lines.filter((line) => line.level === 'warn').map((line) => line.fields['error']);

test('every listener gets the new pair, once, and the metric its end', async () => {
  const [first, second] = [await pair(10), await pair(100)];
  await put(first);
  await keep();
  const before = end();
  await look();
  expect(shown).toEqual([]);
  await put(second);
  await look();
  await look();
  expect(shown).toEqual([second, second]);
  expect(Math.round((end() - before) / 86_400)).toBe(90);
});

test('what is missing or refused is told once and tried again', async () => {
  const [first, second] = [await pair(10), await pair(10)];
  let error: Error | undefined = new Error('key values mismatch');
  await put(first);
  await keep(() => error);
  await rm(files.keyFile);
  for (let i = 0; i < 3; i++) await look();
  expect(warnings()).toEqual([expect.stringContaining('ENOENT')]);
  await put(second);
  for (let i = 0; i < 3; i++) await look();
  expect(warnings()).toEqual([expect.stringContaining('ENOENT'), 'key values mismatch']);
  expect(shown).toEqual([]);
  error = undefined;
  await look();
  expect(shown).toEqual([second, second]);
});

test('without TLS there is nothing to keep', async () => {
  keeping = Promise.resolve();
  expect(await readCertificate(undefined)).toBeUndefined();
});
