import { readFile } from 'node:fs/promises';

/**
 * What tells a process from all others, also from those that get its number later: on Linux when it began, and in which
 * run of the system (proc(5): starttime is field 22 of /proc/PID/stat, which a name in parentheses may fill with
 * anything up to its last one).
 * @returns null where there is no such process
 */
export async function processIdentity(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return isAlive(pid) ? 'alive' : null;
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    const begun = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot.trim()}/${begun}`;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's is one all the same.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
