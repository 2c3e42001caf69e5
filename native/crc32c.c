/*
 * CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected 0x82F63B78, initial value and final complement 0xFFFFFFFF, as in
 * RFC 3720 appendix B.4 and in the crc32 instruction of SSE 4.2. crc32c("123456789") is 0xE3069283.
 *
 * The instruction has a latency of three cycles and a throughput of one, so long inputs are taken as three strands at
 * once. Joining two strands needs the first one's value as if so many zero bytes had followed: a linear map of 32 bits,
 * kept as four tables of 256 for the two strand lengths used.
 */
#include "addon.h"

#include <errno.h>
#include <string.h>

enum {
  PAGE_BYTES = 4096,
  /* Three of these leave a page little besides: 3 × 1360 + 16. */
  STRAND_BYTES_LONG = 1360,
  STRAND_BYTES_SHORT = 168
};

static const uint32_t POLYNOMIAL = 0x82F63B78;

/* The value after one more byte, by the low byte of the value. */
static uint32_t byte_table[256];

typedef uint32_t zeros_table[4][256];
static zeros_table zeros_long, zeros_short;

/* Values in this file are the running register: the complement is taken at the edges, in checksum(). */
static uint32_t update_by_table(uint32_t value, const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++) value = byte_table[(value ^ data[i]) & 0xFF] ^ (value >> 8);
  return value;
}

static uint32_t append_zeros(const zeros_table table, uint32_t value) {
  return table[0][value & 0xFF] ^ table[1][(value >> 8) & 0xFF] ^ table[2][(value >> 16) & 0xFF] ^
         table[3][value >> 24];
}

static void fill_zeros_table(zeros_table table, size_t strand_bytes) {
  uint32_t images[32];
  for (int bit = 0; bit < 32; bit++) {
    uint32_t value = (uint32_t)1 << bit;
    for (size_t i = 0; i < strand_bytes; i++) value = byte_table[value & 0xFF] ^ (value >> 8);
    images[bit] = value;
  }
  for (int lane = 0; lane < 4; lane++) {
    for (int byte = 0; byte < 256; byte++) {
      uint32_t value = 0;
      for (int bit = 0; bit < 8; bit++) {
        if (byte >> bit & 1) value ^= images[lane * 8 + bit];
      }
      table[lane][byte] = value;
    }
  }
}

