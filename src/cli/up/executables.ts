import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { StepFailure } from './failure';

/** Where daemons live although many users' PATH does not go there. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** Full path of a program, or undefined. */
export function findExecutable(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = [...(env['PATH'] ?? '').split(':').filter((folder) => folder !== ''), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Like findExecutable; throws StepFailure that says how to install it. */
export function requireExecutable(step: string, name: string, debianPackage: string, env: NodeJS.ProcessEnv): string {
  const found = findExecutable(name, env);
  if (found !== undefined) return found;
  throw new StepFailure(step, `${name} is not installed`, {
    advice: `\`npm run up\` installs it as root on Debian and Ubuntu (package ${debianPackage}); elsewhere install it by hand`,
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
