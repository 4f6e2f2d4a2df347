import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { TokenAuth } from '../api/http/auth';
import { StreamRegistry } from '../api/http/event-stream';
import type { ServerOptions } from '../cli/options';
import { messageOf } from '../core/errors';
import { LIMITS } from '../core/limits';
import type { LeaderInfo, Term } from '../core/ports/election';
import type { Logger } from '../core/ports/logger';
import type { Counter, Metrics } from '../core/ports/metrics';
import { StoredEventRecorder } from '../core/records/event-recorder';
import { Compactor } from '../io/etcd/compactor';
import { EtcdConnection } from '../io/etcd/connection';
import { EtcdElection } from '../io/etcd/election';
import { EtcdMaintenance } from '../io/etcd/maintenance';
import { EtcdStore } from '../io/etcd/store';
import { CheckpointFolder } from '../io/files/checkpoint-folder';
import { MirrorRecords } from '../io/mirror/records';
import { SeenRevision } from '../io/mirror/seen-revision';
import { Master } from '../master/master';
import { GroupManager } from '../orchestrator/group-manager';
import { Orchestrator } from '../orchestrator/orchestrator';
import { keepCertificates } from './certificates';
import { etcdOptions } from './etcd-options';
import { openFaces } from './faces';
import { newPlatform, readToken, untilStopped, type Platform } from './platform';
import { tellBuild, tellCertificate } from './process-metrics';
import { RestoredStore } from './restored-store';
import type { ServerParts } from './server-parts';

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

  const { listening, certificates } = await openFaces(parts, token);
  const renewing = keepCertificates(certificates, platform, stop);
  log.info('server is up', {
    version: platform.version,
    marathon: parts.self.marathonAddress,
    mesos: parts.self.mesosAddress,
    kubernetes: `${options.advertiseAddress}:${options.kubePort}`,
    etcd: options.etcdEndpoints.join(','),
  });
  // The mirror lives longer than the ports: a request in hand waits for it.
  const closed = new AbortController();
  const mirrored = parts.records.start(closed.signal);
  void mirrored.then(() => {
    if (!stop.aborted) log.info('mirror is complete', { revision: parts.records.revision() });
  });
  const keeping = mirrored.then(() => seen.keep(() => (parts.restored.isNoted ? parts.records.revision() : 0), stop));
  await parts.election.run((term) => lead(parts, term), stop);
  parts.streams.closeAll();
  parts.agentStreams.closeAll();
  const cutOff = await Promise.all(listening.map((face) => face.close()));
  closed.abort();
  if (cutOff.some((count) => count > 0)) log.warn('requests were cut off without an answer', { counts: cutOff });
  await Promise.all([parts.records.stopped(), keeping, renewing]);
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
  const etcd = etcdOptions(options);
  // Read once: the connection keeps the pair that it was opened with.
  if (etcd.tls?.cert !== undefined) tellCertificate(metrics, 'etcd', etcd.tls.cert.toString());
  const connection = new EtcdConnection(etcd, random);
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
