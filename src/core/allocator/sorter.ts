import { addTo, takeFrom, type Quantities } from './quantities';

/** Totals of all agents, shared by every sorter. `version` rises with each change, which makes all shares stale. */
export interface Totals {
  readonly quantities: Quantities;
  version: number;
}

class Node<T> {
  children: Node<T>[] = [];
  allocation: Quantities = [0, 0, 0, 0];
  count = 0;
  share = 0;
  active = false;

  constructor(
    readonly name: string,
    readonly path: string,
    public parent: Node<T> | undefined,
    /** Absent: an inner node. */
    public client: { readonly value: T } | undefined,
  ) {}
}

/** Name of the leaf that stands for a client which has children of its own (Mesos: virtual leaf). */
const VIRTUAL = '.';

/**
 * Dominant resource fairness over a tree of paths (Mesos: DRFSorter). Siblings are ordered by (share, past allocations, path),
 * where share = max over resources of allocated in the subtree / total of all agents, divided by the weight of the path.
 * Changing one client costs its siblings; only a change of totals costs all.
 */
export class Sorter<T> {
  private readonly root = new Node<T>('', '', undefined, undefined);
  private readonly clients = new Map<string, Node<T>>();
  private seenVersion = -1;
  private order: readonly T[] | undefined;

  constructor(
    private readonly totals: Totals,
    private readonly weightOf: (path: string) => number = () => 1,
    /** Columns that do not count for shares (Mesos: fair_sharing_excluded_resource_names). */
    private readonly excluded: ReadonlySet<number> = new Set(),
  ) {}

  get size(): number {
    return this.clients.size;
  }

  has(path: string): boolean {
    return this.clients.has(path);
  }

  /** Inactive clients keep their share and place, but no walk visits them. */
  setActive(path: string, active: boolean): void {
    const leaf = this.clients.get(path);
    if (leaf !== undefined) leaf.active = active;
    this.order = undefined;
  }

  /** Adds an inactive client. It must not exist. */
  add(path: string, value: T): void {
    let node = this.root;
    const names = path.split('/');
    for (const [depth, name] of names.entries()) {
      if (node.client !== undefined) this.makeInner(node);
      const present = node.children.find((child) => child.name === name);
      node = present ?? this.newChild(node, name, names.slice(0, depth + 1).join('/'));
    }
    const isNew = node.children.length === 0 && node.client === undefined;
    const leaf = isNew ? node : this.newChild(node, VIRTUAL, `${path}/${VIRTUAL}`);
    leaf.client = { value };
    this.clients.set(path, leaf);
  }

  /** Removes a client; what it has allocated is taken from its ancestors. */
  remove(path: string): void {
    const leaf = this.clients.get(path);
    if (leaf === undefined) return;
    this.clients.delete(path);
    for (let node = leaf.parent; node !== undefined; node = node.parent) takeFrom(node.allocation, leaf.allocation);
    let node: Node<T> | undefined = leaf;
    while (node !== undefined && node.parent !== undefined && node.children.length === 0) {
      const parent: Node<T> = node.parent;
      const gone: Node<T> = node;
      parent.children = parent.children.filter((child) => child !== gone);
      node = parent;
    }
    if (node !== undefined) this.collapse(node);
    this.seenVersion = -1;
  }

  /** Counts as one allocation: +1 for the client and each ancestor. */
  allocated(path: string, quantities: Quantities): void {
    for (let node = this.clients.get(path); node !== undefined; node = node.parent) {
      addTo(node.allocation, quantities);
      node.count += 1;
      this.refresh(node);
    }
  }

  unallocated(path: string, quantities: Quantities): void {
    for (let node = this.clients.get(path); node !== undefined; node = node.parent) {
      takeFrom(node.allocation, quantities);
      this.refresh(node);
    }
  }

  allocationOf(path: string): Quantities {
    return [...(this.clients.get(path)?.allocation ?? [])];
  }

  /** Dominant share divided by weight, as the order sees it. */
  shareOf(path: string): number {
    const leaf = this.clients.get(path);
    return leaf === undefined ? 0 : this.computeShare(leaf);
  }

