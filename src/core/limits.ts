/**
 * Every bound of the system in one place: name with unit, value, reason. Components take the figure from here (or as a
 * constructor parameter whose default is from here) so that `grep LIMITS` shows where each is enforced.
 */
export const LIMITS = {
  /** Writes in one commit. etcd refuses transactions of more than 128 operations by default. */
  commitWrites: 120,
  /** Bytes of one record. etcd refuses requests over 1.5 MiB; ZooKeeper users are used to 1 MiB. */
  recordBytes: 1_000_000,
  /** Entries of one page of a list: 869-byte records make about 1 MB, well under gRPC's 4 MB. */
  listPageEntries: 1_000,
  /** Bytes of one gRPC message we accept: a page of the largest records. */
  grpcReceiveBytes: 64 * 1024 * 1024,
  /** Commits waiting for group commit; above it, writers get UnavailableError. */
  queuedCommits: 20_000,
  /** Group commits in flight: 16 reach 85-90 % of etcd's peak, more only adds latency. */
  commitsInFlight: 16,
  /** Milliseconds until a unary etcd call is given up. */
  storeCallMs: 5_000,
  /** Changes kept in memory so that watches can resume. */
  changeHistory: 20_000,
  /** Revisions kept in etcd before compaction, in milliseconds of age. */
  compactAfterMs: 300_000,
  /** Bytes of one request body of an API. */
  requestBytes: 5 * 1024 * 1024,
  /** Apps in one change: two records each must fit in one commit with their rollout. */
  appsPerChange: 50,
  /** Running rollouts (Marathon: --max_running_deployments). */
  runningRollouts: 100,
  /** Versions kept per app (Marathon: --zk_max_versions). */
  versionsPerApp: 50,
  /** Events kept in all, and their age in milliseconds. */
  events: 5_000,
  eventAgeMs: 3_600_000,
  /** States kept in a task's history. */
  taskHistory: 10,
  /** Unsent events or bytes after which a slow event-stream client is cut off (Marathon: 1024). */
  streamOutstandingEvents: 1_024,
  /** Open watches and event streams per server. */
  openStreams: 2_000,
  /** Milliseconds between store retries: first and last of a doubling back-off with jitter. */
  retryFirstMs: 100,
  retryLastMs: 5_000,
  /** Decline filter, seconds (Mesos): longest allowed. */
  refuseSecondsMax: 31_536_000,
  /** Milliseconds after which an unanswered offer is taken back. */
  offerTimeoutMs: 30_000,
  /** Share of silent agents above which nobody is replaced (network fault on our side, not theirs). */
  silentAgentsBrake: 0.55,
  /** Kills without a user's write in one pass: more than max(count, share of all instances) stops the pass. */
  unaskedKillsBrake: 3,
  unaskedKillsBrakeShare: 0.1,
  /** Kill requests repeated every so many milliseconds until confirmed (Marathon: 30 s). */
  killRetryMs: 30_000,
  /** Docker calls: milliseconds until one is given up; pulls have their own. */
  dockerCallMs: 60_000,
  dockerPullMs: 900_000,
  /** Milliseconds for Docker's answer to whether it is there: probes that ask for /readyz give up after a few seconds. */
  dockerPingMs: 2_000,
  /** Milliseconds from a stop that Docker says is done until it is asked again, if the container still counts as running. */
  stopAgainMs: 5_000,
  /** Status updates: first and last repeat, milliseconds (Mesos: 10 s doubling to 10 min). */
  updateRetryFirstMs: 10_000,
  updateRetryLastMs: 600_000,
  /** Offers kept per app to explain refusals. */
  unusedOffersPerApp: 5,
  /** Bytes of output kept of an exec (COMMAND health check). */
  execOutputBytes: 16_384,
  /** Milliseconds a client may take to send a request body, and to send its headers. */
  requestBodyMs: 30_000,
  requestHeadersMs: 15_000,
  /** Milliseconds an idle keep-alive connection stays open: longer than the 60 s of common load balancers. */
  keepAliveIdleMs: 65_000,
  /** Milliseconds between looks at the files of certificates: a tool that renews them writes weeks before the end. */
  certificateCheckMs: 10_000,
  /** Milliseconds that requests get to finish when a listener closes; then their connections are cut. */
  closeGraceMs: 1_000,
  /** Requests of one face in hand at once, streams not counted; above it 503 (Marathon: --http_max_concurrent_requests). */
  concurrentRequests: 1_000,
  /** Depth of nested JSON in a request: real ones have less than 10, and reading is recursive. */
  jsonDepth: 64,
  /** Unsent bytes after which a slow stream client is cut off: some large events, not only many small ones. */
  streamOutstandingBytes: 16 * 1024 * 1024,
  /** Milliseconds between keep-alives on an event stream (marathon-lb drops one that is silent for 300 s). */
  streamKeepAliveMs: 10_000,
  /** Calls forwarded to the leader: milliseconds to connect and to answer (Marathon: --leader_proxy_*_timeout). */
  forwardConnectMs: 5_000,
  forwardAnswerMs: 10_000,
  /** Warning headers of one answer, and characters of each: many clients refuse more than 8 KiB of headers. */
  warningHeaders: 16,
  warningCharacters: 240,
  /** Bytes of one commit, keys and values. etcd refuses requests over 1.5 MiB. */
  commitBytes: 1_400_000,
  /** Revisions the memory store keeps for watches and lists of the past; older ones are compacted. */
  memoryRevisions: 50_000,
  /** Different events waiting to be written by one component: a storm is more often one cause than many. */
  pendingEvents: 1_000,
  /** Milliseconds a leader's lease lasts without renewal: the longest gap after a crash. etcd rounds up to seconds, at least 2. */
  leaderLeaseMs: 3_000,
  /** Milliseconds that the lease may last on a store which takes seconds for a write; so long nobody leads after a crash then. */
  slowLeaderLeaseMs: 30_000,
  /** Milliseconds between attempts to become leader while the store is in trouble. */
  campaignRetryMs: 500,
  /** The same log message of a retry loop is written once in so many milliseconds; then the line tells how many were left out. */
  logRepeatMs: 30_000,
  /** Different messages remembered for that. */
  logRepeatMessages: 500,
  /** Milliseconds between two checks of a mirror that the store answers and its watch still delivers. */
  mirrorProbeMs: 2_000,
  /** Milliseconds a mirror waits for its watch to bring what the store has confirmed; then the watch is taken for dead. */
  mirrorLagMs: 5_000,
  /** Milliseconds a Kubernetes watch lasts at least when its client names no time (kube-apiserver: 30 min, up to twice that). */
  watchTimeoutMs: 1_800_000,
  /** Milliseconds between bookmarks of a watch (kube-apiserver: about a minute). */
  watchBookmarkMs: 60_000,
  /** Milliseconds a watcher may take to read one chunk of the first state before it is cut off. */
  watchDrainMs: 30_000,
  /** Times a write without resourceVersion is tried again after it lost a compare-and-swap; status writes make that common. */
  writeAttempts: 10,
  /** Milliseconds between looks at all awaited containers, in case Docker's event stream died silently. One list call each. */
  dockerResyncMs: 30_000,
  /** Bytes of `stdout` or `stderr` in a sandbox before it becomes `stdout.1` and a new file begins. */
  sandboxLogBytes: 100 * 1024 * 1024,
  /** Milliseconds an agent tries to start a task while Docker does not answer (Marathon: --task_launch_timeout). */
  taskLaunchMs: 300_000,
  /** Milliseconds a pull may take before the framework is told what the task waits for. */
  phaseReportMs: 500,
  /** Milliseconds the rest of a task's output may take to reach its sandbox after it has ended. */
  logDrainMs: 5_000,
  /** Containers of ended tasks kept for inspection, the oldest go first; their age is an option of the agent. */
  endedContainers: 100,
  /** Milliseconds between passes that remove old containers and sandboxes. */
  agentGcMs: 60_000,
  /** Updates in one UPDATE call; more go in the next. */
  updatesPerCall: 500,
  /** Updates for tasks an agent does not know (answers to KILL), and ids it remembers to refuse their late launch. */
  unknownTasks: 1_000,
  /** Milliseconds between two measurements of what tasks use, and tasks measured at once. */
  usageAgeMs: 5_000,
  usageParallel: 4,
  /** Bytes of one answer of /files/read (Mesos: 16 pages). */
  fileReadBytes: 64 * 1024,
  /** Keys a controller works on at once: enough to fill group commits, few enough to bound memory. */
  controllerWorkers: 32,
  /** Milliseconds for which kills nobody asked for add up against unaskedKillsBrake. */
  unaskedKillsWindowMs: 60_000,
  /** Milliseconds between two status writes of one app or rollout; the first of a series goes at once. */
  statusWriteMs: 250,
  /** Milliseconds between passes that look at everything: a safety net only, changes are acted upon at once. */
  resyncMs: 60_000,
  /** Milliseconds from launch to running before a task is killed and started elsewhere (Marathon: --task_launch_timeout). */
  taskLaunchTimeoutMs: 300_000,
  /** Seconds for which offers of no use are declined (Marathon: --decline_offer_duration). */
  declineSeconds: 120,
  /** Offers looked at in one pass of the matcher, so that the event loop is not held for long. */
  offersPerPass: 2_000,
  /** Offers held unanswered; the rest is declined at once. */
  pendingOffers: 100_000,
  /** Tasks in one ACCEPT: the master writes them in one commit. */
  launchesPerAccept: 100,
  /** Refusals explained in one pass of the matcher, offers times waiting apps. */
  explanationsPerPass: 20_000,
  /** Agents per waiting app whose last refusal is remembered. */
  refusedAgentsPerApp: 10_000,
  /** Milliseconds between two REVIVE calls after the first of a series. */
  reviveMs: 10,
  /** Group commit: commits and operations in one etcd transaction. More only makes each wait longer. */
  groupedCommits: 64,
  groupedWrites: 128,
  /** Milliseconds between two signs of life asked of an etcd watch, and the silence after which it is given up. */
  watchProbeMs: 1_500,
  watchSilenceMs: 4_000,
  /** Batches of a watch that wait for their reader before the stream is paused. */
  watchBuffer: 1_000,
  /** Milliseconds between attempts to connect to an etcd member: first and last. */
  reconnectFirstMs: 100,
  reconnectLastMs: 500,
  /** Milliseconds for which a read is repeated while no etcd member can be reached: two attempts to connect. */
  readRepeatMs: 1_000,
  /** Bytes of etcd's database at which it refuses writes: its default quota. etcd does not tell, so it can be set by flag. */
  etcdQuotaBytes: 2 * 1024 * 1024 * 1024,
  /** Milliseconds for one call of an agent to the master. */
  agentCallMs: 10_000,
  /** Bytes kept of the answer to a probe. */
  probeBodyBytes: 4_096,
  /** Commits of tasks that the master has under way: the store groups them; more only adds latency. */
  masterCommitsInFlight: 8,
  /** Task records waiting to be written; above it ACCEPT is refused until the store keeps up. About five seconds of full speed. */
  pendingMasterWrites: 100_000,
  /** Bytes of one call of an agent: a re-registration names every task it has, a few KB each. */
  agentCallBytes: 64 * 1024 * 1024,
  /** Events and bytes on their way to one agent before it is cut off: a burst of launches, and it comes back for the rest. */
  agentOutstandingEvents: 20_000,
  agentOutstandingBytes: 64 * 1024 * 1024,
  /** Agents connected to one leader. */
  agentStreams: 20_000,
  /** Instances of an app per millisecond of pause between two passes over it: 1,000 instances are looked at every 20 ms. */
  instancesPerPauseMs: 50,
  /** Milliseconds after which a write that was given up no longer takes effect: etcd's own request time-out is 7 s at most. */
  lateWriteMs: 60_000,
  /** Times the store went back that a server remembers, for its status page. */
  storeRewinds: 10,
  /**
   * Milliseconds that a master offers nothing after the store went back, even when every agent on record is there: agents that
   * are on no record must have had the time to come (they ask again every `retryLastMs` at the latest) and to say what they run.
   */
  restoredSettleMs: 10_000,
  /** Tasks without app or framework that the status page names. */
  orphansListed: 1_000,
  /** Milliseconds the engine gets to tell how a late command is: an engine that hangs is no fault of the task. */
  execLookMs: 2_000,
  /** Milliseconds between looks at a surplus that nobody asked to stop while agents are still on their way to a new leader. */
  agentsBackMs: 1_000,
  /** Milliseconds after which what is left of a start that was given up is removed once more: a hanging engine creates it late. */
  lateEngineMs: 30_000,
  /** Milliseconds between notes of how far the store has gone: what was lost in a restore is usually much more. */
  seenRevisionMs: 2_000,
  /** Milliseconds for a server to say who leads, when an agent's own leader is silent: long enough for a busy one. */
  whoLeadsMs: 1_000,
} as const;
