// Checks JSON documents against the schemas that the package ships. Beyond what a schema demands, a document may have
// no fields that its schema does not know.

import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2019, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2019.js';

export const schemaNames: readonly string[] = readdirSync('schemas').map((file) => file.replace(/\.json$/, ''));

const validators = new Map<string, ValidateFunction>();

/** The name of the document's schema, for example `check`. @throws if it has none, or does not follow it */
export function requireFollowsSchema(document: unknown): string {
  const id = (document as { readonly schema?: string }).schema ?? '';
  const name = /^atoll\/([a-z-]+)\/1$/.exec(id)?.[1] ?? '';
  if (!schemaNames.includes(name)) throw new Error(`there is no schema for ${JSON.stringify(id)}`);
  const validate = validators.get(name) ?? compiled(name);
  validators.set(name, validate);
  if (validate(document)) return name;
  const faults = (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `${instancePath}: ${message} ${JSON.stringify(params)}`;
  });
  throw new Error(`the document does not follow schemas/${name}.json:\n${faults.join('\n')}`);
}

function compiled(name: string): ValidateFunction {
  const { $schema: _, ...schema } = JSON.parse(readFileSync(`schemas/${name}.json`, 'utf8')) as AnySchemaObject;
  // A type or a constant within a union needs no other keyword.
  return new Ajv2019({ strict: false }).compile({ ...closed(schema), unevaluatedProperties: false });
}

/** The schema with every value closed: its objects have no other properties. */
function closed(schema: AnySchemaObject): AnySchemaObject {
  const value = (one: AnySchemaObject): AnySchemaObject => ({ ...closed(one), unevaluatedProperties: false });
  const each = (
    table: Record<string, AnySchemaObject>,
    change: (one: AnySchemaObject) => AnySchemaObject,
  ): Record<string, AnySchemaObject> =>
    Object.fromEntries(Object.entries(table).map(([key, one]) => [key, change(one)]));
  const copy: AnySchemaObject = { ...schema };
  if (schema.properties !== undefined) copy.properties = each(schema.properties, value);
  if (schema.definitions !== undefined) copy.definitions = each(schema.definitions, closed);
  if (typeof schema.additionalProperties === 'object') copy.additionalProperties = value(schema.additionalProperties);
  if (Array.isArray(schema.items)) copy.items = schema.items.map(value);
  else if (typeof schema.items === 'object') copy.items = value(schema.items);
  for (const key of ['allOf', 'anyOf'] as const) if (schema[key] !== undefined) copy[key] = schema[key].map(closed);
  return copy;
}
