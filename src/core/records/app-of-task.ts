import type { TaskInfo } from './mesos';

/** The app id that Marathon gives to its tasks in their environment; a task of another framework is known by its name. */
export function appOfTask(info: TaskInfo): string {
  const variables = info.command?.environment?.variables ?? [];
  return variables.find(({ name }) => name === 'MARATHON_APP_ID')?.value ?? info.name;
}
