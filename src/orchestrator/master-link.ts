import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import { sleep } from '../core/ports/clock';
import type {
  SchedulerCall,
  SchedulerConnection,
  SchedulerDriver,
  SchedulerEvent,
} from '../core/ports/scheduler-driver';
import type { FrameworkInfo } from '../core/records/mesos';
import { FRAMEWORK_ID, type OrchestratorContext } from './context';

/** Marathon: --failover_timeout, one week: tasks outlive a control plane that is away. */
const FAILOVER_SECONDS = 604_800;

/** Our subscription at the master: opened again whenever it closes, until the term ends. */
export class MasterLink {
  private connection: SchedulerConnection | undefined;
  private roles: readonly string[] = ['*'];

  constructor(
    private readonly context: OrchestratorContext,
    private readonly driver: SchedulerDriver,
    private readonly onEvent: (event: SchedulerEvent) => void,
  ) {}

  isOpen(): boolean {
    return this.connection !== undefined;
  }

  /** Subscribes; on failure and after every close again, with a doubling pause. Resolves at the first success or abort. */
  async open(roles: readonly string[]): Promise<void> {
    this.roles = roles.length === 0 ? ['*'] : roles;
    let pauseMs: number = LIMITS.retryFirstMs;
    while (!this.context.signal.aborted) {
      try {
        // Suppressed until something waits: an idle framework must not hold offers.
        const { framework, events, closed } = this.subscription();
        this.connection = await this.driver.subscribe(framework, events, closed, this.roles);
        return;
      } catch (error) {
        this.context.log.warn('subscription failed', { error: messageOf(error) });
        await sleep(this.context.clock, pauseMs, this.context.signal);
        pauseMs = Math.min(LIMITS.retryLastMs, pauseMs * 2);
      }
    }
  }

  private subscription(): {
    framework: FrameworkInfo;
    events: (event: SchedulerEvent) => void;
    closed: (reason: string) => void;
  } {
    let isOver = false;
    return {
      framework: this.frameworkInfo(),
      events: (event) => {
        if (!isOver && !this.context.signal.aborted) this.onEvent(event);
      },
      closed: (reason) => {
        if (isOver) return;
        isOver = true;
        this.connection = undefined;
        if (this.context.signal.aborted) return;
        this.context.log.warn('subscription closed', { reason });
        void this.open(this.roles);
      },
    };
  }

  private frameworkInfo(): FrameworkInfo {
    const { hostname } = this.context.options;
    return {
      user: 'root',
      name: 'marathon',
      id: { value: FRAMEWORK_ID },
      failover_timeout: FAILOVER_SECONDS,
      checkpoint: true,
      roles: [...this.roles],
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }, { type: 'TASK_KILLING_STATE' }],
      ...(hostname === undefined ? {} : { hostname }),
    };
  }

  /** Whether the master has taken the call. Never throws: what was not taken is found by the next pass. */
  async call(call: SchedulerCall): Promise<boolean> {
    const { connection } = this;
    if (connection === undefined || this.context.signal.aborted) return false;
    try {
      await connection.call(call);
      return true;
    } catch (error) {
      if (!this.context.signal.aborted) {
        this.context.log.warn('call to the master failed', { call: call.type, error: messageOf(error) });
      }
      return false;
    }
  }

  /** Asks for offers for these roles; roles that are new are announced first. */
  async revive(roles: readonly string[]): Promise<boolean> {
    const known = new Set(this.roles);
    if (roles.some((role) => !known.has(role))) {
      this.roles = [...new Set([...this.roles, ...roles])];
      void this.call({
        type: 'UPDATE_FRAMEWORK',
        update_framework: { framework_info: this.frameworkInfo(), suppressed_roles: [] },
      });
    }
    return this.call({ type: 'REVIVE', revive: { roles: [...roles] } });
  }

  close(): void {
    this.connection?.close();
    this.connection = undefined;
  }
}
