/*
 * What the calls on files share, whether on the calling thread (file_io.c) or another one (background_io.c).
 */
#ifndef RAZORFS_FILE_IO_H
#define RAZORFS_FILE_IO_H

#include "addon.h"

/* The arguments (fd, bytes, offset, length, position) of the positioned calls. */
typedef struct {
  int fd;
  uint8_t *data;
  size_t length;
  int64_t position;
} range;

/* False when they do not name a part of the array. */
bool read_range(napi_env env, const napi_value *arguments, range *result);

/* Bytes read, fewer than length only at the end of file; a negative errno. */
int64_t read_fully(int fd, uint8_t *into, size_t length, int64_t position);

/* fdatasync(2): 0 or a negative errno. */
int sync_data(int fd);

#endif
