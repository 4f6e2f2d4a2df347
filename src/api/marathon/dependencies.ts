import type { Request, Response } from 'express';
import type { AppService } from '../../core/ports/app-service';
import type { Clock } from '../../core/ports/clock';
import type { Election } from '../../core/ports/election';
import type { Logger } from '../../core/ports/logger';
import type { Records } from '../../core/ports/records';
import type { StreamRegistry } from '../http/event-stream';

/** What the Marathon face tells about itself in /v2/info. */
export interface MarathonInfo {
  /** Version of Berth. */
  readonly version: string;
  /** `host:port` of this server's Marathon face, as in its LeaderInfo. */
  readonly self: string;
  /** `http` or `https`. */
  readonly scheme: 'http' | 'https';
  /** Framework id of the orchestrator, once it has one. */
  readonly frameworkId: () => string | undefined;
  /** etcd endpoints. */
  readonly storeEndpoints: readonly string[];
  readonly localPortMin: number;
  readonly localPortMax: number;
  readonly hostname: string;
  /** Base URL of the Mesos face of the leader, for links to sandboxes. */
  readonly mesosUrl: () => string | undefined;
  /** Certificate authorities (PEM) of the leader's face when `scheme` is https; absent: those that Node trusts. */
  readonly ca?: readonly string[];
}

/** Everything the Marathon face needs; built in main.ts. */
export interface MarathonDependencies {
  readonly records: Records;
  readonly apps: AppService;
  readonly election: Pick<Election, 'leader' | 'isLeader' | 'abdicate'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly streams: StreamRegistry;
  readonly info: MarathonInfo;
}

export type Handler = (request: Request, response: Response) => void | Promise<void>;
