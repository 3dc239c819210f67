// Bounds of a kernel's memory accesses. In the checked build (compiled with assertions) every access is compared with
// the regions that the host has declared for the operator; the normal build contains no checks.

/** Regions as pairs of start and end, in a table provided by the host. */
let regions: usize = 0;
let count: i32 = 0;

/** Declares the regions that the next kernels may touch: `size` pairs of u32 at `table`. */
export function setRegions(table: usize, size: i32): void {
  regions = table;
  count = size;
}

// @ts-ignore: decorator
@inline
export function touch(at: usize, bytes: usize): void {
  if (!ASC_NO_ASSERT) assert(isDeclared(at, bytes), 'access outside the tensors');
}

function isDeclared(at: usize, bytes: usize): bool {
  for (let i = 0; i < count; i++) {
    const region = regions + 8 * <usize>i;
    if (at >= <usize>load<u32>(region) && at + bytes <= <usize>load<u32>(region, 4)) return true;
  }
  return false;
}
