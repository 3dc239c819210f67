/** Status texts of operators in the log of the Edge TPU compiler. */
export const status = {
  mapped: 'Mapped to Edge TPU',
  downstream: 'More than one subgraph is not supported',
  limitation: 'Operation is otherwise supported, but not mapped due to some unspecified limitation',
  type: 'Operation is working on an unsupported data type',
  unsupported: 'Operation not supported',
  rank: 'Tensor has unsupported rank (up to 3 innermost dimensions mapped)',
  imprecise: "Image-interpolation layer won't run precisely enough on Edge TPU",
  dynamic:
    'Attempting to use a delegate that only supports static-sized tensors with a graph that has dynamic-sized tensors',
} as const;
