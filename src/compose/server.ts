import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Express } from 'express';
import { accessLog, limitConcurrency } from '../api/http/access';
import { application } from '../api/http/application';
import { TokenAuth } from '../api/http/auth';
import { StreamRegistry } from '../api/http/event-stream';
import { healthRouter, type ReadyCheck } from '../api/http/health';
import { listen, type Listening } from '../api/http/listen';
import { kubeRouter } from '../api/kube/router';
import { writeKubeconfig } from '../api/kube/kubeconfig';
import { ensurePki } from '../api/kube/pki';
import { marathonErrors } from '../api/marathon/error-answers';
import { marathonRouter, uriNotFound } from '../api/marathon/router';
import { mesosRouter } from '../api/mesos/router';
import type { ServerOptions } from '../cli/options';
import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { LeaderInfo, Term } from '../core/ports/election';
import type { Logger } from '../core/ports/logger';
import type { Counter, Metrics } from '../core/ports/metrics';
import { StoredEventRecorder } from '../core/records/event-recorder';
import { timestamp } from '../core/records/metadata';
import { Compactor } from '../io/etcd/compactor';
import { EtcdConnection } from '../io/etcd/connection';
import { EtcdElection } from '../io/etcd/election';
import { EtcdMaintenance } from '../io/etcd/maintenance';
import { EtcdStore } from '../io/etcd/store';
import { CheckpointFolder } from '../io/files/checkpoint-folder';
import { MirrorRecords, type Rewind } from '../io/mirror/records';
import { SeenRevision } from '../io/mirror/seen-revision';
import { Master } from '../master/master';
import { GroupManager } from '../orchestrator/group-manager';
import { Orchestrator } from '../orchestrator/orchestrator';
import { clusterStatus } from './cluster-status';
import { etcdOptions } from './etcd-options';
import { notReady } from './not-ready';
import { newPlatform, readToken, untilStopped, type Platform } from './platform';
import { tellBuild, tellCertificate } from './process-metrics';
import { RestoredStore } from './restored-store';

/** Parts of a server that live as long as the process. */
interface ServerParts {
  readonly options: ServerOptions;
  readonly platform: Platform;
  readonly auth: TokenAuth;
  readonly connection: EtcdConnection;
  readonly maintenance: EtcdMaintenance;
  readonly records: MirrorRecords;
  readonly restored: RestoredStore;
  readonly election: EtcdElection;
  readonly apps: GroupManager;
  /** Of people and tools: event streams, watches. */
  readonly streams: StreamRegistry;
  /** Of agents: thousands of watchers must not keep agents out. */
  readonly agentStreams: StreamRegistry;
  readonly self: LeaderInfo;
  /** The master of the term that this server holds, if it does. */
  readonly leading: { master: Master | undefined };
}

/** `berth server`: runs until SIGTERM or SIGINT. Rejects when a port cannot be had; everything else is waited for. */
export async function runServer(options: ServerOptions): Promise<void> {
  const token = readToken(options.auth);
  const platform = newPlatform(options.logLevel, token, options.cluster);
  const { log } = platform;
  const seen = new SeenRevision(new CheckpointFolder(join(options.dataDir, 'seen')), platform.clock, log);
  const parts = build(options, platform, token, await seen.load());
  const stop = untilStopped(log);
  announce(parts);
  // What this server knows is void: no decision that rests on it may be carried out. Others, and this one again, start anew.
  parts.records.onRewind(() => parts.election.abdicate());
  parts.restored.watch(stop);

  const listening = await openFaces(parts, token);
  log.info('server is up', {
    version: platform.version,
    marathon: parts.self.marathonAddress,
    mesos: parts.self.mesosAddress,
    kubernetes: `${options.advertiseAddress}:${options.kubePort}`,
    etcd: options.etcdEndpoints.join(','),
  });
  const mirrored = parts.records.start(stop);
  void mirrored.then(() => {
    if (!stop.aborted) log.info('mirror is complete', { revision: parts.records.revision() });
  });
  const keeping = mirrored.then(() => seen.keep(() => (parts.restored.isNoted ? parts.records.revision() : 0), stop));
  await parts.election.run((term) => lead(parts, term), stop);
  parts.streams.closeAll();
  parts.agentStreams.closeAll();
  await Promise.all(listening.map((face) => face.close()));
  await Promise.all([parts.records.stopped(), keeping]);
  parts.connection.close();
  log.info('server has stopped');
}

