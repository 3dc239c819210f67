// Real models, data and golden outputs that are no part of the repository. Tests that need them are skipped where they
// are absent, unless ATOLL_REQUIRE_SHARED=1 makes their absence a failure.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'vitest';

export const sharedFolder = path.resolve(process.env.ATOLL_SHARED ?? '../shared');
export const sharedPresent = existsSync(path.join(sharedFolder, 'models'));
if (!sharedPresent && process.env.ATOLL_REQUIRE_SHARED === '1')
  throw new Error(`ATOLL_REQUIRE_SHARED=1, but ${sharedFolder} is not there`);

export const sharedTest = test.skipIf(!sharedPresent);

export function sharedPath(...parts: string[]): string {
  return path.join(sharedFolder, ...parts);
}

export function sharedBytes(...parts: string[]): Uint8Array {
  return new Uint8Array(readFileSync(sharedPath(...parts)));
}

export function sharedJson<T>(...parts: string[]): T {
  return JSON.parse(readFileSync(sharedPath(...parts), 'utf8')) as T;
}

/** Paths of all .tflite files, relative to the models folder; none where it is absent. */
export function sharedModels(): string[] {
  if (!sharedPresent) return [];
  return (readdirSync(sharedPath('models'), { recursive: true }) as string[])
    .filter((file) => file.endsWith('.tflite'))
    .sort();
}

/** The names of the goldens; none where they are absent. */
export function goldenNames(): string[] {
  if (!sharedPresent) return [];
  return readdirSync(sharedPath('golden')).filter((name) => existsSync(sharedPath('golden', name, 'meta.json')));
}
