import type { Request, Response } from 'express';
import type { AppSpec } from '../../core/records/app';
import { appPath } from '../../core/records/paths';
import { servicePortsOf } from '../../core/records/service-ports';
import { sendList } from './answers';
import type { AppViews } from './app-view';
import type { TaskView } from './task-view';

/** The tasks of some apps: JSON, or lines for a client that would rather have text. */
export async function sendTasks(
  request: Request,
  response: Response,
  apps: readonly AppSpec[],
  views: AppViews,
  wanted: (task: TaskView) => boolean = () => true,
): Promise<void> {
  if (prefersText(request)) {
    const lines = apps.map((spec) => taskLines(spec, views.tasks(spec).filter(wanted)));
    response.type('text/plain').send(lines.join(''));
    return;
  }
  await sendList(response, apps, (spec) => views.tasks(spec).filter(wanted), { before: '{"tasks":[', after: ']}' });
}

function prefersText(request: Request): boolean {
  return request.accepts(['application/json', 'text/plain']) === 'text/plain';
}

/**
 * Marathon up to 1.9: `app<TAB>servicePort<TAB>host:port<TAB>…`, one line per service port; apps without ports have one line
 * with a blank for the port. Running tasks only.
 */
function taskLines(spec: AppSpec, tasks: readonly TaskView[]): string {
  const running = tasks.filter(({ state }) => state === 'TASK_RUNNING');
  const name = appPath(spec.id).replaceAll('/', '_');
  const servicePorts = servicePortsOf(spec);
  if (servicePorts.length === 0)
    return line(
      name,
      ' ',
      running.map(({ host }) => host),
    );
  return servicePorts
    .map((servicePort, i) =>
      line(
        name,
        String(servicePort),
        running.flatMap(({ host, ports }) => (ports[i] === undefined ? [] : [`${host}:${ports[i]}`])),
      ),
    )
    .join('');
}

function line(name: string, servicePort: string, places: readonly string[]): string {
  return `${[name, servicePort, ...places].map((field) => `${field}\t`).join('')}\n`;
}