function build(
  options: ServerOptions,
  platform: Platform,
  token: string | undefined,
  seenRevision: number,
): ServerParts {
  const { clock, random, ids, log, metrics, crashPoints } = platform;
  const connection = new EtcdConnection(etcdOptions(options), random);
  const store = new EtcdStore(connection, clock, metrics);
  const records = new MirrorRecords(store, clock, log, metrics, { seenRevision });
  const self: LeaderInfo = {
    id: randomUUID(),
    hostname: options.hostname,
    marathonAddress: `${options.advertiseAddress}:${options.marathonPort}`,
    mesosAddress: `${options.advertiseAddress}:${options.mesosPort}`,
    version: platform.version,
  };
  return {
    options,
    platform,
    auth: new TokenAuth(token),
    connection,
    maintenance: new EtcdMaintenance(connection),
    records,
    restored: new RestoredStore(store, records, clock, log, options.agentReregisterTimeoutMs),
    election: new EtcdElection(connection, store, self, clock, log, { ttlMs: options.leaderTtlMs }),
    apps: new GroupManager(records, clock, ids, log, {
      servicePorts: { min: options.localPortMin, max: options.localPortMax },
      crashPoints,
    }),
    streams: new StreamRegistry(clock, log),
    agentStreams: new StreamRegistry(clock, log, LIMITS.agentStreams),
    self,
    leading: { master: undefined },
  };
}

/** One term: master and orchestrator on a mirror that is complete as of now, both gone when the term is over. */
async function lead(parts: ServerParts, term: Term): Promise<void> {
  const { records, platform, options, leading } = parts;
  const { clock, random, ids, metrics, crashPoints } = platform;
  termsOf(metrics).inc();
  const log = platform.log.child({ term: term.fence.createRevision });
  await records.sync();
  const shared = { records, fence: term.fence, signal: term.signal, clock, random, ids, log, metrics, crashPoints };
  const events = new StoredEventRecorder(records, clock, ids, log, 'master');
  const wentBack = await parts.restored.why();
  const onSettled = () => void parts.restored.settled(term.fence);
  const master = new Master(
    { ...shared, term, events, onSettled },
    {
      awaitAgents: wentBack !== undefined,
      pingIntervalMs: options.agentPingTimeoutMs,
      maxMissedPings: options.maxAgentPingTimeouts,
      reregisterTimeoutMs: options.agentReregisterTimeoutMs,
      offerTimeoutMs: options.offerTimeoutMs,
    },
  );
  const orchestrator = new Orchestrator(
    { ...shared, driver: master, agentsAreBack: () => master.agentsAreBack() },
    { hostname: options.hostname, taskLaunchTimeoutMs: options.taskLaunchTimeoutMs },
  );
  const compactor = new Compactor(parts.maintenance, clock, log, metrics);
  try {
    master.start();
    leading.master = master;
    if (wentBack !== undefined) tellStoreWentBack(log, events, wentBack);
    await orchestrator.start();
    await compactor.run(term.signal);
  } finally {
    leading.master = undefined;
    await orchestrator.stop();
    master.stop();
    events.close();
  }
}

function tellStoreWentBack(log: Logger, events: StoredEventRecorder, why: string): void {
  const message = `Records may be older than what runs: ${why}. Running tasks are kept; nothing is started until the agents have told what they run`;
  log.warn('the records may be older than what runs', { why });
  events.record({
    involvedObject: { kind: 'Master', name: 'master' },
    type: 'Warning',
    reason: 'StoreWentBack',
    message,
  });
}

