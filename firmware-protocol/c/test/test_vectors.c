// The golden vectors computed by the TypeScript side (vectors.json), and published vectors where they exist.
#include <string.h>

#include "check.h"
#include "console.h"
#include "crc.h"
#include "drawing.h"
#include "fake.h"
#include "flash_model.h"
#include "fleet_messages.h"
#include "image.h"
#include "inflate.h"
#include "sha256.h"
#include "signature.h"
#include "vectors.h"

static _Alignas(16) uint8_t area[16384];
static bool written[16384];
static atoll_flash_model flash;
static atoll_device device;
static fake_runtime runtime;
static fake_system board;

static bool answers(const char *command) {
  for (uint32_t i = 0; i < PACKET_VECTORS; i++) {
    const packet_vector *vector = &packet_vectors[i];
    if (strcmp(vector->command, command) != 0) continue;
    uint8_t answer[ATOLL_PACKET_BYTES];
    const uint32_t length = atoll_device_answer(&device, vector->request.at, vector->request.length, answer);
    return length == vector->response.length && memcmp(answer, vector->response.at, length) == 0;
  }
  return false;
}

static void check_device(void) {
  static const uint8_t model[] = {'M', 9, 1, 1};
  memset(area, 0xff, sizeof area);
  fake_runtime_init(&runtime);
  fake_system_init(&board);
  atoll_flash_model_init(&flash, area, written, 4096, 512, 16);
  CHECK(atoll_device_boot(&device, &board.system, &flash.flash, &runtime.inference));
  CHECK(answers("describe"));
  CHECK(answers("slots"));
  CHECK(answers("erase"));
  CHECK(fake_push(&device, model, sizeof model, true));
  runtime.input_bytes = 300;
  CHECK(answers("write input"));
  CHECK(answers("run"));
  runtime.output_bytes = 2;
  runtime.output[0] = 9;
  runtime.output[1] = 8;
  CHECK(answers("read output"));
  runtime.operators = 33;
  CHECK(answers("profile"));
  runtime.input_bytes = 2;
  runtime.output_bytes = 1;
  // The output is the input xor 9: the samples of the vector are 1, 2 and 3, 4.
  uint8_t request[64], answer[ATOLL_PACKET_BYTES];
  memcpy(request, packet_vectors[PACKET_VECTORS - 1].request.at, packet_vectors[PACKET_VECTORS - 1].request.length);
  request[packet_vectors[PACKET_VECTORS - 1].request.length - 4] = 0;
  request[packet_vectors[PACKET_VECTORS - 1].request.length - 2] = 1;
  const vector_bytes *expected = &packet_vectors[PACKET_VECTORS - 1].response;
  const uint32_t length =
      atoll_device_answer(&device, request, packet_vectors[PACKET_VECTORS - 1].request.length, answer);
  CHECK(length == expected->length && memcmp(answer, expected->at, length) == 0);
  for (uint32_t i = 0; i < PACKET_VECTORS; i++) {
    const vector_bytes *request_bytes = &packet_vectors[i].request, *response = &packet_vectors[i].response;
    CHECK(atoll_is_map((atoll_bytes){request_bytes->at + 8, request_bytes->length - 8}));
    CHECK(atoll_is_map((atoll_bytes){response->at + 8, response->length - 8}));
    // None is reported as malformed or as an unknown command.
    const uint32_t got = atoll_device_answer(&device, request_bytes->at, request_bytes->length, answer);
    uint32_t rc = 0;
    CHECK(got > 8 && !atoll_map_uint((atoll_bytes){answer + 8, got - 8}, "rc", &rc));
  }
}