  /** Weights have changed: everything is ordered anew at the next walk. */
  weightsChanged(): void {
    this.seenVersion = -1;
  }

  /** Visits active clients in order, until `visit` returns true. `visit` must not change anything here. */
  walk(visit: (value: T) => boolean): boolean {
    if (this.seenVersion !== this.totals.version) this.sortAll();
    return walkNode(this.root, visit);
  }

  /** The active clients in order, as a list that later changes leave alone. Asking again without a change is free. */
  sorted(): readonly T[] {
    if (this.order !== undefined && this.seenVersion === this.totals.version) return this.order;
    const values: T[] = [];
    this.walk((value) => {
      values.push(value);
      return false;
    });
    this.order = values;
    return values;
  }

  /** A client that gets children becomes an inner node; a virtual leaf carries its own part from now on. */
  private makeInner(node: Node<T>): void {
    const leaf = new Node<T>(VIRTUAL, `${node.path}/${VIRTUAL}`, node, node.client);
    leaf.allocation = [...node.allocation];
    leaf.count = node.count;
    leaf.active = node.active;
    node.client = undefined;
    node.active = false;
    node.children = [leaf];
    this.clients.set(node.path, leaf);
    this.seenVersion = -1;
  }

  /** The inverse: an inner node with nothing but its virtual leaf is a client again. */
  private collapse(node: Node<T>): void {
    const only = node.children[0];
    if (node.parent === undefined || node.children.length !== 1 || only?.name !== VIRTUAL) return;
    node.client = only.client;
    node.active = only.active;
    node.count = only.count;
    node.children = [];
    this.clients.set(node.path, node);
  }

  private newChild(parent: Node<T>, name: string, path: string): Node<T> {
    const child = new Node<T>(name, path, parent, undefined);
    parent.children = [...parent.children, child];
    this.seenVersion = -1;
    return child;
  }

  private computeShare(node: Node<T>): number {
    const { quantities } = this.totals;
    let share = 0;
    for (let i = 0; i < node.allocation.length; i++) {
      const total = quantities[i] ?? 0;
      if (total > 0 && !this.excluded.has(i)) share = Math.max(share, (node.allocation[i] ?? 0) / total);
    }
    return share / this.weightOf(node.path);
  }

  private sortAll(): void {
    this.order = undefined;
    this.sortBelow(this.root);
    this.seenVersion = this.totals.version;
  }

  private sortBelow(node: Node<T>): void {
    for (const child of node.children) {
      child.share = this.computeShare(child);
      if (child.children.length > 0) this.sortBelow(child);
    }
    node.children = [...node.children].sort(compare);
  }

  /** Brings one node to its place among its siblings. */
  private refresh(node: Node<T>): void {
    const { parent } = node;
    if (parent === undefined || this.seenVersion !== this.totals.version) return;
    node.share = this.computeShare(node);
    if (parent.children.length > 1) moveToPlace(parent.children, node);
    this.order = undefined;
  }
}

function compare(a: Node<unknown>, b: Node<unknown>): number {
  if (a.share !== b.share) return a.share - b.share;
  if (a.count !== b.count) return a.count - b.count;
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** Brings `node`, whose key has changed, to its place among its sorted siblings. */
function moveToPlace<T>(siblings: Node<T>[], node: Node<T>): void {
  const from = siblings.indexOf(node);
  const before = siblings[from - 1];
  const after = siblings[from + 1];
  if ((before === undefined || compare(before, node) < 0) && (after === undefined || compare(node, after) < 0)) return;
  siblings.splice(from, 1);
  let low = 0;
  let high = siblings.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = siblings[middle];
    if (other !== undefined && compare(other, node) < 0) low = middle + 1;
    else high = middle;
  }
  siblings.splice(low, 0, node);
}

function walkNode<T>(node: Node<T>, visit: (value: T) => boolean): boolean {
  for (const child of node.children) {
    if (child.client !== undefined) {
      if (child.active && visit(child.client.value)) return true;
    } else if (walkNode(child, visit)) return true;
  }
  return false;
}
