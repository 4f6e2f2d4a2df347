// What the dashboards in boards/ are made of. Grafana's JSON says everything many times over; here each panel is said once.
'use strict';

/** A Grafana of 9 or newer reads this. */
const SCHEMA_VERSION = 38;
const WIDTH = 24;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** One query. @param legend in Grafana's form, e.g. `{{app}}` */
function query(expr, legend = '', more = {}) {
  return { expr, legendFormat: legend, ...more };
}

/** A line over time. `description` says what a reader should make of it. */
function timeseries(title, description, unit, queries, more = {}) {
  return {
    type: 'timeseries',
    title,
    description,
    queries,
    size: { w: more.w ?? 8, h: more.h ?? 8 },
    fieldConfig: {
      defaults: {
        unit,
        ...(more.min === null ? {} : { min: more.min ?? 0 }),
        ...(more.max === undefined ? {} : { max: more.max }),
        ...(more.thresholds === undefined ? {} : { thresholds: steps(more.thresholds) }),
        color: { mode: 'palette-classic' },
        custom: {
          drawStyle: 'line',
          lineWidth: 1,
          fillOpacity: more.stack ? 40 : 10,
          showPoints: 'never',
          spanNulls: false,
          stacking: { mode: more.stack ? 'normal' : 'none', group: 'A' },
          ...(more.thresholds === undefined ? {} : { thresholdsStyle: { mode: 'line' } }),
        },
      },
      overrides: [],
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

/** One number, coloured by `thresholds`: [[value, colour], …], the first value is where the colour begins. */
function stat(title, description, unit, queries, more = {}) {
  return {
    type: 'stat',
    title,
    description,
    queries: queries.map((one) => ({ ...one, instant: true })),
    size: { w: more.w ?? 4, h: more.h ?? 4 },
    fieldConfig: {
      defaults: {
        unit,
        ...(more.decimals === undefined ? {} : { decimals: more.decimals }),
        color: { mode: 'thresholds' },
        thresholds: steps(more.thresholds ?? [[null, 'text']]),
        ...(more.mappings === undefined ? {} : { mappings: [{ type: 'value', options: more.mappings }] }),
      },
      overrides: [],
    },
    options: {
      colorMode: 'value',
      graphMode: 'none',
      justifyMode: 'auto',
      orientation: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      textMode: more.textMode ?? 'auto',
    },
  };
}

/**
 * A table of label sets: one column per query. `columns` names them in order; `units` gives a unit by column name.
 */
function table(title, description, queries, { columns, units = {}, hide = [], w = 24, h = 9, sortBy }) {
  const letters = queries.map((_, index) => refOf(index));
  return {
    type: 'table',
    title,
    description,
    queries: queries.map((one) => ({ ...one, instant: true, format: 'table' })),
    size: { w, h },
    fieldConfig: {
      defaults: { unit: 'none', custom: { align: 'auto', filterable: true } },
      overrides: Object.entries(units).map(([name, unit]) => ({
        matcher: { id: 'byName', options: name },
        properties: [{ id: 'unit', value: unit }],
      })),
    },
    options: { showHeader: true, sortBy: sortBy === undefined ? [] : [{ displayName: sortBy, desc: true }] },
    transformations: [
      { id: 'merge', options: {} },
      {
        id: 'organize',
        options: {
          excludeByName: Object.fromEntries(['Time', ...hide].map((name) => [name, true])),
          renameByName: Object.fromEntries(letters.map((letter, index) => [`Value #${letter}`, columns[index]])),
        },
      },
    ],
  };
}

function steps(thresholds) {
  return { mode: 'absolute', steps: thresholds.map(([value, color]) => ({ value, color })) };
}

/** A heading with the panels below it. */
function row(title, panels) {
  return { title, panels };
}

/** A variable filled by a query of labels; "All" matches also series that do not have the label. */
function labelVariable(name, label, labelQuery, more = {}) {
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: labelQuery, refId: `Variable-${name}` },
    definition: labelQuery,
    refresh: 2,
    sort: 1,
    multi: more.multi ?? true,
    includeAll: true,
    allValue: '.*',
    current: { selected: true, text: 'All', value: '$__all' },
    hide: 0,
    options: [],
    regex: '',
    skipUrlSync: false,
  };
}

const clusterVariable = () =>
  labelVariable('cluster', 'Cluster', 'label_values(berth_build_info, cluster)', { multi: false });

/** A whole dashboard. `uid` never changes: links and bookmarks hold on to it. */
function dashboard({ uid, title, description, variables = [], rows, tags = [] }) {
  return {
    uid,
    title,
    description,
    tags: ['berth', ...tags],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    style: 'dark',
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: '',
    annotations: { list: [] },
    links: [
      {
        type: 'dashboards',
        title: 'Berth',
        tags: ['berth'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
        icon: 'external link',
        targetBlank: false,
        tooltip: '',
        url: '',
      },
    ],
    templating: { list: [datasourceVariable(), clusterVariable(), ...variables] },
    panels: layOut(rows),
  };
}

function datasourceVariable() {
  return {
    name: 'datasource',
    label: 'Prometheus',
    type: 'datasource',
    query: 'prometheus',
    current: {},
    hide: 0,
    includeAll: false,
    multi: false,
    options: [],
    refresh: 1,
    regex: '',
    skipUrlSync: false,
  };
}

/** Left to right, then the next line; a row begins on a line of its own. */
function layOut(rows) {
  const placed = [];
  let id = 1;
  let y = 0;
  for (const { title, panels } of rows) {
    placed.push({ id: id++, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: WIDTH, h: 1 }, panels: [] });
    y += 1;
    let x = 0;
    let height = 0;
    for (const { size, queries, ...panel } of panels) {
      if (x + size.w > WIDTH) {
        y += height;
        x = 0;
        height = 0;
      }
      const targets = queries.map((one, index) => ({ refId: refOf(index), datasource: DATASOURCE, ...one }));
      placed.push({ id: id++, datasource: DATASOURCE, gridPos: { x, y, ...size }, ...panel, targets });
      x += size.w;
      height = Math.max(height, size.h);
    }
    y += height;
  }
  return placed;
}

function refOf(index) {
  return String.fromCharCode(65 + index);
}

module.exports = { dashboard, labelVariable, query, row, stat, table, timeseries };
