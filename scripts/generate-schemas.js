// Writes schemas/*.json, the JSON Schemas of the documents that Atoll prints and stores: `node
// scripts/generate-schemas.js` after a build. They are made of the types in src/app/documents, with their comments as
// descriptions. With --check it compares them instead, and fails if they differ.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import TJS from 'typescript-json-schema';
import { z } from 'zod';
import { calibrationSchema } from '../dist/optimize/quantize/calibration-file.js';

const folder = 'schemas';
const dialect = 'http://json-schema.org/draft-07/schema#';

const program = TJS.programFromConfig('tsconfig.json', ['src/app/documents/index.ts']);
const { definitions, properties } = TJS.generateSchema(program, 'Documents', {
  required: true,
  strictNullChecks: true,
  ignoreErrors: true,
});

/** The last name of `import("file").Name`; null for a type without a name of its own. */
const nameOf = (key) => /^(?:import\(.*?\)\.)?(\w+)$/.exec(key)?.[1] ?? null;

const keyOf = (ref) => decodeURIComponent(ref.replace('#/definitions/', ''));

/** `Record<string, number>` and the like, of which the library keeps only that they are objects. */
function recordOf(key) {
  const values = /^Record<string,([a-z|]+)>$/.exec(key)?.[1].split('|');
  return values === undefined ? null : { type: 'object', additionalProperties: { type: values } };
}

/** A copy whose references have short names; types without a name are written out. Adds the named ones to `used`. */
function resolved(schema, used) {
  if (Array.isArray(schema)) return schema.map((one) => resolved(one, used));
  if (schema === null || typeof schema !== 'object') return schema;
  const { $ref, ...rest } = schema;
  const copy = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, sortedUnion(key, resolved(value, used))]),
  );
  if ($ref === undefined) return copy;
  const key = keyOf($ref);
  const name = nameOf(key);
  if (name === null) return { ...(recordOf(key) ?? resolved(definitions[key], used)), ...copy };
  if (!used.has(name)) {
    used.set(name, null);
    used.set(name, resolved(definitions[key], used));
  }
  // In draft 7 nothing beside $ref counts.
  const reference = { $ref: `#/definitions/${name}` };
  return Object.keys(copy).length === 0 ? reference : { ...copy, allOf: [reference] };
}

/** The order of the members of a union depends on what TypeScript has read before. */
function sortedUnion(key, value) {
  if (!Array.isArray(value) || !['enum', 'type', 'anyOf'].includes(key)) return value;
  const text = (one) => JSON.stringify(one);
  return value.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
}

function refuseHomonyms() {
  const seen = new Map();
  for (const [key, definition] of Object.entries(definitions)) {
    const name = nameOf(key);
    if (name === null) continue;
    const plain = resolved(definition, new Map());
    if (seen.has(name) && !isDeepStrictEqual(seen.get(name), plain)) throw new Error(`two types are named ${name}`);
    seen.set(name, plain);
  }
}

/** The document of a verb, or of a failure: its own fields and `schema`. */
function documentSchema(name, schema) {
  const used = new Map();
  const body = resolved(schema, used);
  return {
    $schema: dialect,
    $id: `atoll/${name}/1`,
    allOf: [{ type: 'object', properties: { schema: { const: `atoll/${name}/1` } }, required: ['schema'] }, body],
    definitions: Object.fromEntries([...used].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

refuseHomonyms();
const files = new Map([
  ...Object.entries(properties).map(([name, schema]) => [`${name}.json`, documentSchema(name, schema)]),
  ['calibration.json', { $id: 'atoll/calibration/1', ...z.toJSONSchema(calibrationSchema, { target: 'draft-7' }) }],
]);

const check = process.argv.includes('--check');
await mkdir(folder, { recursive: true });
const stale = [];
for (const [name, schema] of files) {
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  const present = await readFile(`${folder}/${name}`, 'utf8').catch(() => null);
  if (present === text) continue;
  stale.push(name);
  if (!check) await writeFile(`${folder}/${name}`, text);
}
for (const name of await readdir(folder)) {
  if (files.has(name)) continue;
  stale.push(name);
  if (!check) await rm(`${folder}/${name}`);
}
if (check && stale.length > 0) {
  console.error(`out of date: ${stale.map((name) => `${folder}/${name}`).join(', ')}; run \`npm run docs\``);
  process.exit(1);
}
