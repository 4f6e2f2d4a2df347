import { request } from 'node:http';
import { startEtcd, type RealEtcd } from '../support/etcd';
import { Cluster } from '../support/cluster';
import { waitFor } from '../support/wait';

let etcd: RealEtcd;
let cluster: Cluster;
beforeAll(async () => {
  etcd = await startEtcd();
  cluster = await Cluster.start({ etcdEndpoint: etcd.endpoint, dockerSocket: '/nowhere.sock', agents: 0 });
});
afterAll(async () => {
  await cluster?.stop();
  await etcd?.stop();
});

/** The status, or the code of the error that the client met instead; a connection of its own for each request. */
function outcome(method: string, path: string, body?: unknown): Promise<number | string> {
  return new Promise((resolve) => {
    const url = `${cluster.servers[0]?.marathonUrl}${path}`;
    const headers = { 'content-type': 'application/json' };
    const asked = request(url, { method, agent: false, headers, timeout: 20_000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', () => resolve('cut off'));
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

test('a server that is told to stop answers what it has begun', async () => {
  const outcomes = new Set<number | string>();
  let count = 0;
  const client = async () => {
    while (!outcomes.has('ECONNREFUSED')) {
      const app = { cmd: 'sleep 1', instances: 0 };
      const both = [outcome('GET', '/v2/apps'), outcome('PUT', `/v2/apps/app-${count++}`, app)];
      for (const result of await Promise.all(both)) outcomes.add(result);
    }
  };
  const clients = Promise.all(Array.from({ length: 8 }, client));
  await waitFor('some requests', () => count > 40);
  await cluster.servers[0]?.process.kill('SIGTERM');
  await clients;
  // Connections that it had not accepted yet are reset by the kernel.
  for (const result of outcomes) expect([200, 201, 'ECONNRESET', 'ECONNREFUSED']).toContain(result);
  expect(cluster.servers[0]?.process.log()).not.toContain('cut off without an answer');
  expect(cluster.servers[0]?.process.log()).toContain('server has stopped');
});
