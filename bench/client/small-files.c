/*
 * Work on many small files: what programs do with names.
 */
#define _GNU_SOURCE
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void create_files(int durable) {
  char path[4096];
  uint64_t since = now();
  for (uint64_t i = start; i < start + count; i++) {
    if (in_tree && (i % 100 == 0 || i == start)) make_directories(i);
    path_of(path, prefix, i);
    make_file(path, i, durable);
    since = lap(since);
  }
}

static void create(void) { create_files(0); }
static void create_fsync(void) { create_files(1); }

static void stat_all(void) {
  char path[4096];
  uint64_t since = now();
  for (uint64_t i = start; i < start + count; i++) {
    path_of(path, prefix, i);
    stat_file(path);
    since = lap(since);
  }
}

/* Names chosen at random among the SPAN files from number 0 on. */
static void lookup(void) {
  char path[4096];
  uint64_t since = now();
  for (uint64_t i = 0; i < count; i++) {
    path_of(path, prefix, chosen(span));
    stat_file(path);
    since = lap(since);
  }
}

static void read_all(void) {
  char path[4096];
  uint64_t since = now();
  for (uint64_t i = start; i < start + count; i++) {
    path_of(path, prefix, i);
    read_file(path, i);
    since = lap(since);
  }
}

/* Lists the directory and what is below; with `with_status`, asks for the attributes of each entry. */
static uint64_t list_below(int fd, int with_status) {
  DIR *stream = fdopendir(fd);
  if (stream == NULL) fail("opendir");
  uint64_t seen = 0;
  for (struct dirent *entry; (errno = 0, entry = readdir(stream)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (entry->d_type == DT_DIR && in_tree) {
      int child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY);
      if (child < 0) fail("open %s", entry->d_name);
      seen += list_below(child, with_status);
      continue;
    }
    struct stat status;
    if (with_status) {
      if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) fail("stat %s", entry->d_name);
      errno = 0;
      if (status.st_size != (off_t)file_bytes) fail("stat %s: %lld bytes", entry->d_name, (long long)status.st_size);
    }
    seen++;
  }
  if (errno != 0) fail("readdir");
  closedir(stream);
  return seen;
}

static void list_all(int with_status) {
  uint64_t seen = list_below(opened(directory, O_RDONLY | O_DIRECTORY), with_status);
  errno = 0;
  if (seen != count) fail("%s: %llu entries, not %llu", directory, (unsigned long long)seen, (unsigned long long)count);
}

static void list_names(void) { list_all(0); }
static void list_status(void) { list_all(1); }

static void rename_files(const char *from, const char *to) {
  char path[4096], target[4096];
  uint64_t since = now();
  for (uint64_t i = start; i < start + count; i++) {
    path_of(path, from, i);
    path_of(target, to, i);
    if (rename(path, target) != 0) fail("rename %s", path);
    since = lap(since);
  }
}

static void rename_all(void) { rename_files(prefix, "r"); }
static void rename_back(void) { rename_files("r", prefix); }

static void unlink_all(void) {
  char path[4096];
  uint64_t since = now();
  for (uint64_t i = start; i < start + count; i++) {
    path_of(path, prefix, i);
    if (unlink(path) != 0) fail("unlink %s", path);
    since = lap(since);
  }
}

/* What a build does to each of its files: made, looked at, read, given its name, and in the end removed. */
static void mixed(void) {
  char own[4096], path[4096], target[4096];
  sprintf(own, "%s/c%llu", directory, (unsigned long long)start);
  if (mkdir(own, 0755) != 0) fail("mkdir %s", own);
  directory = own;
  uint64_t since = now();
  for (uint64_t i = start; i < start + count; i++) {
    path_of(path, "t", i);
    path_of(target, "f", i);
    make_file(path, i, 0);
    stat_file(path);
    if (rename(path, target) != 0) fail("rename %s", path);
    read_file(target, i);
    if (i >= start + 8) {
      path_of(target, "f", i - 8);
      if (unlink(target) != 0) fail("unlink %s", target);
    }
    since = lap(since);
  }
}

/*
 * Asks for one small change after the other, so that each waits for an answer of the file system, until COUNT or SIGTERM. The
 * mode of a file is nothing that a kernel keeps to itself.
 */
static void probe(void) {
  char path[4096];
  sprintf(path, "%s/probed", directory);
  closed(opened(path, O_CREAT | O_WRONLY), path);
  uint64_t since = now(), i;
  for (i = 0; i < count && !*stopping; i++) {
    if (chmod(path, i % 2 == 0 ? 0600 : 0644) != 0) fail("chmod %s", path);
    since = lap(since);
  }
  count = i;
}

const struct work small_file_works[] = {
    {"create", create}, {"create-fsync", create_fsync}, {"stat", stat_all},           {"lookup", lookup},
    {"read", read_all}, {"list", list_names},           {"list-stat", list_status},   {"rename", rename_all},
    {"mixed", mixed},   {"unlink", unlink_all},         {"rename-back", rename_back}, {"probe", probe},
    {NULL, NULL},
};
