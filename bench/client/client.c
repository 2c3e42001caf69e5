/*
 * The bench's load generator: one named piece of work on one directory, by one or more processes, timed.
 *
 *     client WORK DIRECTORY COUNT [-c CLIENTS] [-s START] [-n SPAN] [-b BYTES] [-p PREFIX] [-t]
 *
 * prints one line: elapsed nanoseconds, operations, the longest operation in nanoseconds (0 where operations are not timed one
 * by one). It is in C because a client costs time too: here about as little as the system calls themselves.
 *
 * What is read is verified: file I begins with the number I in each 8 bytes of its first page, page P of a large file likewise.
 * Whatever is not as it must be ends the program with a message and exit code 1.
 */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS_MAX = 256 };

/* What the processes share: the barrier before the start, and their results. */
struct shared {
  int ready;
  int go;
  volatile sig_atomic_t stopping;
  uint64_t longest[CLIENTS_MAX];
  uint64_t done[CLIENTS_MAX];
};

static struct shared *shared;

static const struct work *found(const struct work *works, const char *name) {
  for (; works->name != NULL; works++)
    if (strcmp(works->name, name) == 0) return works;
  return NULL;
}

static void stop(int signal) {
  (void)signal;
  *stopping = 1;
}

/* Waits at the barrier, does its part, and ends. */
static void work_as_client(int client, const struct work *work) {
  start += (uint64_t)client * count;
  random_state = 88172645463325252u + (uint64_t)client;
  __atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&shared->go, __ATOMIC_SEQ_CST)) usleep(100);
  work->run();
  shared->longest[client] = longest;
  shared->done[client] = count;
  _exit(0);
}

int main(int argc, char **argv) {
  int clients = 1;
  for (int option; (option = getopt(argc, argv, "c:s:n:b:p:t")) != -1;) {
    switch (option) {
      case 'c': clients = atoi(optarg); break;
      case 's': start = strtoull(optarg, NULL, 10); break;
      case 'n': span = strtoull(optarg, NULL, 10); break;
      case 'b': file_bytes = strtoull(optarg, NULL, 10); break;
      case 'p': prefix = optarg; break;
      case 't': in_tree = 1; break;
      default: return 2;
    }
  }
  errno = 0;
  if (argc - optind != 3 || clients < 1 || clients > CLIENTS_MAX || file_bytes > CHUNK || file_bytes % 8 != 0) fail("bad arguments");
  directory = argv[optind + 1];
  uint64_t total = strtoull(argv[optind + 2], NULL, 10);
  if (span == 0) span = total;
  const struct work *work = found(small_file_works, argv[optind]);
  if (work == NULL) work = found(large_file_works, argv[optind]);
  if (work == NULL) fail("no such work: %s", argv[optind]);

  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap");
  stopping = &shared->stopping;
  struct sigaction on_stop = {.sa_handler = stop, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &on_stop, NULL);
  count = total / (uint64_t)clients;
  for (int client = 0; client < clients; client++) {
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) work_as_client(client, work);
  }
  while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < clients) usleep(100);
  uint64_t began = now();
  __atomic_store_n(&shared->go, 1, __ATOMIC_SEQ_CST);
  int failed = 0;
  for (int status; wait(&status) > 0;) failed |= status != 0;
  uint64_t elapsed = now() - began;
  uint64_t done = 0;
  for (int client = 0; client < clients; client++) {
    if (shared->longest[client] > longest) longest = shared->longest[client];
    done += shared->done[client];
  }
  if (failed) return 1;
  printf("%llu %llu %llu\n", (unsigned long long)elapsed, (unsigned long long)done, (unsigned long long)longest);
  return 0;
}
