import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';

export function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Finds a program as a shell would. @returns null if no folder of PATH has it */
export async function findOnPath(name: string, { PATH = '' }: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  for (const folder of PATH.split(path.delimiter)) {
    const file = path.join(folder, name);
    if (folder !== '' && (await isExecutable(file))) return file;
  }
  return null;
}
