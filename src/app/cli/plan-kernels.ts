// The kernels whose scratch buffers a memory plan counts.

import { fail } from '../../base/errors.js';
import type { RuntimeKernels } from '../../simulator/index.js';
import type { Target } from '../../targets/index.js';

/** @throws USAGE for a target without an interpreter */
export async function planKernels(target: Target | null): Promise<RuntimeKernels> {
  const [{ referenceKernels }, { runtimeKernelsOf }] = await Promise.all([
    import('../../simulator/index.js'),
    import('../../targets/index.js'),
  ]);
  const kernels = target === null ? referenceKernels : runtimeKernelsOf(target);
  if (kernels === null)
    throw fail('USAGE', {
      reason: `--plan-memory: no interpreter runs on ${target?.id}, so there is no arena to plan`,
    });
  return kernels;
}
