#include "signature.h"

#include <string.h>

enum { LABEL_ALGORITHM = 0x01, LABEL_KEY = 0x04, MAP_OF_ONE = 0xa1, NONE = 0xf6 };
enum { KEY_ID_BYTES = 8, SIGNATURE_BYTES = 64, SCALAR_BYTES = 32 };

/**
 * Half the order of P-256 (SEC 2, 2.4.2). Of the two values of s with which a signature verifies, only the one up to
 * this is valid.
 */
static const uint8_t half_order[SCALAR_BYTES] = {0x7f, 0xff, 0xff, 0xff, 0x80, 0,    0,    0,    0x7f, 0xff, 0xff,
                                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b,
                                                 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

bool atoll_signature_read(atoll_bytes encoded, atoll_bytes manifest, uint8_t *head, atoll_signature *out) {
  static const char context[] = "Signature1";
  atoll_reader reader = {encoded.at, encoded.at + encoded.length};
  uint32_t parts;
  atoll_bytes header, key, signature;
  if (!atoll_is_deterministic(encoded) || !atoll_read_array(&reader, &parts) || parts != 4 ||
      !atoll_read_bytes(&reader, &header))
    return false;
  // The protected header is a map with one entry, the algorithm: -8 or -7, encoded in CBOR.
  if (header.length != 3 || header.at[0] != MAP_OF_ONE || header.at[1] != LABEL_ALGORITHM) return false;
  if (header.at[2] != ATOLL_EDDSA && header.at[2] != ATOLL_ES256) return false;
  if (reader.end - reader.at < 2 || reader.at[0] != MAP_OF_ONE || reader.at[1] != LABEL_KEY) return false;
  reader.at += 2;
  if (!atoll_read_bytes(&reader, &key) || reader.at == reader.end || *reader.at++ != NONE) return false;
  if (!atoll_read_bytes(&reader, &signature) || reader.at != reader.end) return false;
  if (key.length != KEY_ID_BYTES || signature.length != SIGNATURE_BYTES) return false;
  if (header.at[2] == ATOLL_ES256 && memcmp(signature.at + SCALAR_BYTES, half_order, SCALAR_BYTES) > 0) return false;
  atoll_writer writer = {head, head + ATOLL_SIGNED_HEAD_BYTES, false};
  atoll_put_array(&writer, 4);
  atoll_put_text(&writer, context);
  atoll_put_bytes(&writer, header.at, header.length);
  atoll_put_bytes(&writer, NULL, 0);
  atoll_put_bytes_head(&writer, manifest.length);
  if (writer.full) return false;
  *out = (atoll_signature){.algorithm = header.at[2],
                           .key_id = key.at,
                           .key_id_bytes = key.length,
                           .head = head,
                           .head_bytes = (uint32_t)(writer.at - head),
                           .message = manifest.at,
                           .message_bytes = manifest.length,
                           .signature = signature.at,
                           .signature_bytes = signature.length};
  return true;
}
