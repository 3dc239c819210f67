// Differences that are known and stay, each with its reason. docs/operators.md tells users of them.

/** @type {{operator: string, profiles?: string[], types?: string[], detail?: RegExp, reason: string}[]} */
const documented = [
  {
    operator: 'SUM',
    profiles: ['tflite-reference'],
    types: ['int8', 'int16'],
    reason:
      "TensorFlow's reference SUM reads int8 and int16 as uint8 (reduce.cc QuantizedMeanOrSum); its result is " +
      'not a sum',
  },
  {
    operator: 'SQUARED_DIFFERENCE',
    profiles: ['tflite-reference', 'tflite-optimized'],
    detail: /dimensions; at most 4/,
    reason:
      'broadcast of more dimensions is only asserted against in debug builds of TensorFlow, and reads beyond ' +
      'its descriptors in others (common.h)',
  },
  ...['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED'].map((operator) => ({
    operator,
    types: ['float32'],
    detail: /it quantizes inputs that hold NaN/,
    reason:
      'C leaves the conversion of NaN to an integer undefined, and which of two values is the larger where one ' +
      'is NaN depends on the instructions',
  })),
  {
    operator: 'HARD_SWISH',
    profiles: ['tflite-optimized'],
    types: ['float32'],
    detail: /Infinity, not -?3\.4028234663852886e\+38/,
    reason: 'x * 6 leaves float32 where x / 6 * 6 does not: the largest values only, by the order of the operations',
  },
  ...['AVERAGE_POOL_2D', 'MAX_POOL_2D'].map((operator) => ({
    operator,
    detail: /the limits of its activation leave 32 bits/,
    reason: 'the runtimes ignore that the limits do not fit, and clamp to limits that they have not set (pooling.cc)',
  })),
];

/** @returns {string | null} the reason */
export function documentedReason({ operator, detail, types = [] }, profile) {
  const found = documented.find(
    (entry) =>
      entry.operator === operator &&
      (entry.profiles?.includes(profile) ?? true) &&
      (entry.types === undefined || types.some((type) => entry.types.includes(type))) &&
      (entry.detail?.test(detail) ?? true),
  );
  return found?.reason ?? null;
}
