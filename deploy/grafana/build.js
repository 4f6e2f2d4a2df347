// Makes dashboards/*.json of boards/*.js (part of `npm run chart`). With --check it changes nothing, says what is stale, and ends
// with 1.
'use strict';
const { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const boards = join(__dirname, 'boards');
const out = join(__dirname, 'dashboards');

/** File name -> text, as it should be. */
function wanted() {
  const names = readdirSync(boards).filter((name) => name.endsWith('.js'));
  return new Map(
    names.map((name) => [
      name.replace(/\.js$/, '.json'),
      `${JSON.stringify(require(join(boards, name)).board, null, 2)}\n`,
    ]),
  );
}

function stale() {
  const files = wanted();
  const old = [...files].filter(
    ([name, text]) => !existsSync(join(out, name)) || readFileSync(join(out, name), 'utf8') !== text,
  );
  const extra = readdirSync(out).filter((name) => !files.has(name));
  return { files, names: [...old.map(([name]) => name), ...extra] };
}

function main() {
  const { files, names } = stale();
  const check = process.argv.includes('--check');
  for (const name of names) {
    process.stdout.write(`${check ? 'stale' : 'written'}: deploy/grafana/dashboards/${name}\n`);
    if (check) process.exitCode = 1;
    else if (files.has(name)) writeFileSync(join(out, name), files.get(name));
    else rmSync(join(out, name));
  }
}

module.exports = { stale };
if (require.main === module) main();
