import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const BUILDS = join(ROOT, 'node_modules/.cache/berth-builds');
const SOURCES = ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
const BUILD_MS = 120_000;

/**
 * `main.js` of a build of the project that calls itself `version`, for tests in which two versions meet. It is made of the sources
 * of `commit`; where there is no history (an archive, a shallow clone) it is the present build under the other name, and says so.
 */
export function otherBuild(commit: string, version: string): string {
  const folder = join(BUILDS, `${commit}-${version}`);
  const main = join(folder, 'dist/main.js');
  if (existsSync(main)) return main;
  mkdirSync(BUILDS, { recursive: true });
  const work = mkdtempSync(join(BUILDS, 'making-'));
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(work, 'node_modules'));
    if (!takeSources(commit, work)) return presentBuild(work, version);
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
      cwd: work,
      timeout: BUILD_MS,
    });
    call(work, version);
    renameSync(work, folder);
    return main;
  } catch (error) {
    rmSync(work, { recursive: true });
    throw error;
  }
}

/** False when this clone does not have the commit. */
function takeSources(commit: string, folder: string): boolean {
  try {
    const options = { cwd: ROOT, timeout: 30_000, maxBuffer: 256 * 1024 * 1024 };
    const archive = execFileSync('git', ['archive', commit, ...SOURCES], {
      ...options,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    execFileSync('tar', ['-x', '-C', folder], { input: archive, timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}

/** Made anew each time: the present build is another one tomorrow. */
function presentBuild(work: string, version: string): string {
  process.stderr.write('there is no older commit to build: the old version is the present one under another name\n');
  cpSync(join(ROOT, 'dist'), join(work, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(work, 'package.json'));
  call(work, version);
  const folder = join(BUILDS, `present-${version}`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
  return join(folder, 'dist/main.js');
}

function call(folder: string, version: string): void {
  const file = join(folder, 'package.json');
  const about = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...about, version }));
}
