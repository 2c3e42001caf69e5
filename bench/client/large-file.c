/*
 * Work on one large file, and on one that grows by little pieces.
 */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { APPEND_BYTES = 100 };

/* A large file: COUNT pages. */
static void large_path(char *path) { sprintf(path, "%s/large", directory); }

static void write_large(void) {
  char path[4096];
  large_path(path);
  int fd = opened(path, O_CREAT | O_EXCL | O_WRONLY);
  for (uint64_t page = 0; page < count; page += CHUNK / PAGE) {
    uint64_t pages = count - page < CHUNK / PAGE ? count - page : CHUNK / PAGE;
    for (uint64_t i = 0; i < pages; i++) fill(buffer + i * PAGE, PAGE, page + i);
    if (write(fd, buffer, pages * PAGE) != (ssize_t)(pages * PAGE)) fail("write %s", path);
  }
  if (fsync(fd) != 0) fail("fsync %s", path);
  closed(fd, path);
}

static void read_large(void) {
  char path[4096];
  large_path(path);
  int fd = opened(path, O_RDONLY);
  uint64_t page = 0;
  for (ssize_t length; (length = read(fd, buffer, CHUNK)) != 0;) {
    if (length < 0 || length % PAGE != 0) fail("read %s", path);
    for (ssize_t i = 0; i < length / PAGE; i++) verify(buffer + i * PAGE, PAGE, page + (uint64_t)i, path);
    page += (uint64_t)length / PAGE;
  }
  errno = 0;
  if (page != count) fail("%s: %llu pages, not %llu", path, (unsigned long long)page, (unsigned long long)count);
  closed(fd, path);
}

/* COUNT pages at random among the SPAN pages of the large file. What is written is what was there. */
static void random_pages(int writing) {
  char path[4096];
  large_path(path);
  int fd = opened(path, O_RDWR);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t page = chosen(span);
    if (writing) fill(buffer, PAGE, page);
    ssize_t length = writing ? pwrite(fd, buffer, PAGE, (off_t)(page * PAGE)) : pread(fd, buffer, PAGE, (off_t)(page * PAGE));
    if (length != PAGE) fail("%s, page %llu", path, (unsigned long long)page);
    if (!writing) verify(buffer, PAGE, page, path);
  }
  closed(fd, path);
}

static void random_read(void) { random_pages(0); }
static void random_write(void) { random_pages(1); }

static void append(void) {
  char path[4096];
  sprintf(path, "%s/appended", directory);
  int fd = opened(path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND);
  for (uint64_t i = 0; i < count; i++) {
    memset(buffer, (int)(i & 0xff), APPEND_BYTES);
    if (write(fd, buffer, APPEND_BYTES) != APPEND_BYTES) fail("write %s", path);
  }
  closed(fd, path);
}

/* Checks what `append` has left. */
static void verify_append(void) {
  char path[4096];
  sprintf(path, "%s/appended", directory);
  FILE *file = fopen(path, "r");
  if (file == NULL) fail("open %s", path);
  for (uint64_t i = 0; i < count; i++) {
    if (fread(buffer, APPEND_BYTES, 1, file) != 1) fail("read %s", path);
    for (int k = 0; k < APPEND_BYTES; k++) {
      errno = 0;
      if ((unsigned char)buffer[k] != (i & 0xff)) fail("%s: wrong data in record %llu", path, (unsigned long long)i);
    }
  }
  if (fgetc(file) != EOF) fail("%s: longer than it was written", path);
  fclose(file);
}

const struct work large_file_works[] = {
    {"write-large", write_large},   {"read-large", read_large}, {"random-read", random_read},
    {"random-write", random_write}, {"append", append},         {"verify-append", verify_append},
    {NULL, NULL},
};
