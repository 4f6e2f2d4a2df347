import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { waitFor } from '../support/wait';
import { BedProcess } from './bed-process';
import type { BedNode } from './network';

const run = promisify(execFile);
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
const CALL_MS = 20_000;

/** One member of the bed's etcd cluster, on a node of its own. */
export class EtcdMember {
  readonly process: BedProcess;
  readonly endpoint: string;
  private readonly dataDir: string;

  constructor(
    readonly node: BedNode,
    private readonly all: readonly BedNode[],
    extraArgs: readonly string[],
  ) {
    this.endpoint = clientUrl(node);
    this.dataDir = join(node.dir, 'data');
    this.process = new BedProcess(`etcd ${node.name}`, {
      netns: node.netns,
      logFile: join(node.dir, 'etcd.log'),
      pidFile: join(node.dir, 'etcd.pid'),
      command: [
        ...['etcd', '--name', node.name, '--data-dir', this.dataDir],
        ...['--listen-client-urls', `${this.endpoint},http://127.0.0.1:${CLIENT_PORT}`],
        ...['--advertise-client-urls', this.endpoint],
        ...['--listen-peer-urls', peerUrl(node), '--initial-advertise-peer-urls', peerUrl(node)],
        ...['--initial-cluster', this.initialCluster(), '--initial-cluster-state', 'new'],
        ...['--heartbeat-interval', '100', '--election-timeout', '1000'],
        ...['--logger', 'zap', '--log-outputs', 'stderr', ...extraArgs],
      ],
    });
  }

  start(): void {
    this.process.start();
  }

  /** Waits until the member serves linearizable reads, that is: until the cluster has a quorum and this one belongs to it. */
  async ready(timeoutMs = 30_000): Promise<void> {
    await waitFor(`etcd ${this.node.name} to answer`, () => this.healthy(), timeoutMs, 20);
  }

  async healthy(): Promise<boolean> {
    const answer = await fetch(`${this.endpoint}/health`, { signal: AbortSignal.timeout(2_000) });
    return (await answer.text()).includes('"true"');
  }

  /** Runs etcdctl against this member alone. Throws when it fails or does not answer in time. */
  async ctl(...args: readonly string[]): Promise<string> {
    const timeouts = ['--command-timeout=10s', '--dial-timeout=2s'];
    const { stdout } = await run('etcdctl', [`--endpoints=${this.endpoint}`, ...timeouts, ...args], {
      timeout: CALL_MS,
      maxBuffer: 64 << 20,
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    return stdout;
  }

  async status(): Promise<{ readonly id: string; readonly leader: string; readonly revision: number }> {
    const [answer] = JSON.parse(await this.ctl('endpoint', 'status', '-w', 'json')) as {
      Status: { header: { member_id: number; revision: number }; leader: number };
    }[];
    if (answer === undefined) throw new Error(`etcd ${this.node.name} does not answer`);
    const { header, leader } = answer.Status;
    return { id: String(header.member_id), leader: String(leader), revision: header.revision };
  }

  /** Removes everything the member has stored. Only while it does not run. */
  wipe(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** Replaces what the member has stored with a snapshot. Only while it does not run; all members need the same one. */
  async restore(snapshotFile: string): Promise<void> {
    this.wipe();
    const { node } = this;
    await run(
      'etcdctl',
      [
        ...['snapshot', 'restore', snapshotFile, '--data-dir', this.dataDir, '--name', node.name],
        ...['--initial-cluster', this.initialCluster(), '--initial-advertise-peer-urls', peerUrl(node)],
      ],
      { timeout: CALL_MS, env: { ...process.env, ETCDCTL_API: '3' } },
    );
  }

  private initialCluster(): string {
    return this.all.map((node) => `${node.name}=${peerUrl(node)}`).join(',');
  }
}

function clientUrl(node: BedNode): string {
  return `http://${node.address}:${CLIENT_PORT}`;
}

function peerUrl(node: BedNode): string {
  return `http://${node.address}:${PEER_PORT}`;
}
