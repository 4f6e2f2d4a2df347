import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent } from '../agent/agent';
import { agentRouter } from '../api/agent/agent-router';
import { accessLog } from '../api/http/access';
import { application } from '../api/http/application';
import { TokenAuth } from '../api/http/auth';
import { listen } from '../api/http/listen';
import type { AgentOptions } from '../cli/options';
import { messageOf, UnavailableError } from '../core/errors';
import { DockerDriver } from '../io/docker/docker-driver';
import { CheckpointFolder } from '../io/files/checkpoint-folder';
import { DiskSpace } from '../io/files/disk-space';
import { hostResources } from '../io/files/host-resources';
import { SandboxFolder } from '../io/files/sandbox-folder';
import { SandboxReader } from '../io/files/sandbox-reader';
import { nodeAddress } from '../io/system/node-address';
import { HttpAgentLink } from '../io/wire/http-agent-link';
import { NetProbe } from '../io/wire/net-probe';
import { keepCertificates, readCertificate } from './certificates';
import { newPlatform, readToken, untilStopped } from './platform';
import { tellBuild } from './process-metrics';

/** `berth agent`: runs until SIGTERM or SIGINT; tasks go on without it. Rejects when its port cannot be had or its disk cannot be read. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const token = readToken(options.auth);
  const platform = newPlatform(options.logLevel, token, options.cluster);
  const { clock, random, ids, log, metrics, crashPoints, version } = platform;
  const stop = untilStopped(log);
  const gaveUp = new AbortController();
  const sandboxes = join(options.workDir, 'sandboxes');
  const driver = new DockerDriver(
    {
      address: { socketPath: options.dockerSocket },
      cluster: options.cluster,
      workDir: options.workDir,
      ...(options.dockerConfig === undefined ? {} : { dockerConfig: options.dockerConfig }),
    },
    clock,
    log,
    metrics,
  );
  const agent = new Agent(
    {
      hostname: options.hostname,
      port: options.port,
      resources: hostResources(options.workDir, options.resources),
      attributes: options.attributes ?? [],
      version,
      gcDelayMs: options.gcDelayMs,
      nodeAddress,
      ...(options.region === undefined ? {} : { region: options.region }),
      ...(options.zone === undefined ? {} : { zone: options.zone }),
    },
    {
      link: new HttpAgentLink({
        masters: options.masters,
        ...(token === undefined ? {} : { token }),
        ...(options.masterCa === undefined ? {} : { ca: readFileSync(options.masterCa, 'utf8') }),
      }),
      drivers: [driver],
      probe: new NetProbe(),
      checkpoints: new CheckpointFolder(join(options.workDir, 'checkpoints')),
      sandboxes: new SandboxFolder(sandboxes),
      clock,
      random,
      ids,
      log,
      metrics,
      crashPoints,
      gaveUp: (reason) => gaveUp.abort(reason),
    },
  );
  tellBuild(metrics, 'agent', version);
  const disks = new DiskSpace(metrics);
  void disks.watch('work', () => Promise.resolve(options.workDir));
  if (options.auth.kind === 'insecure')
    log.warn('no authentication: anybody who can reach the port can read logs and sandboxes', {
      listen: options.listen,
    });

  const app = application();
  app.use(accessLog('agent', clock, metrics, log));
  app.use(new TokenAuth(token).middleware(undefined, ['/health', '/healthz', '/readyz']));
  const files = new SandboxReader(sandboxes);
  app.use(agentRouter({ agent, files, engineAnswers: () => driver.ping(), metrics: () => metrics.render(), log }));
  const http = await readCertificate(options.tls);
  const tls = http === undefined ? {} : { tls: http.pem };
  const listening = await listen(app, { host: options.listen, port: options.port, ...tls });
  log.info('agent is up', { version, port: options.port, masters: options.masters, workDir: options.workDir });
  const dockerRoot = async () => (await driver.check()).rootDir;
  void disks.watch('docker', () =>
    dockerRoot().catch((error: unknown) => {
      log.warn('Docker does not answer yet', { error: messageOf(error) });
      throw error;
    }),
  );
  agent.start();
  const over = AbortSignal.any([stop, gaveUp.signal]);
  const renewing = http === undefined ? undefined : keepCertificates([http.shownBy([listening])], platform, over);
  await new Promise<void>((resolve) => over.addEventListener('abort', () => resolve(), { once: true }));
  await agent.stop();
  await driver.close();
  await listening.close();
  await renewing;
  log.info('agent has stopped');
  // Whoever keeps the process running starts it anew; idle it would look alive for ever.
  if (gaveUp.signal.aborted) throw new UnavailableError('the agent', { detail: String(gaveUp.signal.reason) });
}
