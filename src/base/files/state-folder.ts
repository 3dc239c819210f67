import os from 'node:os';
import path from 'node:path';

/** The folder for a user's state, the same for every working folder and terminal (XDG Base Directory Specification). */
export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return path.join(environment.XDG_STATE_HOME ?? path.join(os.homedir(), '.local', 'state'), 'atoll');
}
