/*
 * Checked calls and verified contents, of which the pieces of work are made.
 */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES_PER_LEAF = 100, LEAVES_PER_BRANCH = 100 };

const char *directory;
uint64_t start, count, span;
size_t file_bytes = PAGE;
const char *prefix = "f";
int in_tree;
volatile sig_atomic_t *stopping;
uint64_t longest, random_state;
char buffer[CHUNK] __attribute__((aligned(4096)));

void fail(const char *format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
  exit(1);
}

uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t lap(uint64_t since) {
  uint64_t time = now();
  if (time - since > longest) longest = time - since;
  return time;
}

/* xorshift64 */
uint64_t chosen(uint64_t limit) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % limit;
}

void path_of(char *path, const char *kind, uint64_t i) {
  if (in_tree) {
    uint64_t leaf = i / FILES_PER_LEAF;
    sprintf(path, "%s/d%llu/d%llu/%s%09llu", directory, (unsigned long long)(leaf / LEAVES_PER_BRANCH),
            (unsigned long long)(leaf % LEAVES_PER_BRANCH), kind, (unsigned long long)i);
  } else {
    sprintf(path, "%s/%s%09llu", directory, kind, (unsigned long long)i);
  }
}

void fill(char *at, size_t length, uint64_t stamp) {
  uint64_t *words = (uint64_t *)at;
  for (size_t i = 0; i < length / 8; i++) words[i] = stamp;
}

void verify(const char *at, size_t length, uint64_t stamp, const char *what) {
  const uint64_t *words = (const uint64_t *)at;
  for (size_t i = 0; i < length / 8; i++) {
    if (words[i] != stamp) {
      errno = 0;
      fail("%s: wrong data at byte %zu of the part with stamp %llu", what, i * 8, (unsigned long long)stamp);
    }
  }
}

int opened(const char *path, int flags) {
  int fd = open(path, flags, 0644);
  if (fd < 0) fail("open %s", path);
  return fd;
}

void closed(int fd, const char *path) {
  if (close(fd) != 0) fail("close %s", path);
}

void make_directories(uint64_t i) {
  char path[4096];
  uint64_t leaf = i / FILES_PER_LEAF;
  sprintf(path, "%s/d%llu", directory, (unsigned long long)(leaf / LEAVES_PER_BRANCH));
  if (mkdir(path, 0755) != 0 && errno != EEXIST) fail("mkdir %s", path);
  sprintf(path + strlen(path), "/d%llu", (unsigned long long)(leaf % LEAVES_PER_BRANCH));
  if (mkdir(path, 0755) != 0 && errno != EEXIST) fail("mkdir %s", path);
}

void make_file(const char *path, uint64_t i, int durable) {
  int fd = opened(path, O_CREAT | O_EXCL | O_WRONLY);
  if (file_bytes > 0) {
    fill(buffer, file_bytes, i);
    if (write(fd, buffer, file_bytes) != (ssize_t)file_bytes) fail("write %s", path);
  }
  if (durable && fsync(fd) != 0) fail("fsync %s", path);
  closed(fd, path);
}

void read_file(const char *path, uint64_t i) {
  int fd = opened(path, O_RDONLY);
  if (read(fd, buffer, sizeof buffer) != (ssize_t)file_bytes) fail("read %s: not %zu bytes", path, file_bytes);
  verify(buffer, file_bytes, i, path);
  closed(fd, path);
}

void stat_file(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) fail("stat %s", path);
  if (status.st_size != (off_t)file_bytes) fail("stat %s: %lld bytes", path, (long long)status.st_size);
}

