import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { status } from '@grpc/grpc-js';
import { UnavailableError } from '../../../src/core/errors';
import { EtcdConnection } from '../../../src/io/etcd/connection';
import { seededRandom } from '../../support/fakes';

const CALL_MS = 400;
const HOUR_MS = 3_600_000;

/** An address at which nobody listens. */
async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

describe('a wall clock that is set while a read is repeated', () => {
  let connection: EtcdConnection;
  let offMs: number;
  beforeEach(async () => {
    offMs = 0;
    const now = Date.now.bind(Date);
    jest.spyOn(Date, 'now').mockImplementation(() => now() + offMs);
    connection = new EtcdConnection({ endpoints: [await closedPort()], callMs: CALL_MS }, seededRandom(1));
  });
  afterEach(() => {
    jest.restoreAllMocks();
    connection.close();
  });

  const trouble = () => Promise.reject(Object.assign(new Error('no'), { code: status.UNAVAILABLE, details: 'no' }));

  test('back: it is given up in its time all the same', async () => {
    let calls = 0;
    const reading = connection.read(() => {
      if (++calls === 2) offMs = -HOUR_MS;
      return trouble();
    });
    await expect(reading).rejects.toThrow(UnavailableError);
    expect(calls).toBeGreaterThan(1);
  }, 10_000);

  test('forward: it is repeated all the same, with time left', async () => {
    const leftMs: number[] = [];
    const reading = connection.read(({ deadline }) => {
      leftMs.push(Number(deadline) - Date.now());
      offMs = HOUR_MS;
      return leftMs.length < 3 ? trouble() : Promise.resolve('read');
    });
    await expect(reading).resolves.toBe('read');
    expect(leftMs.every((ms) => ms > 0 && ms <= CALL_MS)).toBe(true);
  });
});