/** Sig_structure of RFC 9052 is verified: an array of context, header, nothing, and the manifest as a byte string. */
static void check_signatures(void) {
  static const uint8_t begin[] = {0x84, 0x6a, 'S', 'i',  'g',  'n',  'a',  't', 'u',
                                  'r',  'e',  '1', 0x43, 0xa1, 0x01, 0x27, 0x40};
  atoll_image image;
  atoll_signature signature;
  uint8_t head[ATOLL_SIGNED_HEAD_BYTES];
  const char *detail = "";
  CHECK(atoll_image_open(&image, signed_image.at, signed_image.length, &detail) && image.counter == SIGNED_COUNTER);
  CHECK(atoll_signature_read(image.signature, image.manifest, head, &signature));
  CHECK(signature.algorithm == ATOLL_EDDSA && signature.signature_bytes == 64 &&
        signature.key_id_bytes == signed_key_id.length);
  CHECK(memcmp(signature.key_id, signed_key_id.at, signed_key_id.length) == 0);
  CHECK(memcmp(signature.head, begin, sizeof begin) == 0 && signature.message == image.manifest.at);
  // The head ends with the head of a byte string as long as the manifest.
  CHECK(signature.head_bytes == sizeof begin + 2 && head[sizeof begin] == 0x58 &&
        head[sizeof begin + 1] == signature.message_bytes);
  // Truncated anywhere, or with any byte changed, the reader stays within its bytes.
  uint8_t copy[128];
  CHECK(image.signature.length <= sizeof copy);
  for (uint32_t length = 0; length < image.signature.length; length++) {
    uint8_t *cut = copy + sizeof copy - length;
    memcpy(cut, image.signature.at, length);
    CHECK(!atoll_signature_read((atoll_bytes){cut, length}, image.manifest, head, &signature));
  }
  for (uint32_t i = 0; i < image.signature.length; i++) {
    for (uint32_t change = 1; change < 256; change++) {
      uint8_t *whole = copy + sizeof copy - image.signature.length;
      memcpy(whole, image.signature.at, image.signature.length);
      whole[i] ^= (uint8_t)change;
      if (atoll_signature_read((atoll_bytes){whole, image.signature.length}, image.manifest, head, &signature))
        CHECK(signature.signature + signature.signature_bytes == copy + sizeof copy);
    }
  }
}

static void check_images(void) {
  atoll_image image;
  const char *detail = "";
  CHECK(atoll_image_open(&image, slot_image.at, slot_image.length, &detail));
  CHECK(image.has_trailer && image.model_bytes == slot_model.length &&
        memcmp(image.model, slot_model.at, slot_model.length) == 0);
  CHECK(atoll_text_is(image.target, "pico") && image.max_lsb == 0 && image.vector_count == SLOT_IMAGE_VECTORS);
  atoll_reader reader;
  uint32_t count, seed;
  atoll_bytes output;
  CHECK(atoll_image_vectors(&image, &reader, &count) && atoll_image_vector(&reader, &seed, &output) &&
        seed == SLOT_IMAGE_SEED && output.length == 3);
  // Any single wrong byte is detected, or is padding.
  for (uint32_t i = 0; i < slot_image.length; i++) {
    uint8_t damaged[1024];
    memcpy(damaged, slot_image.at, slot_image.length);
    damaged[i] ^= 0x20;
    const bool good = atoll_image_open(&image, damaged, slot_image.length, &detail);
    CHECK(!good || !image.has_trailer || memcmp(image.model, slot_model.at, slot_model.length) == 0);
  }
}

static bool accepted(const char *kind, const char *name) {
  printf("%s accepted: %s\n", kind, name);
  return true;
}

/** An image has one encoding: other encodings of the same content are refused. */
static void check_other_encodings(void) {
  atoll_image image;
  atoll_signature signature;
  uint8_t head[ATOLL_SIGNED_HEAD_BYTES];
  const char *detail = "";
  for (uint32_t i = 0; i < OTHER_IMAGES; i++) {
    const vector_bytes bytes = other_images[i].bytes;
    CHECK(!(atoll_image_open(&image, bytes.at, bytes.length, &detail) && accepted("image", other_images[i].name)));
  }
  CHECK(atoll_image_open(&image, signed_image.at, signed_image.length, &detail));
  for (uint32_t i = 0; i < OTHER_SIGNATURES; i++) {
    const atoll_bytes bytes = {other_signatures[i].bytes.at, other_signatures[i].bytes.length};
    CHECK(!(atoll_signature_read(bytes, image.manifest, head, &signature) &&
            accepted("signature", other_signatures[i].name)));
  }
  // ES256 with s at half the order of P-256, which is valid, and above it, which is the other value that verifies.
  uint8_t es256[128];
  memcpy(es256, image.signature.at, image.signature.length);
  uint8_t *s = es256 + image.signature.length - 32;
  es256[4] = ATOLL_ES256;
  static const uint32_t half_order[] = {0x7fffffff, 0x80000000, 0x7fffffff, 0xffffffff,
                                        0xde737d56, 0xd38bcf42, 0x79dce561, 0x7e3192a8};
  for (uint32_t i = 0; i < 32; i++) s[i] = (uint8_t)(half_order[i / 4] >> (8 * (3 - i % 4)));
  const atoll_bytes encoded = {es256, image.signature.length};
  CHECK(atoll_signature_read(encoded, image.manifest, head, &signature) && signature.algorithm == ATOLL_ES256);
  s[31]++;
  CHECK(!atoll_signature_read(encoded, image.manifest, head, &signature));
}

