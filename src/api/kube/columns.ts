import type { AppSpec } from '../../core/records/app';
import type { Records } from '../../core/ports/records';
import type { Resource as MesosResource } from '../../core/records/mesos';
import type { Kind, RecordOf } from '../../core/records/records';
import { countsOf, healthOf, instancesOf } from '../../core/lifecycle/views';
import { age } from './age';
import { objectAt } from './json';
import type { Item } from './source';

/** What a cell may need beside the object. */
export interface CellContext {
  readonly records: Records;
  readonly nowMs: number;
}

export type Cell = string | number;

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number';
  readonly description: string;
  /** 0: always; 1: only with `-o wide`. */
  readonly priority: 0 | 1;
  readonly cell: (item: Item, context: CellContext) => Cell;
}

const NONE = '<none>';

/** A column over the record of one kind; other objects (there are none) show as `<none>`. */
function of<K extends Kind>(
  kind: K,
  name: string,
  description: string,
  cell: (record: RecordOf[K], context: CellContext) => Cell | undefined,
  extras: { readonly type?: Column['type']; readonly wide?: boolean } = {},
): Column {
  return {
    name,
    description,
    type: extras.type ?? 'string',
    priority: extras.wide === true ? 1 : 0,
    cell: ({ stored }, context) => (isKind(kind, stored?.record) ? (cell(stored.record, context) ?? NONE) : NONE),
  };
}

function isKind<K extends Kind>(kind: K, record: RecordOf[Kind] | undefined): record is RecordOf[K] {
  return record?.kind === kind;
}

const NAME: Column = {
  name: 'Name',
  type: 'string',
  description: 'Name of the object, unique within its kind and namespace.',
  priority: 0,
  cell: ({ name }) => name.name,
};

const AGE: Column = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was made.',
  priority: 0,
  cell: ({ object }, { nowMs }) => age(object.metadata['creationTimestamp'], nowMs),
};

const wide = { wide: true } as const;
const integer = { type: 'integer' } as const;

function image(spec: AppSpec): string {
  return spec.container?.docker?.image ?? NONE;
}

/** Counts by the orchestrator; before it has looked at a new app, counted here. */
function counts(app: RecordOf['App'], records: Records) {
  const { tasksRunning, tasksHealthy } = app.status ?? {};
  if (tasksRunning !== undefined && tasksHealthy !== undefined) return { tasksRunning, tasksHealthy };
  return countsOf(instancesOf(records, app.spec.id));
}

const APP_COLUMNS: readonly Column[] = [
  of('App', 'Instances', 'Instances wanted.', (app) => app.spec.instances, integer),
  of('App', 'Running', 'Tasks that run.', (app, { records }) => counts(app, records).tasksRunning, integer),
  of('App', 'Healthy', 'Tasks whose health checks all pass; - without health checks.', (app, { records }) =>
    app.spec.healthChecks.length === 0 ? '-' : counts(app, records).tasksHealthy,
  ),
  of('App', 'Image', 'Container image.', (app) => image(app.spec)),
  AGE,
  of('App', 'Cpus', 'Cpus of one instance.', (app) => app.spec.cpus, { type: 'number', wide: true }),
  of('App', 'Mem', 'Memory of one instance, MiB.', (app) => app.spec.mem, { type: 'number', wide: true }),
  of('App', 'Id', 'Marathon id.', (app) => app.spec.id, wide),
  of('App', 'Version', 'Version of the definition.', (app) => app.spec.version, wide),
  of('App', 'Waiting', 'Why instances wait for a place.', (app) => app.status?.launchQueue?.message, wide),
];