async function openFaces(parts: ServerParts, token: string | undefined): Promise<readonly Listening[]> {
  const { options, platform } = parts;
  const { listen: host, dataDir, advertiseAddress, hostname } = options;
  const pki = await ensurePki(join(dataDir, 'pki'), [host, hostname, advertiseAddress], platform.clock.nowMs());
  const tls = options.tls === undefined ? {} : { tls: pemOf(options.tls) };
  tellCertificate(platform.metrics, 'kubernetes', pki.cert);
  if (tls.tls !== undefined) tellCertificate(platform.metrics, 'http', tls.tls.cert);
  const faces = [
    { app: marathonApp(parts), port: options.marathonPort, ...tls },
    { app: mesosApp(parts), port: options.mesosPort, ...tls },
    { app: kubeApp(parts), port: options.kubePort, tls: { key: pki.key, cert: pki.cert } },
  ];
  const open: Listening[] = [];
  try {
    for (const { app, ...where } of faces) open.push(await listen(app, { host, ...where }));
  } catch (error) {
    await Promise.all(open.map((face) => face.close(0)));
    throw error;
  }
  await writeKubeconfig(options.kubeconfig, {
    server: `https://${advertiseAddress}:${options.kubePort}`,
    ca: pki.ca,
    name: options.cluster,
    // Without credentials kubectl asks for a user name; on loopback any token will do.
    token: token ?? 'none-needed-on-loopback',
  });
  return open;
}

function pemOf(files: { readonly certFile: string; readonly keyFile: string }): { key: string; cert: string } {
  return { key: readFileSync(files.keyFile, 'utf8'), cert: readFileSync(files.certFile, 'utf8') };
}

function marathonApp(parts: ServerParts): Express {
  const { options, platform, records, election, apps, streams, self, auth } = parts;
  const { clock, log, metrics } = platform;
  const scheme = options.tls === undefined ? 'http' : 'https';
  const app = application();
  app.use(accessLog('marathon', clock, metrics, log));
  app.use(auth.middleware());
  app.use(healthRouter({ ready: () => readiness(parts), metrics: () => platform.metrics.render() }));
  app.use(limitConcurrency());
  app.use(notReady(records, (response, message) => void response.json({ message })));
  app.get('/v1/status', (_request, response) => void response.json(statusOf(parts)));
  app.use(
    marathonRouter({
      records,
      apps,
      election,
      clock,
      log,
      streams,
      info: {
        version: platform.version,
        self: self.marathonAddress,
        scheme,
        frameworkId: () => Orchestrator.frameworkId,
        storeEndpoints: options.etcdEndpoints,
        localPortMin: options.localPortMin,
        localPortMax: options.localPortMax,
        hostname: options.hostname,
        mesosUrl: () => {
          const leader = election.leader();
          return leader === undefined ? undefined : `${scheme}://${leader.mesosAddress}`;
        },
      },
    }),
  );
  app.use(uriNotFound);
  app.use(marathonErrors(log));
  return app;
}

function mesosApp(parts: ServerParts): Express {
  const { platform, records, election, auth, leading, self, agentStreams } = parts;
  const { clock, ids, log, metrics } = platform;
  const app = application();
  app.use(accessLog('mesos', clock, metrics, log));
  app.use(auth.middleware(undefined, ['/healthz', '/readyz', '/health']));
  app.use(healthRouter({ ready: () => readiness(parts), metrics: () => platform.metrics.render() }));
  app.use(notReady(records, (response, message) => void response.type('text/plain').send(message)));
  app.use(
    mesosRouter({
      election,
      currentMaster: () => leading.master,
      selfId: self.id,
      streams: agentStreams,
      ids,
      log,
      version: platform.version,
    }),
  );
  return app;
}