static void check_hashes(void) {
  uint8_t digest[32];
  atoll_sha256_of((const uint8_t *)"abc", 3, digest);
  static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
  CHECK(memcmp(digest, abc, sizeof abc) == 0);
  static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  atoll_sha256_of((const uint8_t *)two_blocks, 56, digest);
  static const uint8_t nist[] = {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8};
  CHECK(memcmp(digest, nist, sizeof nist) == 0);
  CHECK(atoll_crc16(0, (const uint8_t *)"123456789", 9) == 0x31c3);
  CHECK(atoll_crc32(0, (const uint8_t *)"123456789", 9) == 0xcbf43926);
  for (uint32_t i = 0; i < DRAWN_VECTORS; i++) {
    uint32_t state = atoll_draw_begin(drawn_vectors[i].seed);
    for (uint32_t k = 0; k < drawn_vectors[i].int8.length; k++)
      CHECK(atoll_draw(&state) == drawn_vectors[i].int8.at[k]);
  }
}

static void check_inflate(void) {
  for (uint32_t i = 0; i < COMPRESSED_VECTORS; i++) {
    const compressed_vector *vector = &compressed_vectors[i];
    uint32_t at = 16, block = vector->first_block;
    while (at + 2 <= vector->stream.length) {
      uint8_t out[4096];
      const uint32_t length = (uint32_t)(vector->stream.at[at] | (vector->stream.at[at + 1] << 8));
      const uint32_t from = block * vector->block_bytes, left = vector->image.length - from;
      const uint32_t expected = left < vector->block_bytes ? left : vector->block_bytes;
      CHECK(atoll_inflate(vector->stream.at + at + 2, length, out, expected) &&
            memcmp(out, vector->image.at + from, expected) == 0);
      CHECK(!atoll_inflate(vector->stream.at + at + 2, length, out, expected - 1));
      CHECK(!atoll_inflate(vector->stream.at + at + 2, length - 1, out, expected));
      at += 2 + length;
      block++;
    }
    CHECK(at == vector->stream.length && block * vector->block_bytes >= vector->image.length);
  }
}

typedef struct line {
  uint8_t bytes[4096];
  uint32_t length;
} line;

static void put(void *context, uint8_t byte) {
  line *to = context;
  if (to->length < sizeof to->bytes) to->bytes[to->length++] = byte;
}

static uint32_t take(atoll_console *console, const uint8_t *bytes, uint32_t length) {
  uint32_t last = 0;
  for (uint32_t i = 0; i < length; i++) {
    const uint32_t got = atoll_console_take(console, bytes[i]);
    if (got > 0) last = got;
  }
  return last;
}

static void check_console(void) {
  static const char hello[] = "Hello, world!", documented[] = "\x06\x09" "AA9IZWxsbywgd29ybGQhet4=\n";
  static atoll_console console;
  line sent = {.length = 0};
  atoll_console_send((const uint8_t *)hello, 13, put, &sent);
  CHECK(sent.length == strlen(documented) && memcmp(sent.bytes, documented, sent.length) == 0);
  CHECK(take(&console, (const uint8_t *)"log text\n", 9) == 0);
  CHECK(take(&console, sent.bytes, sent.length) == 13 && memcmp(console.frame + 2, hello, 13) == 0);
  for (uint32_t length = 1; length < 700; length += 7) {
    uint8_t packet[700];
    for (uint32_t i = 0; i < length; i++) packet[i] = (uint8_t)(i * 31 + length);
    sent.length = 0;
    atoll_console_send(packet, length, put, &sent);
    CHECK(take(&console, sent.bytes, sent.length) == length && memcmp(console.frame + 2, packet, length) == 0);
    // A damaged byte loses the packet; the next one arrives.
    sent.bytes[sent.length / 2] ^= 1;
    const uint32_t got = take(&console, sent.bytes, sent.length);
    CHECK(got == 0);
    sent.bytes[sent.length / 2] ^= 1;
    CHECK(take(&console, sent.bytes, sent.length) == length);
  }
}

/** The messages that a fleet device sends over its port, one after another. */
typedef struct said {
  char topic[ATOLL_TOPIC_BYTES];
  uint8_t payload[2048];
  uint32_t length, count;
} said;

static bool say(void *context, const char *topic, const uint8_t *payload, uint32_t length, bool retain) {
  said *last = context;
  (void)retain;
  last->count++;
  last->length = length;
  memcpy(last->payload, payload, length);
  strncpy(last->topic, topic, sizeof last->topic - 1);
  return true;
}

static bool name_topic(void *context, const char *topic) {
  said *last = context;
  strncpy(last->topic, topic, sizeof last->topic - 1);
  return true;
}

