import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import which from 'which';

export function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Finds a program as a shell would; on Windows also by the extensions of PATHEXT.
 * @returns null if no folder of PATH has it
 */
export async function findOnPath(
  name: string,
  { PATH = '', PATHEXT }: NodeJS.ProcessEnv = process.env,
): Promise<string | null> {
  // The package takes an empty path for that of the process.
  if (PATH === '') return null;
  return which(name, { path: PATH, nothrow: true, ...(PATHEXT === undefined ? {} : { pathExt: PATHEXT }) });
}
