// Makes of the OpenAPI document of Kubernetes (swagger.json) what kubeconform reads: one strict JSON schema for each kind, in
// FOLDER/<kind>-<group>-<version>.json. Usage: node deploy/kube-schemas.js SWAGGER FOLDER
'use strict';
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const [swagger, folder] = process.argv.slice(2);
const { definitions } = JSON.parse(readFileSync(swagger, 'utf8'));

/** What one definition may be in YAML where the document is vaguer or stricter than the API server. */
const EXCEPTIONS = {
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { oneOf: [{ type: 'string' }, { type: 'integer' }] },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { oneOf: [{ type: 'string' }, { type: 'number' }] },
};

function strict(name) {
  const exception = EXCEPTIONS[name];
  if (exception !== undefined) return exception;
  const definition = relink(definitions[name]);
  if (definition.properties === undefined) return definition;
  const properties = Object.fromEntries(
    // null stands for "not given", as the API server reads it.
    Object.entries(definition.properties).map(([key, value]) => [key, nullable(value)]),
  );
  return { ...definition, properties, additionalProperties: false };
}

const nullable = (schema) => (typeof schema.type === 'string' ? { ...schema, type: [schema.type, 'null'] } : schema);

function relink(value) {
  if (Array.isArray(value)) return value.map(relink);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !key.startsWith('x-kubernetes-'))
      .map(([key, inner]) => [key, key === '$ref' ? inner : relink(inner)]),
  );
}

/** The definition and everything that it refers to. */
function closure(name, found = {}) {
  if (found[name] !== undefined) return found;
  found[name] = strict(name);
  for (const [, inner] of JSON.stringify(found[name]).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g))
    closure(inner, found);
  return found;
}

mkdirSync(folder, { recursive: true });
let count = 0;
for (const [name, definition] of Object.entries(definitions)) {
  for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? []) {
    const prefix = group === '' ? '' : `${group.split('.')[0]}-`;
    const schema = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      $ref: `#/definitions/${name}`,
      definitions: closure(name),
    };
    writeFileSync(join(folder, `${kind.toLowerCase()}-${prefix}${version}.json`), JSON.stringify(schema));
    count++;
  }
}
process.stdout.write(`${count} schemas in ${folder}\n`);