#if defined(__x86_64__)
#define HARDWARE_CRC __attribute__((target("sse4.2")))
#define CRC_BYTE(value, byte) __builtin_ia32_crc32qi((value), (byte))
#define CRC_WORD(value, word) ((uint32_t)__builtin_ia32_crc32di((value), (word)))
static bool has_hardware_crc(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define HARDWARE_CRC __attribute__((target("+crc")))
#define CRC_BYTE(value, byte) __crc32cb((value), (byte))
#define CRC_WORD(value, word) __crc32cd((value), (word))
/* HWCAP_CRC32 of asm/hwcap.h */
static bool has_hardware_crc(void) { return getauxval(AT_HWCAP) >> 7 & 1; }
#endif

#ifdef HARDWARE_CRC

static inline uint64_t word_at(const uint8_t *data) {
  uint64_t word;
  memcpy(&word, data, sizeof word);
  return word;
}

HARDWARE_CRC static inline __attribute__((always_inline)) uint32_t update_strands(
    uint32_t value, const uint8_t *data, size_t strand_bytes, const zeros_table zeros) {
  uint32_t first = value, second = 0, third = 0;
  for (size_t i = 0; i < strand_bytes; i += 8) {
    first = CRC_WORD(first, word_at(data + i));
    second = CRC_WORD(second, word_at(data + strand_bytes + i));
    third = CRC_WORD(third, word_at(data + 2 * strand_bytes + i));
  }
  return append_zeros(zeros, append_zeros(zeros, first) ^ second) ^ third;
}

HARDWARE_CRC static uint32_t update_by_hardware(uint32_t value, const uint8_t *data, size_t length) {
  while (length >= 3 * STRAND_BYTES_LONG) {
    value = update_strands(value, data, STRAND_BYTES_LONG, zeros_long);
    data += 3 * STRAND_BYTES_LONG;
    length -= 3 * STRAND_BYTES_LONG;
  }
  while (length >= 3 * STRAND_BYTES_SHORT) {
    value = update_strands(value, data, STRAND_BYTES_SHORT, zeros_short);
    data += 3 * STRAND_BYTES_SHORT;
    length -= 3 * STRAND_BYTES_SHORT;
  }
  for (; length >= 8; data += 8, length -= 8) value = CRC_WORD(value, word_at(data));
  for (; length > 0; data++, length--) value = CRC_BYTE(value, *data);
  return value;
}

#endif

static uint32_t (*update)(uint32_t value, const uint8_t *data, size_t length) = update_by_table;

/* The checksum of a page whose own four bytes at `field` count as zeros. */
static uint32_t page_checksum(const uint8_t *page, size_t field) {
  static const uint8_t ZEROS[4];
  uint32_t value = update(0xFFFFFFFF, page, field);
  value = update(value, ZEROS, sizeof ZEROS);
  return ~update(value, page + field + 4, PAGE_BYTES - field - 4);
}

static uint32_t load_little_endian(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void store_little_endian(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static napi_value unsigned_result(napi_env env, uint32_t value) {
  napi_value result = NULL;
  napi_create_uint32(env, value, &result);
  return result;
}

static napi_value bool_result(napi_env env, bool value) {
  napi_value result = NULL;
  napi_get_boolean(env, value, &result);
  return result;
}

/* crc32c(bytes, offset, length, seed): checksum. A range outside of the array throws: no number could say so. */
static napi_value checksum(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  read_arguments(env, info, 4, arguments);
  bytes array = as_bytes(env, arguments[0]);
  int64_t offset = as_int64(env, arguments[1]);
  int64_t length = as_int64(env, arguments[2]);
  uint32_t seed = 0;
  napi_get_value_uint32(env, arguments[3], &seed);
  if (!contains(array, offset, length)) {
    napi_throw_range_error(env, NULL, "crc32c: the range lies outside of the array");
    return NULL;
  }
  return unsigned_result(env, ~update(~seed, array.data + offset, (size_t)length));
}

static bool is_field_in_page(int32_t field) { return field >= 0 && field <= PAGE_BYTES - 4; }

/* crc32cPages(bytes, pageIndexes: Uint32Array, count, checksumOffset): 0; EINVAL before anything is written */
static napi_value checksum_pages(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  read_arguments(env, info, 4, arguments);
  bytes array = as_bytes(env, arguments[0]);
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  uint32_t *indexes = NULL;
  napi_get_typedarray_info(env, arguments[1], &type, &length, (void **)&indexes, NULL, NULL);
  int32_t count = as_int(env, arguments[2]);
  int32_t field = as_int(env, arguments[3]);
  if (type != napi_uint32_array || count < 0 || (size_t)count > length || !is_field_in_page(field)) {
    return int_result(env, -EINVAL);
  }
  for (int32_t i = 0; i < count; i++) {
    if (!contains(array, (int64_t)indexes[i] * PAGE_BYTES, PAGE_BYTES)) return int_result(env, -EINVAL);
  }
  for (int32_t i = 0; i < count; i++) {
    uint8_t *page = array.data + (size_t)indexes[i] * PAGE_BYTES;
    store_little_endian(page + field, page_checksum(page, (size_t)field));
  }
  return int_result(env, 0);
}

/* isCrc32cPageValid(bytes, pageIndex, checksumOffset): boolean; false for a page outside of the array */
static napi_value is_page_valid(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  read_arguments(env, info, 3, arguments);
  bytes array = as_bytes(env, arguments[0]);
  int64_t index = as_int64(env, arguments[1]);
  int32_t field = as_int(env, arguments[2]);
  if (index < 0 || index > INT32_MAX || !is_field_in_page(field) || !contains(array, index * PAGE_BYTES, PAGE_BYTES)) {
    return bool_result(env, false);
  }
  const uint8_t *page = array.data + index * PAGE_BYTES;
  return bool_result(env, load_little_endian(page + field) == page_checksum(page, (size_t)field));
}

void add_crc32c(napi_env env, napi_value exports) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ POLYNOMIAL : value >> 1;
    byte_table[byte] = value;
  }
  fill_zeros_table(zeros_long, STRAND_BYTES_LONG);
  fill_zeros_table(zeros_short, STRAND_BYTES_SHORT);
#ifdef HARDWARE_CRC
  if (has_hardware_crc()) update = update_by_hardware;
#endif
  add_function(env, exports, "crc32c", checksum);
  add_function(env, exports, "crc32cPages", checksum_pages);
  add_function(env, exports, "isCrc32cPageValid", is_page_valid);
}
