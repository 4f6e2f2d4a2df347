import { Router } from 'express';
import type { Agent } from '../../agent/agent';
import { BadRequestError, NotFoundError } from '../../core/errors';
import type { SandboxFiles } from '../../core/ports/sandboxes';
import { isTerminal } from '../../core/records/mesos';
import { abortOnClose, send } from './files';
import { flag, integer, text } from './query';

/** After a task has ended its last lines may still be on their way: following ends only when it has been over for a while. */
const DRAIN_LOOKS = 2;

/**
 * `GET /v1/tasks/{taskId}/logs?stream=stdout|stderr&follow=true&tail=N`: the output as plain text; with `follow` until the task has
 * ended. Works for tasks that have ended as long as their sandbox is there.
 */
export function logsRouter(agent: Agent, files: SandboxFiles): Router {
  const router = Router();
  router.get('/v1/tasks/:taskId/logs', async (request, response) => {
    const { taskId } = request.params;
    const stream = text(request, 'stream') ?? 'stdout';
    if (stream !== 'stdout' && stream !== 'stderr')
      throw new BadRequestError(`stream must be stdout or stderr, not '${stream}'`);
    const tail = integer(request, 'tail', 0);
    const sandbox = agent.task(taskId)?.sandbox ?? (await files.find(taskId));
    if (sandbox === undefined) throw new NotFoundError('task', taskId);
    const path = `${sandbox}/${stream}`;
    const offset = tail === undefined ? 0 : await files.tailOffset(path, tail);
    const follow = flag(request, 'follow');
    await files.size(path);
    response
      .type('text/plain; charset=utf-8')
      .set('X-Content-Type-Options', 'nosniff')
      .set('Cache-Control', 'no-store');
    const signal = abortOnClose(response);
    await send(response, files.stream(path, { offset, follow, signal, isOver: overFor(agent, taskId) }));
  });
  return router;
}

function overFor(agent: Agent, taskId: string): () => boolean {
  let looks = 0;
  return () => {
    const task = agent.task(taskId);
    looks = task === undefined || isTerminal(task.state) ? looks + 1 : 0;
    return looks > DRAIN_LOOKS;
  };
}
