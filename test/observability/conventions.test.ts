import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEPLOY } from './prometheus';
import { dashboards, rules, type Panel } from './sources';

const boards = dashboards();
const alerts = rules().filter(({ alert }) => alert !== undefined);
const chartsOf = (panels: readonly Panel[]) => panels.filter(({ type }) => type !== 'row');
const builder = jest.requireActual<{ stale(): { names: string[] } }>('../../deploy/grafana/build.js');

test('the dashboards are those of boards/ (npm run chart)', () => {
  expect(builder.stale().names).toEqual([]);
});

test('there is a dashboard for each part, each with a uid of its own', () => {
  expect(boards.map(({ uid }) => uid).sort()).toEqual(
    ['agent', 'allocator', 'app', 'cluster', 'control-plane', 'etcd'].map((name) => `berth-${name}`),
  );
});

describe.each(boards.map((board) => [board.file, board] as const))('%s', (_file, board) => {
  test('says what it is', () => {
    expect(board.title).toMatch(/^Berth \/ /);
    expect(board.description.length).toBeGreaterThan(20);
    expect(board.tags).toContain('berth');
    expect(board.schemaVersion).toBeGreaterThanOrEqual(36);
  });

  test('every panel has title, description and unit; titles are different within the dashboard', () => {
    for (const { title, description, fieldConfig } of chartsOf(board.panels)) {
      expect([title, (description ?? '').length > 5]).toEqual([title, true]);
      expect([title, fieldConfig?.defaults.unit]).toEqual([title, expect.any(String)]);
    }
    const keys = chartsOf(board.panels).map(({ title, type }) => `${type} ${title}`);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });

  test('no data source is named: all come from the variable', () => {
    const chosen = { type: 'prometheus', uid: '${datasource}' };
    const used = board.panels
      .flatMap((panel) => [panel, ...(panel.targets ?? [])])
      .filter(({ datasource }) => datasource);
    expect(used.map(({ datasource }) => datasource)).toEqual(used.map(() => chosen));
    const asked = board.templating.list.filter(({ type }) => type === 'query');
    expect(asked.map(({ datasource }) => datasource)).toEqual(asked.map(() => chosen));
    expect(board.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource' });
  });

  test('only variables that it has are used', () => {
    const known = new Set(board.templating.list.map(({ name }) => name));
    const used = JSON.stringify(board.panels.map(({ targets }) => targets)).matchAll(/\$\{?([a-z]\w*)/g);
    expect([...used].map(([, name = '']) => name).filter((name) => !known.has(name))).toEqual([]);
  });

  test('panels do not overlap and stay within the width', () => {
    const places = board.panels.map(({ gridPos }) => gridPos);
    places.forEach((a, index) => {
      expect(a.x + a.w).toBeLessThanOrEqual(24);
      for (const b of places.slice(index + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect([a, b, apart]).toEqual([a, b, true]);
      }
    });
    const ids = board.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

test.each(alerts.map((rule) => [rule.alert ?? '', rule] as const))('%s can be acted upon', (name, rule) => {
  expect(name).toMatch(/^Berth[A-Z]/);
  expect(rule.for).toMatch(/^\d+[smh]$/);
  expect(['warning', 'critical']).toContain(rule.labels?.['severity']);
  expect(rule.annotations?.['summary']).not.toMatch(/\.$/);
  expect(rule.annotations?.['description']).toMatch(/\.$/);
  expect(rule.annotations?.['runbook']).toBe(`deploy/prometheus/RUNBOOK.md#${name.toLowerCase()}`);
});

test('the runbook has a section for each alert, in their order, and no other', () => {
  const text = readFileSync(join(DEPLOY, 'prometheus/RUNBOOK.md'), 'utf8');
  const sections = [...text.matchAll(/^### (\w+)\n([\s\S]*?)(?=\n##|$(?![\s\S]))/gm)];
  expect(sections.map(([, name]) => name)).toEqual(alerts.map(({ alert }) => alert));
  for (const [, name, body = ''] of sections) {
    expect([name, body.includes('**Means**'), body.includes('**Do**')]).toEqual([name, true, true]);
  }
});

test('names of recording rules say their level and operation', () => {
  for (const { record } of rules()) if (record !== undefined) expect(record).toMatch(/^[a-z_]+:[a-z_]+:[a-z0-9_]+$/);
});
