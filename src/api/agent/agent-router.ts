import { Router } from 'express';
import type { Agent } from '../../agent/agent';
import type { ErrorCode } from '../../core/errors';
import { BerthError, messageOf } from '../../core/errors';
import type { Logger } from '../../core/ports/logger';
import type { SandboxFiles } from '../../core/ports/sandboxes';
import { errorHandler } from '../http/errors';
import { healthRouter, type ReadyCheck } from '../http/health';
import { filesRouter } from './files';
import { logsRouter } from './logs';
import { agentState, statistics } from './state';

export interface AgentFaceDeps {
  readonly agent: Agent;
  readonly files: SandboxFiles;
  /** Rejects when the container engine does not answer. */
  readonly engineAnswers: () => Promise<void>;
  /** The Prometheus text of this process. */
  readonly metrics: () => Promise<string>;
  readonly log: Logger;
}

/** One row per code: forgetting one is a compile error. */
const HTTP_STATUS = {
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  CONFLICT: 409,
  LOCKED: 409,
  INVALID: 422,
  BAD_REQUEST: 400,
  FORBIDDEN: 403,
  TOO_LARGE: 413,
  FENCED: 503,
  COMPACTED: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
} as const satisfies Record<ErrorCode, number>;

/** Everything an agent serves (port 5051). Authentication, if any, goes in front of it. */
export function agentRouter({ agent, files, engineAnswers, metrics, log }: AgentFaceDeps): Router {
  const router = Router();
  // Mesos: 200 without a body as long as the process answers.
  router.get(['/health', '/slave\\(1\\)/health'], (_request, response) => void response.status(200).end());
  router.use(healthRouter({ metrics, ready: () => readiness(agent, engineAnswers) }));
  router.get(['/state', '/state.json', '/slave\\(1\\)/state'], (_request, response) => {
    response.json(agentState(agent));
  });
  router.get(['/monitor/statistics', '/monitor/statistics.json'], async (_request, response) => {
    response.json(statistics(agent.list(), await agent.usage()));
  });
  router.use(logsRouter(agent, files));
  router.use(filesRouter(files));
  router.use(
    errorHandler(log, (error) => {
      const code = error instanceof BerthError ? error.code : undefined;
      return code === undefined || error === undefined
        ? { status: 500, body: { message: 'internal error; the log of the agent says more' } }
        : { status: HTTP_STATUS[code], body: { message: error.message } };
    }),
  );
  return router;
}

async function readiness(agent: Agent, engineAnswers: () => Promise<void>): Promise<ReadyCheck[]> {
  const engine = await engineAnswers().then(
    () => ({ ok: true, message: 'answers' }),
    (error: unknown) => ({ ok: false, message: messageOf(error) }),
  );
  const { state, reason } = agent.status();
  return [
    { name: 'registered', ok: state === 'registered', message: reason },
    { name: 'docker', ...engine },
  ];
}
