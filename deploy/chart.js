// npm run chart: brings what is derived in charts/berth up to date: README.md (README.head.md and a table of values.yaml's comments),
// and the copies of Prometheus rules and Grafana dashboards, since a chart can only read files inside its own folder.
// With --check it changes nothing, says what is stale, and ends with 1.
'use strict';
const { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { isMap, isSeq, parseDocument } = require('yaml');

const root = join(__dirname, '..');
const chart = join(root, 'charts/berth');

/** Every value with its comment: `{ path, text, value }`. A map is not listed itself, unless it is empty or has its own comment. */
function documentedValues(yaml) {
  const rows = [];
  walk(parseDocument(yaml).contents, '', rows);
  return rows;
}

function walk(map, path, rows) {
  map.items.forEach((pair, index) => {
    const name = String(pair.key.value);
    const at = path === '' ? name : `${path}.${name}`;
    // The library gives the comment above the first key to the map, with whatever heads the file before it.
    const comment = index === 0 ? (pair.key.commentBefore ?? map.commentBefore) : pair.key.commentBefore;
    const text = (comment ?? '')
      .split('\n\n')
      .at(-1)
      .split('\n')
      .map((line) => line.trim())
      .join(' ')
      .trim();
    if (isMap(pair.value) && pair.value.items.length > 0 && text === '') return walk(pair.value, at, rows);
    rows.push({
      path: at,
      name,
      text,
      value: isMap(pair.value) || isSeq(pair.value) ? pair.value.toJSON() : pair.value.value,
    });
  });
}

function table(rows) {
  const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const lines = rows.map(({ path, name, text, value }) => {
    const about = text.replace(new RegExp(`^${name}:? `), '');
    return `| \`${path}\` | ${cell(about)} | \`${cell(JSON.stringify(value))}\` |`;
  });
  return ['| value | what it is | default |', '|---|---|---|', ...lines].join('\n');
}

function readme() {
  const head = readFileSync(join(chart, 'README.head.md'), 'utf8').trimEnd();
  const rows = documentedValues(readFileSync(join(chart, 'values.yaml'), 'utf8'));
  return `<!-- Made by npm run chart from README.head.md and values.yaml: edit those. -->\n\n${head}\n\n## Values\n\n${table(rows)}\n`;
}

/** What should be in a folder of copies: name -> text. */
function copies(from, accepts) {
  if (!existsSync(from)) return new Map();
  const names = readdirSync(from, { recursive: true }).map(String).filter(accepts);
  return new Map(names.map((name) => [name.split('/').at(-1), readFileSync(join(from, name), 'utf8')]));
}

function wanted() {
  const files = new Map([['README.md', readme()]]);
  // Rules, not the configuration of Prometheus itself nor the tests of the rules.
  const isRule = (text) => /^groups:/m.test(text) && !/^(scrape_configs|tests):/m.test(text);
  for (const [name, text] of copies(join(root, 'deploy/prometheus'), (file) => /\.ya?ml$/.test(file)))
    if (isRule(text)) files.set(`files/rules/${name.replace(/\.yml$/, '.yaml')}`, text);
  for (const [name, text] of copies(join(root, 'deploy/grafana'), (file) => file.endsWith('.json')))
    files.set(`files/dashboards/${name}`, text);
  return files;
}

function extra(files) {
  return ['files/rules', 'files/dashboards']
    .flatMap((folder) =>
      existsSync(join(chart, folder)) ? readdirSync(join(chart, folder)).map((name) => `${folder}/${name}`) : [],
    )
    .filter((path) => !files.has(path));
}

function stale() {
  const files = wanted();
  const old = [...files].filter(
    ([path, text]) => !existsSync(join(chart, path)) || readFileSync(join(chart, path), 'utf8') !== text,
  );
  return { files, paths: [...old.map(([path]) => path), ...extra(files)] };
}

function main() {
  const { files, paths } = stale();
  for (const path of paths)
    process.stdout.write(`${process.argv.includes('--check') ? 'stale' : 'written'}: charts/berth/${path}\n`);
  if (process.argv.includes('--check')) {
    process.exitCode = paths.length === 0 ? 0 : 1;
    return;
  }
  for (const folder of ['files/rules', 'files/dashboards']) mkdirSync(join(chart, folder), { recursive: true });
  for (const path of paths) {
    const text = files.get(path);
    if (text === undefined) rmSync(join(chart, path));
    else writeFileSync(join(chart, path), text);
  }
}

module.exports = { documentedValues, stale };
if (require.main === module) main();
