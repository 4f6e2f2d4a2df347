import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DEPLOY } from './prometheus';

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly datasource: unknown }[];
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly definition?: string;
  readonly datasource?: unknown;
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function dashboards(): Dashboard[] {
  const folder = join(DEPLOY, 'grafana/dashboards');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({ file, ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Omit<Dashboard, 'file'>) }));
}

export function rules(): Rule[] {
  const folder = join(DEPLOY, 'prometheus/rules');
  return readdirSync(folder).flatMap((name) => {
    const { groups } = parse(readFileSync(join(folder, name), 'utf8')) as { groups: { rules: Rule[] }[] };
    return groups.flatMap((group) => group.rules);
  });
}

/** Every query of every panel: `Board: panel, legend` and the expression as Grafana would send it. */
export function queries(): { readonly name: string; readonly expression: string }[] {
  return dashboards().flatMap((board) =>
    board.panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ refId, expr }) => ({
        name: `${board.title} | ${panel.title} | ${refId}`,
        expression: withVariables(expr),
      })),
    ),
  );
}

/** As with "All" chosen everywhere, five minutes shown and a scrape every few seconds. */
export function withVariables(expression: string): string {
  return expression
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '5m')
    .replaceAll(/\$(?:cluster|app|agent|role)\b/g, '.*');
}