const INSTANCE_COLUMNS: readonly Column[] = [
  derived('Condition', 'State of the instance, as Marathon names it.', 'condition'),
  derived('Health', 'healthy, unhealthy or unknown; <none> without health checks.', 'health'),
  derived('Host', 'Host name of the agent it runs on.', 'host'),
  {
    name: 'Ports',
    type: 'string',
    description: 'Ports it has on the host.',
    priority: 0,
    cell: ({ object }) => {
      const ports = objectAt(object, 'status')['hostPorts'];
      return Array.isArray(ports) ? ports.join(',') : NONE;
    },
  },
  AGE,
  of('Instance', 'Goal', 'What it shall be.', ({ spec }) => spec.goal, wide),
  of('Instance', 'Version', 'Version of the app it runs.', ({ spec }) => spec.appVersion, wide),
  of('Instance', 'Run', 'Number of the current run, from 1.', ({ spec }) => spec.incarnation, {
    type: 'integer',
    wide: true,
  }),
  derived('Message', 'The last word of the task.', 'message', 1),
];

/** A column over a derived field of status. */
function derived(name: string, description: string, field: string, priority: 0 | 1 = 0): Column {
  return {
    name,
    type: 'string',
    description,
    priority,
    cell: ({ object }) => {
      const value = objectAt(object, 'status')[field];
      return typeof value === 'string' && value !== '' ? value : NONE;
    },
  };
}

function scalar(resources: readonly MesosResource[], name: string): number {
  const sum = resources
    .filter((resource) => resource.name === name)
    .reduce((total, resource) => total + (resource.scalar?.value ?? 0), 0);
  return Math.round(sum * 1000) / 1000;
}

const AGENT_COLUMNS: readonly Column[] = [
  of('Agent', 'Host', 'Host name.', ({ spec }) => spec.hostname),
  of('Agent', 'State', 'State of the agent; with SchedulingDisabled it gets no new tasks.', ({ spec, status }) =>
    spec.unschedulable === true ? `${status.state},SchedulingDisabled` : status.state,
  ),
  of('Agent', 'Cpus', 'Cpus it offers.', ({ spec }) => scalar(spec.resources, 'cpus'), { type: 'number' }),
  of('Agent', 'Mem', 'Memory it offers, MB.', ({ spec }) => scalar(spec.resources, 'mem'), { type: 'number' }),
  of(
    'Agent',
    'Tasks',
    'Tasks on it.',
    (agent, { records }) => records.collection('Task').in(agent.metadata.name).length,
    integer,
  ),
  AGE,
  of('Agent', 'Version', 'Version of its program.', ({ status }) => status.version, wide),
  of('Agent', 'Zone', 'Fault domain.', ({ spec }) => [spec.region, spec.zone].filter(Boolean).join('/') || NONE, wide),
];

const TASK_COLUMNS: readonly Column[] = [
  of('Task', 'State', 'State of the task, as Mesos names it.', ({ status }) => status.state),
  of('Task', 'Health', 'healthy, unhealthy or unknown.', (task) => (healthOf(task) === 'none' ? NONE : healthOf(task))),
  of('Task', 'Agent', 'Host name of its agent.', (task, { records }) => hostOf(task, records)),
  of('Task', 'Role', 'Role its resources are counted to.', ({ spec }) => spec.role),
  AGE,
  of('Task', 'Framework', 'Framework it belongs to.', ({ spec }) => spec.frameworkId, wide),
  of('Task', 'Cpus', 'Cpus it holds.', ({ spec }) => scalar(spec.info.resources, 'cpus'), wide),
  of('Task', 'Mem', 'Memory it holds, MB.', ({ spec }) => scalar(spec.info.resources, 'mem'), wide),
  of('Task', 'Message', 'Its last word.', ({ status }) => status.latest?.message ?? status.latest?.phase, wide),
];

function hostOf(task: RecordOf['Task'], records: Records): string {
  return records.collection('Agent').get(task.spec.agentId)?.record.spec.hostname ?? task.spec.agentId;
}

const ROLLOUT_COLUMNS: readonly Column[] = [
  of('Rollout', 'State', 'Waiting, Running, Succeeded or Failed.', ({ status }) => status.state),
  of('Rollout', 'Step', 'Step in progress of all.', ({ status, spec }) => `${status.currentStep}/${spec.steps.length}`),
  of('Rollout', 'Apps', 'Apps it changes.', ({ spec }) => spec.apps.map((app) => app.id).join(',')),
  AGE,
  of('Rollout', 'Reason', 'Why it waits or failed.', ({ status }) => status.reason, wide),
];

