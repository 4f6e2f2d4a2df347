/**
 * Which app waits for which. A dependency may name an app or a group: a group stands for every app below it.
 * Dependencies that exist nowhere are ignored, as Marathon does with those that are removed later.
 */
export class DependencyGraph {
  private readonly targets = new Map<string, readonly string[]>();
  private readonly depths = new Map<string, number>();

  /** @param apps every app there will be, with its (absolute) dependencies, those of its groups included */
  constructor(private readonly apps: ReadonlyMap<string, readonly string[]>) {}

  /** The apps that `id` waits for directly. */
  private dependenciesOf(id: string): readonly string[] {
    const known = this.targets.get(id);
    if (known !== undefined) return known;
    const found = new Set<string>();
    for (const dependency of this.apps.get(id) ?? []) {
      if (this.apps.has(dependency)) found.add(dependency);
      else for (const app of this.apps.keys()) if (app.startsWith(`${dependency}/`) && app !== id) found.add(app);
    }
    const targets = [...found];
    this.targets.set(id, targets);
    return targets;
  }

  /**
   * 0 without dependencies, else one more than the deepest of them; undefined: a cycle is among them. Walks with its own
   * stack, so that a long chain cannot overflow the engine's.
   */
  depthOf(id: string): number | undefined {
    const path: { readonly id: string; next: number; depth: number }[] = [{ id, next: 0, depth: 0 }];
    const onPath = new Set([id]);
    while (path.length > 0) {
      const top = path[path.length - 1];
      if (top === undefined) break;
      const dependency = this.dependenciesOf(top.id)[top.next];
      if (dependency === undefined) {
        this.depths.set(top.id, top.depth);
        onPath.delete(top.id);
        path.pop();
        const parent = path[path.length - 1];
        if (parent !== undefined) parent.depth = Math.max(parent.depth, top.depth + 1);
        continue;
      }
      top.next++;
      const known = this.depths.get(dependency);
      if (known !== undefined) top.depth = Math.max(top.depth, known + 1);
      else if (onPath.has(dependency)) return undefined;
      else {
        onPath.add(dependency);
        path.push({ id: dependency, next: 0, depth: 0 });
      }
    }
    return this.depths.get(id);
  }
}
