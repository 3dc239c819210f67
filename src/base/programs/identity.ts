import { readFile } from 'node:fs/promises';

/**
 * Identifies a process, also against later processes with the same number. On Linux: its start time and the boot id
 * (proc(5): starttime is field 22 of /proc/PID/stat; the name in parentheses may contain anything, so count from the
 * last closing parenthesis).
 * @returns null if there is no such process
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
    // A process of another user exists too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
