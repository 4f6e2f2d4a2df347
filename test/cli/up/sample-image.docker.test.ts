import Docker from 'dockerode';
import { waitFor } from '../../../src/cli/wait';
import { DockerEngine } from '../../../src/cli/up/docker-engine';
import { ensureSampleImage, LOCAL_BASE, SAMPLE_IMAGE } from '../../../src/cli/up/sample-image';
import { startDocker, type TestDocker } from '../../support/docker';

jest.setTimeout(120_000);

let docker: TestDocker;
let engine: DockerEngine;
beforeAll(async () => {
  docker = await startDocker();
  engine = new DockerEngine(docker.socketPath);
});
afterAll(() => docker.stop());

test('an engine tells its version and whether live-restore is on', async () => {
  expect(await engine.info()).toEqual({ version: expect.stringMatching(/^\d+\./), liveRestore: true });
});

test('no engine: says why', async () => {
  expect(await new DockerEngine('/nowhere.sock').info()).toEqual({ unreachable: expect.stringContaining('ENOENT') });
});

test('a pull that fails tells why', async () => {
  await expect(engine.pull('127.0.0.1:1/nothing', 'latest', 30_000)).rejects.toThrow(/127\.0\.0\.1:1/);
});

test('the sample image is built once, answers with its task id, and stops at once when asked', async () => {
  const first = await ensureSampleImage(engine, process.env);
  expect(first.said).toContain(`built ${SAMPLE_IMAGE}`);
  expect((await ensureSampleImage(engine, process.env)).said).toBe(`${SAMPLE_IMAGE} is there`);

  const container = await new Docker({ socketPath: docker.socketPath }).createContainer({
    Image: SAMPLE_IMAGE,
    name: 'sample',
    Env: ['MESOS_TASK_ID=hello.instance-1._app.1', 'HOST=here'],
    Labels: { 'berth.cluster': 'sample-test' },
  });
  await container.start();
  const address = (await container.inspect()).NetworkSettings.Networks['bridge']?.IPAddress;
  const answer = await waitFor(20_000, () =>
    fetch(`http://${address}:8080/`, { signal: AbortSignal.timeout(1_000) }).then(
      (response) => response.text(),
      () => undefined,
    ),
  );
  expect(answer).toBe('Hello from hello.instance-1._app.1 on here\n');

  await container.stop({ t: 60 });
  // Killed after its grace period it would be 137.
  expect((await container.inspect()).State.ExitCode).toBe(0);

  const found = await engine.containersWith('berth.cluster=sample-test');
  expect(found).toEqual([{ id: container.id, name: 'sample' }]);
  expect(await engine.containersWith('berth.cluster=another')).toEqual([]);
  await engine.removeContainer(container.id);
  await engine.removeContainer(container.id);
  expect(await engine.containersWith('berth.cluster=sample-test')).toEqual([]);
});

test('images can be removed, also those that are not there', async () => {
  for (const image of [SAMPLE_IMAGE, LOCAL_BASE, 'berth/none:1']) await engine.removeImage(image);
  expect(await engine.hasImage(SAMPLE_IMAGE)).toBe(false);
});