static uint64_t first_number(void *context) {
  (void)context;
  return 190000000000u;
}

static void check_reported(const atoll_reported *reported, const vector_bytes *expected) {
  uint8_t out[1024];
  atoll_writer writer = {out, out + sizeof out, false};
  atoll_reported_write(reported, &writer);
  CHECK(!writer.full && (uint32_t)(writer.at - out) == expected->length &&
        memcmp(out, expected->at, expected->length) == 0);
}

static void check_fleet(void) {
  uint8_t sha[32];
  for (uint8_t i = 0; i < 32; i++) sha[i] = i;
  for (uint32_t i = 0; i < DESIRED_VECTORS; i++) {
    const desired_vector *vector = &desired_vectors[i];
    const atoll_bytes encoded = {vector->encoded.at, vector->encoded.length};
    atoll_desired read;
    CHECK(atoll_desired_read(encoded, &read) && strcmp(read.rollout, vector->rollout) == 0 &&
          memcmp(read.sha, sha, 32) == 0);
    CHECK(read.attempt == vector->attempt && read.bytes == vector->bytes && read.block_bytes == vector->block_bytes &&
          read.seed == vector->seed);
    CHECK(read.deadline == vector->deadline && read.pull == vector->pull && read.outputs == vector->outputs);
    for (uint32_t length = 0; length < encoded.length; length++)
      CHECK(!atoll_desired_read((atoll_bytes){encoded.at, length}, &read));
  }
  static const uint8_t outputs[] = {1, 2};
  const atoll_tag tag = {"line", "a"};
  const atoll_desired desired = {.rollout = "spring", .attempt = 2};
  atoll_desired about = desired;
  memcpy(about.sha, sha, 32);
  const atoll_measured measured = {.vectors = 4,
                                   .arena = 1234,
                                   .runs = 30,
                                   .median_us = 100,
                                   .p95_us = 120,
                                   .has_crc = true,
                                   .has_samples = true,
                                   .crc = 0xcbf43926u,
                                   .samples = 50,
                                   .correct = 48,
                                   .outputs = {outputs, 2}};
  check_reported(&(atoll_reported){.sequence = 190000000001u, .target = "pico", .state = "idle"}, &reported_vectors[0]);
  check_reported(&(atoll_reported){.sequence = 2,
                                   .target = "pico",
                                   .state = "confirmed",
                                   .tags = &tag,
                                   .tag_count = 1,
                                   .desired = &about,
                                   .model = sha,
                                   .measured = &measured},
                 &reported_vectors[1]);
  check_reported(&(atoll_reported){.sequence = 3,
                                   .target = "pico",
                                   .state = "failed",
                                   .desired = &about,
                                   .code = "HASH_MISMATCH",
                                   .detail = "why"},
                 &reported_vectors[2]);
  // A device in pull mode requests its blocks and reports its position.
  static said last;
  static atoll_fleet fleet;
  static uint8_t answer[ATOLL_PACKET_BYTES];
  const atoll_fleet_port port = {.context = &last,
                                 .subscribe = name_topic,
                                 .unsubscribe = name_topic,
                                 .publish = say,
                                 .centiseconds = first_number};
  fake_runtime_init(&runtime);
  fake_system_init(&board);
  memset(area, 0xff, sizeof area);
  atoll_flash_model_init(&flash, area, written, 4096, 1024, 16);
  CHECK(atoll_device_boot(&device, &board.system, &flash.flash, &runtime.inference));
  atoll_fleet_init(&fleet, &device, &port, "f", NULL, 0);
  atoll_fleet_connected(&fleet);
  CHECK(strncmp(last.topic, "atoll/f/r/", 10) == 0);
  char topic[ATOLL_TOPIC_BYTES] = "atoll/f/d/";
  strcat(strcat(topic, board.system.id), "/desired");
  atoll_fleet_message(&fleet, topic, desired_vectors[0].encoded.at, desired_vectors[0].encoded.length, answer);
  CHECK(fleet.step == ATOLL_FLEET_FETCHING && fleet.blocks == 3 && strstr(last.topic, "/blk/req") != NULL);
  // The first of three blocks is missing: the vector requests the other two, and differs in one byte.
  CHECK(last.length == block_request.length);
  uint32_t differences = 0;
  for (uint32_t i = 0; i < last.length; i++) differences += last.payload[i] != block_request.at[i] ? 1u : 0u;
  CHECK(differences == 2);
}

int main(void) {
  check_hashes();
  check_inflate();
  check_images();
  check_other_encodings();
  check_signatures();
  check_console();
  check_device();
  check_fleet();
  return check_result("vectors");
}
