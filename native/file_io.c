/*
 * What Node's fs module lacks or does slowly: reads that do not wait, fallocate, lseek, clones of ranges, and sizes without an
 * object. background_io.c has the calls that may wait for a device.
 *
 * Reads go on after a short count until the range is full or the end of file is reached, because a short count is also how
 * the kernel reports an error in the middle of a range: the next call then gives the errno.
 */
#include "file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

int64_t read_fully(int fd, uint8_t *into, size_t length, int64_t position) {
  size_t done = 0;
  while (done < length) {
    ssize_t n = pread(fd, into + done, length - done, position + (int64_t)done);
    if (n == 0) break;
    if (n > 0) {
      done += (size_t)n;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return (int64_t)done;
}

/* The same from the page cache alone: -EAGAIN when any of it is not there. */
static int64_t read_cached(int fd, uint8_t *into, size_t length, int64_t position) {
  size_t done = 0;
  while (done < length) {
    struct iovec vector = {into + done, length - done};
    ssize_t n = preadv2(fd, &vector, 1, position + (int64_t)done, RWF_NOWAIT);
    if (n == 0) break;
    if (n > 0) {
      done += (size_t)n;
    } else if (errno == EOPNOTSUPP) {
      return read_fully(fd, into, length, position);
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return (int64_t)done;
}

static int64_t write_fully(int fd, const uint8_t *from, size_t length, int64_t position) {
  size_t done = 0;
  while (done < length) {
    ssize_t n = pwrite(fd, from + done, length - done, position + (int64_t)done);
    if (n > 0) {
      done += (size_t)n;
    } else if (n == 0) {
      return -EIO;
    } else if (errno != EINTR) {
      return -errno;
    }
  }
  return (int64_t)done;
}

int sync_data(int fd) {
  int result;
  do {
    result = fdatasync(fd);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : 0;
}

bool read_range(napi_env env, const napi_value *arguments, range *result) {
  bytes array = as_bytes(env, arguments[1]);
  int64_t offset = as_int64(env, arguments[2]);
  int64_t length = as_int64(env, arguments[3]);
  int64_t position = as_int64(env, arguments[4]);
  if (!contains(array, offset, length) || length > INT32_MAX || position < 0) return false;
  *result = (range){as_int(env, arguments[0]), array.data + offset, (size_t)length, position};
  return true;
}

/* pread(fd, into, offset, length, position): bytes read */
static napi_value read_positioned(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  read_arguments(env, info, 5, arguments);
  range r;
  if (!read_range(env, arguments, &r)) return int_result(env, -EINVAL);
  return int_result(env, (int32_t)read_fully(r.fd, r.data, r.length, r.position));
}

/* preadCached(fd, into, offset, length, position): bytes read; EAGAIN when that would wait */
static napi_value read_positioned_cached(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  read_arguments(env, info, 5, arguments);
  range r;
  if (!read_range(env, arguments, &r)) return int_result(env, -EINVAL);
  return int_result(env, (int32_t)read_cached(r.fd, r.data, r.length, r.position));
}

/* A file is read in order, and what is cached of it is cached in pieces: so many bytes apart, one is looked at. */
enum { PROBE_BYTES = 64 * 1024 };

/* Whether a range can be read without waiting: 0, -EAGAIN, or -ENODATA when the file ends before. It makes the host read ahead. */
static int probe_cache(const range *r) {
  for (size_t at = 0; at < r->length; at += PROBE_BYTES) {
    uint8_t byte;
    int64_t n = read_cached(r->fd, &byte, 1, r->position + (int64_t)at);
    if (n != 1) return n < 0 ? (int)n : -ENODATA;
  }
  uint8_t last;
  int64_t n = read_cached(r->fd, &last, 1, r->position + (int64_t)r->length - 1);
  return n == 1 ? 0 : n < 0 ? (int)n : -ENODATA;
}

/* sendCached(fd, message, offset, length, position, device): 0; EAGAIN when that would wait, another errno when it cannot be done */
static napi_value send_cached(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  read_arguments(env, info, 6, arguments);
  range r;
  if (!read_range(env, arguments, &r) || r.length == 0) return int_result(env, -EINVAL);
  int failure = probe_cache(&r);
  if (failure < 0) return int_result(env, failure);
  size_t header_length = (size_t)as_int64(env, arguments[2]);
  int device = as_int(env, arguments[5]);
  failure = splice_message(r.fd, r.position, r.length, r.data - header_length, header_length, device);
  /* By now this can only come from the pipe or the device. */
  return int_result(env, failure == -EAGAIN ? -EIO : failure);
}

/* pwrite(fd, from, offset, length, position): length */
static napi_value write_positioned(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  read_arguments(env, info, 5, arguments);
  range r;
  if (!read_range(env, arguments, &r)) return int_result(env, -EINVAL);
  return int_result(env, (int32_t)write_fully(r.fd, r.data, r.length, r.position));
}

/* fallocate(fd, mode, position, length): 0 */
static napi_value allocate(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  read_arguments(env, info, 4, arguments);
  int fd = as_int(env, arguments[0]);
  int mode = as_int(env, arguments[1]);
  int64_t position = as_int64(env, arguments[2]);
  int64_t length = as_int64(env, arguments[3]);
  int result;
  do {
    result = fallocate(fd, mode, position, length);
  } while (result < 0 && errno == EINTR);
  return int_result(env, result < 0 ? -errno : 0);
}

/* cloneRange(fd, source, position, length): 0; a length of 0 would mean all that follows (ioctl_ficlonerange(2)) */
static napi_value clone_range(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  read_arguments(env, info, 4, arguments);
  int64_t position = as_int64(env, arguments[2]);
  int64_t length = as_int64(env, arguments[3]);
  if (position < 0 || length <= 0) return int_result(env, -EINVAL);
  struct file_clone_range clone = {
      .src_fd = as_int(env, arguments[1]),
      .src_offset = (uint64_t)position,
      .src_length = (uint64_t)length,
      .dest_offset = (uint64_t)position,
  };
  int fd = as_int(env, arguments[0]);
  int result;
  do {
    result = ioctl(fd, FICLONERANGE, &clone);
  } while (result < 0 && errno == EINTR);
  return int_result(env, result < 0 ? -errno : 0);
}

/* ftruncate(fd, size): 0 */
static napi_value truncate_file(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  read_arguments(env, info, 2, arguments);
  int fd = as_int(env, arguments[0]);
  int64_t size = as_int64(env, arguments[1]);
  int result;
  do {
    result = ftruncate(fd, size);
  } while (result < 0 && errno == EINTR);
  return int_result(env, result < 0 ? -errno : 0);
}

/* lseek(fd, position, whence): position */
static napi_value seek(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  read_arguments(env, info, 3, arguments);
  int64_t result = lseek(as_int(env, arguments[0]), as_int64(env, arguments[1]), as_int(env, arguments[2]));
  return int64_result(env, result < 0 ? -errno : result);
}

/* fileSize(fd): bytes */
static napi_value file_size(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  struct stat status;
  return int64_result(env, fstat(as_int(env, arguments[0]), &status) < 0 ? -errno : (int64_t)status.st_size);
}

/* allocatedBytes(fd): bytes; st_blocks counts 512 whatever the block size (stat(2)) */
static napi_value allocated_bytes(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  struct stat status;
  return int64_result(env, fstat(as_int(env, arguments[0]), &status) < 0 ? -errno : (int64_t)status.st_blocks * 512);
}

/* fdatasync(fd): 0 */
static napi_value sync_now(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  return int_result(env, sync_data(as_int(env, arguments[0])));
}

/* Longest path taken, as PATH_MAX. */
static bool read_path(napi_env env, napi_value value, char path[PATH_MAX]) {
  size_t length = 0;
  return napi_get_value_string_utf8(env, value, path, PATH_MAX, &length) == napi_ok && length < PATH_MAX - 1;
}

/* fileSystemType(path): f_type of statfs(2), one of the magic numbers of linux/magic.h */
static napi_value file_system_type(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  char path[PATH_MAX];
  if (!read_path(env, arguments[0], path)) return int_result(env, -ENAMETOOLONG);
  struct statfs status;
  /* Magic numbers are 32 bits wide, and the field may be signed. */
  return int64_result(env, statfs(path, &status) < 0 ? -errno : (int64_t)(uint32_t)status.f_type);
}

/* fileSystemStatistics(path, out: Float64Array of 6): 0; fills in f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree */
static napi_value file_system_statistics(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  read_arguments(env, info, 2, arguments);
  char path[PATH_MAX];
  if (!read_path(env, arguments[0], path)) return int_result(env, -ENAMETOOLONG);
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  double *figures = NULL;
  napi_get_typedarray_info(env, arguments[1], &type, &length, (void **)&figures, NULL, NULL);
  if (type != napi_float64_array || length < 6) return int_result(env, -EINVAL);
  struct statvfs status;
  if (statvfs(path, &status) < 0) return int_result(env, -errno);
  figures[0] = (double)status.f_frsize;
  figures[1] = (double)status.f_blocks;
  figures[2] = (double)status.f_bfree;
  figures[3] = (double)status.f_bavail;
  figures[4] = (double)status.f_files;
  figures[5] = (double)status.f_ffree;
  return int_result(env, 0);
}

void add_file_io(napi_env env, napi_value exports) {
  add_function(env, exports, "pread", read_positioned);
  add_function(env, exports, "preadCached", read_positioned_cached);
  add_function(env, exports, "pwrite", write_positioned);
  add_function(env, exports, "fallocate", allocate);
  add_function(env, exports, "cloneRange", clone_range);
  add_function(env, exports, "ftruncate", truncate_file);
  add_function(env, exports, "lseek", seek);
  add_function(env, exports, "fileSize", file_size);
  add_function(env, exports, "allocatedBytes", allocated_bytes);
  add_function(env, exports, "fdatasync", sync_now);
  add_function(env, exports, "fileSystemType", file_system_type);
  add_function(env, exports, "fileSystemStatistics", file_system_statistics);
  add_function(env, exports, "sendCached", send_cached);
}