function kubeApp(parts: ServerParts): Express {
  const { platform, records, apps, streams, auth } = parts;
  const { clock, ids, random, log, metrics, version } = platform;
  const app = application();
  app.use(accessLog('kubernetes', clock, metrics, log));
  app.use(
    notReady(records, (response, message) => {
      response.json({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message,
        reason: 'ServiceUnavailable',
        code: 503,
      });
    }),
  );
  const authenticate = (request: { readonly headers: { readonly authorization?: string | undefined } }) =>
    auth.allows(request.headers.authorization);
  app.use(kubeRouter({ records, apps, clock, ids, random, log, streams, version, authenticate }));
  return app;
}

function statusOf(parts: ServerParts): ReturnType<typeof clusterStatus> {
  const { records, election, options, platform } = parts;
  return clusterStatus(records, {
    version: platform.version,
    cluster: options.cluster,
    leader: election.leader(),
    etcdEndpoints: options.etcdEndpoints,
    auth: options.auth.kind === 'loopback' ? 'none-loopback' : options.auth.kind,
    rewinds: records.rewinds(),
    etcdMessage: etcdText(records),
  });
}

function readiness({ records, election }: ServerParts): ReadyCheck[] {
  const leader = election.leader();
  const rewind = records.rewinds().at(-1);
  return [
    {
      name: 'mirror',
      ok: records.revision() > 0,
      message: records.revision() > 0 ? 'complete' : 'waits for the first list from etcd',
    },
    {
      name: 'etcd',
      ok: records.isFresh(),
      message: etcdText(records),
    },
    {
      name: 'leader',
      ok: leader !== undefined,
      message: leader === undefined ? 'nobody leads' : leader.marathonAddress,
    },
    ...(rewind === undefined
      ? []
      : [{ name: 'history', ok: records.isFresh(), message: rewindText(rewind, records.isFresh()) }]),
  ];
}

function etcdText(records: MirrorRecords): string {
  if (!records.isFresh()) return 'does not answer; what is read may be stale';
  const refusal = records.refusesWrites();
  return refusal === undefined ? 'answers' : `answers, but takes no writes: ${refusal}`;
}

function rewindText({ atMs, from, to }: Rewind, isTakenIn: boolean): string {
  const now = isTakenIn ? 'its records were taken in' : 'its records are being read anew';
  return `the store went back from revision ${from} to ${to} at ${timestamp(atMs)}; ${now}`;
}

/** What whoever watches this server should know from the start. */
function announce({ options, platform, election }: ServerParts): void {
  const { log, metrics, version } = platform;
  tellBuild(metrics, 'server', version);
  const leads = metrics.gauge({ name: 'berth_leader', help: '1 on the server that leads.' });
  termsOf(metrics).inc({}, 0); // a rise from nothing is no rise to Prometheus
  metrics.onCollect(() => leads.set(election.isLeader() ? 1 : 0));
  const insecure = options.auth.kind === 'insecure';
  metrics
    .gauge({ name: 'berth_insecure_no_auth', help: '1 when anybody who reaches the ports may do anything.' })
    .set(insecure ? 1 : 0);
  if (insecure)
    log.warn('no authentication: anybody who can reach the ports can do anything', { listen: options.listen });
  election.onChange((leader) => logLeader(log, leader));
}

function termsOf(metrics: Metrics): Counter {
  return metrics.counter({ name: 'berth_leader_terms_total', help: 'How often this server has become the leader.' });
}

function logLeader(log: Logger, leader: LeaderInfo | undefined): void {
  if (leader === undefined) log.warn('nobody leads');
  else log.info('leader is known', { leader: leader.marathonAddress, leaderId: leader.id });
}

/** The one line for whoever started a process that could not start. */
export function startFailure(error: unknown): string {
  return `berth: cannot start: ${messageOf(error)}\n`;
}
