import { messageOf, UnavailableError } from '../core/errors';
import type { Probe, ProbeAnswer } from '../core/ports/probe';
import type { TaskDriver } from '../core/ports/task-driver';
import type { MesosHealthCheck } from '../core/records/mesos';
import type { Outcome } from './health-state';

/** Where a task is to be reached. */
export interface ProbeTarget {
  readonly taskId: string;
  /** Address of the node, for checks of host ports and of tasks without a network of their own. */
  readonly host: string;
  /** Address of the task in its own network. */
  readonly container?: string;
  /** Another address of the node, for host ports that `host` refuses; see AgentOptions.nodeAddress. */
  readonly elsewhere?: () => string | undefined;
  /** No network at all. */
  readonly isolated: boolean;
}

const NO_NETWORK: Outcome = { kind: 'failure', cause: 'the task has no network to be checked through' };

/** Runs health checks of one task. Never throws. */
export class TaskProbe {
  constructor(
    private readonly probe: Probe,
    private readonly driver: Pick<TaskDriver, 'exec'>,
    private readonly target: ProbeTarget,
  ) {}

  async check(check: MesosHealthCheck): Promise<Outcome> {
    const timeoutMs = Math.max(1, check.timeout_seconds * 1_000);
    if (check.type === 'COMMAND') return this.command(check, timeoutMs);
    const asked = check.type === 'TCP' ? check.tcp : check.http;
    if (asked === undefined) return failure('the check names no port');
    const { port } = asked;
    if (check.type === 'TCP' || check.http === undefined) {
      const answer = await this.reach(check.from, (host) => this.probe.tcp({ host, port, timeoutMs }));
      return answer === undefined ? NO_NETWORK : judged(answer);
    }
    const { path = '/', scheme, statuses } = check.http;
    const ask = (host: string) => this.probe.http({ scheme: schemeOf(scheme), host, port, path, timeoutMs });
    const answer = await this.reach(check.from, ask);
    return answer === undefined ? NO_NETWORK : httpOutcome(answer, statuses, check.ignore_http_1xx ?? false);
  }

  /** Readiness: the answer as it is. Undefined: cannot be asked. */
  async answer(check: {
    readonly scheme: string;
    readonly port: number;
    readonly path: string;
    readonly timeout_seconds: number;
    readonly from?: 'host' | 'container' | undefined;
  }): Promise<ProbeAnswer | undefined> {
    const { port, path } = check;
    const timeoutMs = check.timeout_seconds * 1_000;
    return this.reach(check.from, (host) =>
      this.probe.http({ scheme: schemeOf(check.scheme), host, port, path, timeoutMs, keepBody: true }),
    );
  }

  /**
   * Asks where the port is. Docker publishes ports on loopback through a proxy process that dies with dockerd, on every other address
   * through the kernel: while dockerd is away a task that serves must not look dead. Undefined: the task has no network.
   */
  private async reach(
    from: 'host' | 'container' | undefined,
    ask: (host: string) => Promise<ProbeAnswer>,
  ): Promise<ProbeAnswer | undefined> {
    const host = this.hostFor(from);
    if (host === undefined) return undefined;
    const answer = await ask(host);
    const isPublished = from === 'host' && this.target.container !== undefined;
    if (answer.ok || !isPublished || answer.cause !== 'connection refused') return answer;
    const elsewhere = this.target.elsewhere?.();
    return elsewhere === undefined ? answer : ask(elsewhere);
  }

  private hostFor(from: 'host' | 'container' | undefined): string | undefined {
    if (from === 'host') return this.target.host;
    return this.target.isolated ? undefined : (this.target.container ?? this.target.host);
  }

  private async command(check: MesosHealthCheck, timeoutMs: number): Promise<Outcome> {
    const { value = '', shell = true, arguments: words = [], environment } = check.command ?? {};
    const line = shell ? ['/bin/sh', '-c', value] : words.length > 0 ? words : [value];
    const variables = Object.fromEntries(
      (environment?.variables ?? []).map(({ name, value: text }) => [name, text ?? '']),
    );
    try {
      const { exitCode, output } = await this.driver.exec(this.target.taskId, line, {
        timeoutMs,
        environment: variables,
      });
      if (exitCode === 0) return { kind: 'success' };
      const words = output.trim().slice(0, 200);
      return failure(`the command exited with status ${exitCode}${words === '' ? '' : `: ${words}`}`);
    } catch (error) {
      // An engine that does not answer says nothing about the task.
      return error instanceof UnavailableError ? { kind: 'ignored' } : failure(messageOf(error));
    }
  }
}

/** Marathon and Mesos: 200 to 399 is healthy. */
function httpOutcome(answer: ProbeAnswer, statuses: readonly number[] | undefined, ignore1xx: boolean): Outcome {
  const { status } = answer;
  if (status === undefined) return judged(answer);
  if (ignore1xx && status >= 100 && status < 200) return { kind: 'ignored' };
  const good =
    statuses === undefined || statuses.length === 0 ? status >= 200 && status < 400 : statuses.includes(status);
  return good ? { kind: 'success' } : failure(`HTTP ${status}`);
}

function judged(answer: ProbeAnswer): Outcome {
  return answer.ok ? { kind: 'success' } : failure(answer.cause ?? 'no answer');
}

function failure(cause: string): Outcome {
  return { kind: 'failure', cause };
}

function schemeOf(scheme: string | undefined): 'http' | 'https' {
  return scheme?.toLowerCase() === 'https' ? 'https' : 'http';
}
