/** What a client asks to have in an app beside its definition. */
export const APP_EMBEDS = ['tasks', 'counts', 'deployments', 'readiness', 'lastTaskFailure', 'taskStats'] as const;
export type AppEmbed = (typeof APP_EMBEDS)[number];
export type AppEmbeds = ReadonlySet<AppEmbed>;

const GROUP_EMBEDS = ['groups', 'apps', 'pods'] as const;
export type GroupEmbed = (typeof GROUP_EMBEDS)[number];

const IMPLIED: Readonly<Record<string, readonly AppEmbed[]>> = {
  tasks: ['tasks', 'deployments'],
  /** As the documentation of Marathon has it; its code reads `counts`. */
  count: ['counts'],
  /** Marathon up to 0.8. */
  failures: ['tasks', 'lastTaskFailure', 'deployments'],
};

/** @param names values of the query's `embed`, with or without `app.`, `apps.`, `group.apps.`; unknown ones are ignored */
export function appEmbeds(names: readonly string[], always: readonly AppEmbed[] = []): AppEmbeds {
  const plain = names.map((name) => name.replace(/^(?:group\.)?apps?\./, ''));
  const known = plain.flatMap((name) => IMPLIED[name] ?? APP_EMBEDS.filter((embed) => embed === name));
  return new Set([...always, ...known]);
}

/** Without any embed a group shows all it has; with some it shows what is named. */
export function groupEmbeds(names: readonly string[]): ReadonlySet<GroupEmbed> {
  if (names.length === 0) return new Set(GROUP_EMBEDS);
  return new Set(
    GROUP_EMBEDS.filter((embed) =>
      names.some((name) => name === `group.${embed}` || name.startsWith(`group.${embed}.`)),
    ),
  );
}
