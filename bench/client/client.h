/*
 * What the pieces of work share: which part of the work this process does, and the checked calls that they are made of.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, CHUNK = 1 << 20 };

/* The arguments. Numbers of files and pages are counted from 0. */
extern const char *directory;
extern uint64_t start, count;
extern uint64_t span;
extern size_t file_bytes;
extern const char *prefix;
extern int in_tree;
/* Not 0 once the bench has sent SIGTERM: works that go on for as long as they are let end. */
extern volatile sig_atomic_t *stopping;

/* The longest operation so far, in nanoseconds. */
extern uint64_t longest;
/* The state of `chosen`; not 0. */
extern uint64_t random_state;
extern char buffer[CHUNK];

/* Ends the process with a message, and errno's text where it is not 0. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
uint64_t now(void);
/* Notes the duration of an operation that began at `since`; returns the present. */
uint64_t lap(uint64_t since);
/* A number below the limit: choices that are the same in each run. */
uint64_t chosen(uint64_t limit);
/* The path of file I: all in one directory, or 100 in each directory, 100 of which are in each directory above. */
void path_of(char *path, const char *kind, uint64_t i);
/* Makes the directories for file I of a tree. */
void make_directories(uint64_t i);
void fill(char *at, size_t length, uint64_t stamp);
void verify(const char *at, size_t length, uint64_t stamp, const char *what);
int opened(const char *path, int flags);
void closed(int fd, const char *path);
/* The file's content is `file_bytes` of its number. */
void make_file(const char *path, uint64_t i, int durable);
void read_file(const char *path, uint64_t i);
void stat_file(const char *path);

struct work {
  const char *name;
  void (*run)(void);
};
/* Each ends with a work without a name. */
extern const struct work small_file_works[], large_file_works[];

#endif
