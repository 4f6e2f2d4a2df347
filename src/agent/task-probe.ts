import { messageOf } from '../core/errors';
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
  /** No network at all. */
  readonly isolated: boolean;
}

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
    const host = this.hostFor(check.from);
    if (host === undefined) return failure('the task has no network to be checked through');
    if (check.type === 'TCP') {
      if (check.tcp === undefined) return failure('the check names no port');
      return judged(await this.probe.tcp({ host, port: check.tcp.port, timeoutMs }));
    }
    if (check.http === undefined) return failure('the check names no port');
    const { port, path = '/', scheme, statuses } = check.http;
    const answer = await this.probe.http({ scheme: schemeOf(scheme), host, port, path, timeoutMs });
    return httpOutcome(answer, statuses, check.ignore_http_1xx ?? false);
  }

  /** Readiness: the answer as it is. Undefined: cannot be asked. */
  async answer(check: {
    readonly scheme: string;
    readonly port: number;
    readonly path: string;
    readonly timeout_seconds: number;
    readonly from?: 'host' | 'container' | undefined;
  }): Promise<ProbeAnswer | undefined> {
    const host = this.hostFor(check.from);
    if (host === undefined) return undefined;
    const { port, path } = check;
    const timeoutMs = check.timeout_seconds * 1_000;
    return this.probe.http({ scheme: schemeOf(check.scheme), host, port, path, timeoutMs, keepBody: true });
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
      return failure(messageOf(error));
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