function eventColumns(): readonly Column[] {
  return [
    {
      name: 'Last Seen',
      type: 'string',
      description: 'Time since it happened last.',
      priority: 0,
      cell: ({ object }, { nowMs }) => age(object['lastTimestamp'], nowMs),
    },
    of('Event', 'Type', 'Normal or Warning.', (event) => event.type),
    of('Event', 'Reason', 'What happened, in one word.', (event) => event.reason),
    of(
      'Event',
      'Object',
      'What it happened to.',
      ({ involvedObject }) => `${involvedObject.kind.toLowerCase()}/${involvedObject.name}`,
    ),
    of('Event', 'Message', 'What happened, and why.', (event) => event.message.trim()),
    of('Event', 'Source', 'Who says so.', (event) => event.source, wide),
    of('Event', 'Count', 'How often.', (event) => event.count, { type: 'integer', wide: true }),
    { ...NAME, priority: 1 },
  ];
}

function quantities(values: Readonly<Record<string, number>> | undefined): string {
  const text = Object.entries(values ?? {}).map(([name, value]) => `${name}:${value}`);
  return text.length === 0 ? NONE : text.join(';');
}

const COLUMNS: Readonly<Record<Kind, readonly Column[]>> = {
  App: [NAME, ...APP_COLUMNS],
  AppVersion: [
    NAME,
    of('AppVersion', 'App', 'Marathon id of the app.', ({ spec }) => spec.id),
    of('AppVersion', 'Version', 'Version of the definition.', ({ spec }) => spec.version),
    of('AppVersion', 'Instances', 'Instances wanted by it.', ({ spec }) => spec.instances, integer),
    of('AppVersion', 'Image', 'Container image.', ({ spec }) => image(spec)),
    AGE,
  ],
  Group: [
    NAME,
    of('Group', 'Id', 'Marathon id.', ({ spec }) => spec.id),
    of('Group', 'Dependencies', 'Groups that must be up first.', ({ spec }) => spec.dependencies.join(',') || NONE),
    AGE,
  ],
  Rollout: [NAME, ...ROLLOUT_COLUMNS],
  Instance: [NAME, ...INSTANCE_COLUMNS],
  Task: [NAME, ...TASK_COLUMNS],
  Agent: [NAME, ...AGENT_COLUMNS],
  Framework: [
    NAME,
    of('Framework', 'Framework', 'Its own name.', ({ spec }) => spec.info.name),
    of('Framework', 'State', 'active, disconnected or completed.', ({ status }) => status.state),
    of('Framework', 'Roles', 'Roles it asks for.', ({ spec }) =>
      (spec.info.roles ?? [spec.info.role ?? '*']).join(','),
    ),
    AGE,
    of('Framework', 'Host', 'Where its scheduler runs.', ({ spec }) => spec.info.hostname, wide),
    of('Framework', 'Principal', 'Who it says it is.', ({ spec }) => spec.info.principal, wide),
  ],
  Role: [
    NAME,
    of('Role', 'Weight', 'Share against other roles.', ({ spec }) => spec.weight, { type: 'number' }),
    of('Role', 'Guarantees', 'Quota: what it can count on.', ({ spec }) => quantities(spec.quota?.guarantees)),
    of('Role', 'Limits', 'Quota: what it cannot exceed.', ({ spec }) => quantities(spec.quota?.limits)),
    AGE,
  ],
  Event: eventColumns(),
};

const NAMESPACE_COLUMNS: readonly Column[] = [
  NAME,
  { ...NAME, name: 'Status', description: 'Always Active.', cell: () => 'Active' },
  AGE,
];

/** The columns of a kind; the first one is the name unless the kind is Event, as in Kubernetes. */
export function columnsOf(kind: string): readonly Column[] {
  return isRecordKind(kind) ? COLUMNS[kind] : NAMESPACE_COLUMNS;
}

function isRecordKind(kind: string): kind is Kind {
  return Object.hasOwn(COLUMNS, kind);
}

/** Cells of one row. */
export function cellsOf(columns: readonly Column[], item: Item, context: CellContext): Cell[] {
  return columns.map((column) => column.cell(item, context));
}
