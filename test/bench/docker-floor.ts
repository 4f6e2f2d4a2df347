import type Docker from 'dockerode';
import { inParallel, timed } from './harness';

/** What bare dockerd does through dockerode with the same image and the same kind of container: the floor of every figure. */
export class BareDocker {
  private next = 0;

  constructor(
    private readonly docker: Docker,
    private readonly image: string,
  ) {}

  /** Creates and starts one container; resolves with the milliseconds and the container. */
  async run(network: 'host' | 'bridge'): Promise<{ readonly ms: number; readonly result: Docker.Container }> {
    return timed(async () => {
      const container = await this.docker.createContainer({
        name: `bench-bare-${process.pid}-${this.next++}`,
        Image: this.image,
        Entrypoint: ['/bin/sh'],
        Cmd: ['-c', 'sleep 1000'],
        HostConfig: {
          NetworkMode: network,
          Memory: 32 * 1024 * 1024,
          ...(network === 'bridge' ? { PortBindings: { '8080/tcp': [{ HostPort: String(40_000 + this.next) }] } } : {}),
        },
        ...(network === 'bridge' ? { ExposedPorts: { '8080/tcp': {} } } : {}),
      });
      await container.start();
      return container;
    });
  }

  /** Starts `count` containers, `width` at once; milliseconds of the whole. */
  async burst(
    count: number,
    width: number,
    network: 'host' | 'bridge',
  ): Promise<{ readonly ms: number; readonly result: Docker.Container[] }> {
    return timed(() =>
      inParallel(
        width,
        Array.from({ length: count }, () => async () => (await this.run(network)).result),
      ),
    );
  }

  /** Stops with SIGKILL after `graceSeconds` and removes, `width` at once; milliseconds of the whole. */
  async remove(containers: readonly Docker.Container[], width: number, graceSeconds = 1): Promise<number> {
    const { ms } = await timed(() =>
      inParallel(
        width,
        containers.map((container) => async () => {
          await container.stop({ t: graceSeconds });
          await container.remove({ v: true, force: true });
        }),
      ),
    );
    return ms;
  }
}
