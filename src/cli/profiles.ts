// The names of the kernel profiles, apart from the simulator so that --help need not load it; a test compares the two.

export const kernelProfileNames: readonly string[] = ['tflm-reference', 'tflite-reference', 'tflite-optimized', 'cmsis-nn'];
