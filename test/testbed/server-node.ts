import { join, resolve } from 'node:path';
import { MarathonClient } from '../support/marathon-client';
import { waitFor } from '../support/wait';
import { BedProcess } from './bed-process';
import type { BedNode } from './network';

const MAIN = resolve(process.cwd(), 'dist/main.js');

export interface ServerSetup {
  readonly etcdEndpoints: readonly string[];
  readonly tokenFile: string;
  readonly token: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A `berth server` on a node of its own. */
export class ServerNode {
  readonly process: BedProcess;
  readonly url: string;
  /** host:port where agents connect. */
  readonly mesosAddress: string;
  readonly kubeconfig: string;
  readonly marathon: MarathonClient;

  constructor(
    readonly node: BedNode,
    setup: ServerSetup,
  ) {
    const { address, dir, name, netns } = node;
    this.url = `http://${address}:8080`;
    this.mesosAddress = `${address}:5050`;
    this.kubeconfig = join(dir, 'data', 'kubeconfig');
    this.marathon = new MarathonClient(this.url, setup.token);
    this.process = new BedProcess(`server ${name}`, {
      netns,
      logFile: join(dir, 'server.log'),
      pidFile: join(dir, 'server.pid'),
      env: setup.env,
      command: [
        ...[process.execPath, MAIN, 'server', `--listen=${address}`, `--advertise-address=${address}`],
        ...[`--hostname=${address}`, `--token-file=${setup.tokenFile}`, `--data-dir=${join(dir, 'data')}`],
        ...[`--etcd-endpoints=${setup.etcdEndpoints.join(',')}`, ...setup.flags],
      ],
    });
  }

  start(): void {
    this.process.start();
  }

  async ready(timeoutMs = 30_000): Promise<void> {
    await waitFor(`server ${this.node.name} to be ready`, () => this.isReady(), timeoutMs, 50);
  }

  async isReady(): Promise<boolean> {
    const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  }
}
