import { NotFoundError } from '../../core/errors';
import type { Records } from '../../core/ports/records';
import { appIdOf, appPath } from '../../core/records/paths';
import type { GroupEmbed } from './embeds';
import { isBelow, parentId } from './ids';

/** One app in a tree of groups, by whatever form it is shown in. */
export interface GroupApp {
  readonly id: string;
  readonly version: string;
  readonly view: Record<string, unknown>;
}

interface Node {
  readonly id: string;
  readonly apps: GroupApp[];
  readonly children: Map<string, Node>;
}

/** Whether something is in the group, or a record says that it exists. The root always does. */
export function groupExists(records: Records, id: string): boolean {
  if (id === '/' || records.collection('Group').get(appPath(id)) !== undefined) return true;
  const prefix = `${id}/`;
  for (const { record } of records.collection('App').list())
    if (record.metadata.deletionTimestamp === undefined && record.spec.id.startsWith(prefix)) return true;
  for (const { path } of records.collection('Group').list()) if (appIdOf(path).startsWith(prefix)) return true;
  return false;
}

export function mustBeGroup(records: Records, id: string): void {
  if (!groupExists(records, id)) throw new NotFoundError('Group', id);
}

/** Marathon's Group: the tree below `id` made of `apps` and of the groups that have records. */
export function groupView(
  records: Records,
  id: string,
  apps: readonly GroupApp[],
  embeds: ReadonlySet<GroupEmbed>,
): Record<string, unknown> {
  const root: Node = { id, apps: [], children: new Map() };
  for (const { path } of records.collection('Group').list()) {
    const groupId = appIdOf(path);
    if (isBelow(groupId, id)) nodeAt(root, groupId);
  }
  for (const app of apps) nodeAt(root, parentId(app.id)).apps.push(app);
  return render(records, root, embeds);
}

/** The node of a group below (or at) the root node; made with its parents if it is not there. */
function nodeAt(root: Node, id: string): Node {
  if (id === root.id) return root;
  const parent = nodeAt(root, parentId(id));
  const existing = parent.children.get(id);
  if (existing !== undefined) return existing;
  const node: Node = { id, apps: [], children: new Map() };
  parent.children.set(id, node);
  return node;
}

const NEVER_CHANGED = '1970-01-01T00:00:00.000Z';

function render(records: Records, node: Node, embeds: ReadonlySet<GroupEmbed>): Record<string, unknown> {
  const record = node.id === '/' ? undefined : records.collection('Group').get(appPath(node.id))?.record;
  const groups = [...node.children.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    id: node.id,
    dependencies: record?.spec.dependencies ?? [],
    version: newestVersion(node),
    enforceRole: record?.spec.enforceRole ?? false,
    ...(embeds.has('apps') ? { apps: node.apps.map(({ view }) => view) } : {}),
    ...(embeds.has('groups') ? { groups: groups.map((child) => render(records, child, embeds)) } : {}),
    ...(embeds.has('pods') ? { pods: [] } : {}),
  };
}

/** When something in the group was changed last. */
function newestVersion(node: Node): string {
  const versions = [...node.apps.map(({ version }) => version), ...[...node.children.values()].map(newestVersion)];
  return versions.reduce((newest, version) => (version > newest ? version : newest), NEVER_CHANGED);
}
