#include "verify.h"

#ifdef ATOLL_OPENSSL
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 4, ID_BYTES = 8, SIGNATURE_BYTES = 64 };

static struct {
  EVP_PKEY *key;
  uint8_t algorithm, id[ID_BYTES];
} trusted[KEYS];
static uint32_t count;

/** In the form that the key id is computed from: 32 bytes for Ed25519, or an uncompressed point. */
static size_t raw_key(EVP_PKEY *key, uint8_t algorithm, uint8_t raw[65]) {
  size_t length = 65;
  if (algorithm == ATOLL_EDDSA) return EVP_PKEY_get_raw_public_key(key, raw, &length) == 1 ? length : 0;
  return EVP_PKEY_get_octet_string_param(key, "pub", raw, 65, &length) == 1 ? length : 0;
}

bool verify_trust(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL || count == KEYS) return false;
  EVP_PKEY *key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
  fclose(file);
  if (key == NULL) return false;
  const uint8_t algorithm = EVP_PKEY_is_a(key, "ED25519") ? ATOLL_EDDSA : ATOLL_ES256;
  uint8_t raw[65], digest[SHA256_DIGEST_LENGTH];
  const size_t length = raw_key(key, algorithm, raw);
  if (length == 0) return false;
  SHA256(raw, length, digest);
  trusted[count].key = key;
  trusted[count].algorithm = algorithm;
  memcpy(trusted[count++].id, digest, ID_BYTES);
  return true;
}

/** r and s in OpenSSL's form. @return the length; 0 on failure */
static int der_of(const uint8_t *signature, uint8_t **der) {
  ECDSA_SIG *parts = ECDSA_SIG_new();
  const int half = SIGNATURE_BYTES / 2;
  int length = 0;
  if (parts != NULL &&
      ECDSA_SIG_set0(parts, BN_bin2bn(signature, half, NULL), BN_bin2bn(signature + half, half, NULL)) == 1)
    length = i2d_ECDSA_SIG(parts, der);
  ECDSA_SIG_free(parts);
  return length < 0 ? 0 : length;
}

static bool fits(EVP_PKEY *key, const atoll_signature *signature, const uint8_t *message, size_t length) {
  EVP_MD_CTX *digest = EVP_MD_CTX_new();
  uint8_t *der = NULL;
  const bool ecdsa = signature->algorithm == ATOLL_ES256;
  const int der_bytes = ecdsa ? der_of(signature->signature, &der) : 0;
  const bool done = digest != NULL && EVP_DigestVerifyInit(digest, NULL, ecdsa ? EVP_sha256() : NULL, NULL, key) == 1 &&
                    EVP_DigestVerify(digest, ecdsa ? der : signature->signature,
                                     ecdsa ? (size_t)der_bytes : SIGNATURE_BYTES, message, length) == 1;
  OPENSSL_free(der);
  EVP_MD_CTX_free(digest);
  return done;
}

bool verify_signature(void *context, const atoll_signature *signature) {
  (void)context;
  if (signature->key_id_bytes != ID_BYTES || signature->signature_bytes != SIGNATURE_BYTES) return false;
  const size_t length = (size_t)signature->head_bytes + signature->message_bytes;
  uint8_t *message = malloc(length);
  if (message == NULL) return false;
  memcpy(message, signature->head, signature->head_bytes);
  memcpy(message + signature->head_bytes, signature->message, signature->message_bytes);
  bool genuine = false;
  for (uint32_t i = 0; i < count && !genuine; i++) {
    const bool named =
        trusted[i].algorithm == signature->algorithm && memcmp(trusted[i].id, signature->key_id, ID_BYTES) == 0;
    genuine = named && fits(trusted[i].key, signature, message, length);
  }
  free(message);
  return genuine;
}

#else

bool verify_trust(const char *path) {
  (void)path;
  return false;
}

bool verify_signature(void *context, const atoll_signature *signature) {
  (void)context;
  (void)signature;
  return false;
}

#endif
