import { defineVerb } from './verb.js';

export const doctorVerb = defineVerb({
  name: 'doctor',
  summary: 'check Node, permissions, drivers and tools of this machine',
  define: (command) => command,
  run: async () => {
    const [{ doctor }, { doctorReport }] = await Promise.all([import('../doctor.js'), import('../report/index.js')]);
    const result = await doctor();
    return {
      document: { ...result },
      text: doctorReport(result),
      exitCode: result.checks.some(({ state }) => state === 'failed') ? 1 : 0,
    };
  },
});
