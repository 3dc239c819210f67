// Writes ../../vectors.json as C, for test_vectors.c: `node vectors-header.js > vectors.h`.
import { readFileSync } from 'node:fs';

const { packets, slotImage, signedSlotImage, otherEncodings, slotStates, compressed, drawn, fleet } = JSON.parse(
  readFileSync(new URL('../../vectors.json', import.meta.url), 'utf8'),
);

const lines = ['// Generated from vectors.json.', '#include <stdbool.h>', '#include <stdint.h>'];
function bytes(name, hex) {
  const values = hex.match(/../g) ?? [];
  lines.push(`static const uint8_t ${name}[] = {${values.map((byte) => `0x${byte}`).join(',')}};`);
  return `{${name}, ${values.length}}`;
}
const rows = (type, name, entries) =>
  lines.push(
    `static const ${type} ${name}[] = {${entries.map((entry) => `{${entry.join(', ')}}`).join(', ')}};`,
    `enum { ${name.toUpperCase()} = ${entries.length} };`,
  );

lines.push('typedef struct vector_bytes { const uint8_t *at; uint32_t length; } vector_bytes;');
lines.push('typedef struct packet_vector { const char *command; vector_bytes request, response; } packet_vector;');
lines.push(
  'typedef struct compressed_vector { vector_bytes image, stream; uint32_t block_bytes, first_block; } ' +
    'compressed_vector;',
);
lines.push('typedef struct drawn_vector { uint32_t seed; vector_bytes int8, float32; } drawn_vector;');
rows(
  'packet_vector',
  'packet_vectors',
  packets.map(({ command, request, response }, i) => [
    JSON.stringify(command),
    bytes(`request_${i}`, request),
    bytes(`response_${i}`, response),
  ]),
);
rows(
  'compressed_vector',
  'compressed_vectors',
  compressed.map(({ image, stream, blockBytes, firstBlock }, i) => [
    bytes(`image_${i}`, image),
    bytes(`stream_${i}`, stream),
    blockBytes,
    firstBlock,
  ]),
);
rows(
  'drawn_vector',
  'drawn_vectors',
  drawn.map(({ seed, int8, float32 }, i) => [
    `${seed}u`,
    bytes(`drawn_int8_${i}`, int8),
    bytes(`drawn_float32_${i}`, float32),
  ]),
);
lines.push(
  'typedef struct desired_vector { const char *rollout; uint32_t attempt, bytes, block_bytes, seed, deadline; ' +
    'bool pull, outputs; vector_bytes encoded; } desired_vector;',
);
rows(
  'desired_vector',
  'desired_vectors',
  fleet.desired.map(
    ({ rollout, attempt = 0, len, block, seed, deadline = 0, pull = false, outputs = false, encoded }, i) => {
      return [
        JSON.stringify(rollout),
        attempt,
        len,
        block,
        `${seed}u`,
        `${deadline}u`,
        pull,
        outputs,
        bytes(`desired_${i}`, encoded),
      ];
    },
  ),
);
rows(
  'vector_bytes',
  'reported_vectors',
  fleet.reported.map((encoded, i) => [bytes(`reported_${i}`, encoded).slice(1, -1)]),
);
lines.push(`static const vector_bytes block_request = ${bytes('block_request_bytes', fleet.blockRequest)};`);
lines.push(
  `static const vector_bytes slot_image = ${bytes('slot_image_bytes', slotImage.image)};`,
  `static const vector_bytes slot_model = ${bytes('slot_model_bytes', slotImage.model)};`,
);
lines.push(
  `static const vector_bytes signed_image = ${bytes('signed_image_bytes', signedSlotImage.image)};`,
  `static const vector_bytes signed_key_id = ${bytes('signed_key_id_bytes', signedSlotImage.keyId)};`,
);
lines.push('typedef struct state_vector { uint32_t counter; bool trusted; vector_bytes image; } state_vector;');
rows(
  'state_vector',
  'state_vectors',
  slotStates.map(({ counter, trusted, image }, i) => [counter, trusted, bytes(`state_image_${i}`, image)]),
);
lines.push('typedef struct named_vector { const char *name; vector_bytes bytes; } named_vector;');
for (const kind of ['images', 'signatures']) {
  rows(
    'named_vector',
    `other_${kind}`,
    otherEncodings[kind].map(({ name, bytes: encoded }, i) => [
      JSON.stringify(name),
      bytes(`other_${kind}_${i}`, encoded),
    ]),
  );
}
lines.push(`enum { SIGNED_COUNTER = ${signedSlotImage.counter} };`);
lines.push(
  `enum { SLOT_IMAGE_VECTORS = ${slotImage.vectors.length}, SLOT_IMAGE_SEED = ${slotImage.vectors[0].seed} };`,
);
console.log(lines.join('\n'));
