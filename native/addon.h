/*
 * What the parts of the addon share: registration, and reading arguments cheaply.
 *
 * Conventions, which src/native/addon.ts turns into types:
 * - Descriptors, flags and lengths arrive as numbers, 64-bit positions and sizes as doubles below 2^53.
 * - A failed system call returns its errno, negated. Nothing is thrown for I/O.
 * - An argument of the wrong kind reads as -1, NULL or an empty range, which the system call or the bounds check refuses
 *   with EBADF, EFAULT or EINVAL. So the hot functions need no checks of their own, and none can touch memory that is
 *   not the caller's.
 */
#ifndef RAZORFS_ADDON_H
#define RAZORFS_ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a typed array. They stay where they are at least until the call returns. */
typedef struct {
  uint8_t *data;
  size_t length;
} bytes;

static inline void read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

static inline int32_t as_int(napi_env env, napi_value value) {
  int32_t result = -1;
  napi_get_value_int32(env, value, &result);
  return result;
}

static inline int64_t as_int64(napi_env env, napi_value value) {
  int64_t result = -1;
  napi_get_value_int64(env, value, &result);
  return result;
}

static inline bytes as_bytes(napi_env env, napi_value value) {
  bytes result = {NULL, 0};
  if (napi_get_typedarray_info(env, value, NULL, &result.length, (void **)&result.data, NULL, NULL) != napi_ok) {
    result.length = 0;
  }
  return result;
}

/* Whether [offset, offset + length) lies within the array. */
static inline bool contains(bytes array, int64_t offset, int64_t length) {
  return offset >= 0 && length >= 0 && (uint64_t)offset <= array.length &&
         (uint64_t)length <= array.length - (uint64_t)offset;
}

static inline napi_value int_result(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

static inline napi_value int64_result(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int64(env, value, &result);
  return result;
}

/* Writes one message to the device, whole; 0 also when nobody waits for it any more, a negative errno when it failed. */
int write_message(int fd, const uint8_t *message, size_t length);

/*
 * Writes a header, and a range of a file behind it, as one message to the device, without a copy in this process (splice.c). Waits for
 * what is not cached. 0 also when nobody waits for the message; a negative errno when it was not sent, of which -ENODATA says that the
 * file ends before the range does.
 */
int splice_message(int fd, int64_t position, size_t length, const uint8_t *header, size_t header_length, int device);

void add_function(napi_env env, napi_value exports, const char *name, napi_callback function);

void add_fuse_device(napi_env env, napi_value exports);
void add_readiness(napi_env env, napi_value exports);
void add_file_io(napi_env env, napi_value exports);
void add_background_io(napi_env env, napi_value exports);
void add_affinity(napi_env env, napi_value exports);
void add_crc32c(napi_env env, napi_value exports);
void add_clock(napi_env env, napi_value exports);

#endif
