/*
 * File data as messages of the FUSE device, without a copy in this process: the kernel takes references to the pages of the file's
 * page cache into a pipe (splice(2)), and copies them from there to where the message goes.
 *
 * Facts, from fs/splice.c, fs/pipe.c and fs/fuse/dev.c in the kernel:
 * - A pipe holds one page, or a part of one, in each slot. A message that does not fit is not sent at all here.
 * - fuse_dev_splice_write takes one message, all of what it is told to take.
 * - Ordinary users may have pipes of fs.pipe-max-size, 1 MiB by default, which is one slot too few for a message with as much data.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Slots of a page for 1 MiB of data at any position and its header, as a power of two. */
enum { PIPE_BYTES = 2 << 20, SLOT_BYTES = 4096 };

/* The pipe of each thread that sends; kept open between messages, and empty then. */
static __thread struct {
  int from;
  int to;
  size_t slots;
  bool open;
} conduit;

static int open_conduit(void) {
  if (conduit.open) return 0;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
  /* Where that may not be, the largest that may: smaller messages fit. */
  if (fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) < 0) fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES / 2);
  int size = fcntl(ends[1], F_GETPIPE_SZ);
  conduit.slots = size < 0 ? 0 : (size_t)size / SLOT_BYTES;
  conduit.from = ends[0];
  conduit.to = ends[1];
  conduit.open = true;
  return 0;
}

/* With what is in it. */
static void close_conduit(void) {
  close(conduit.from);
  close(conduit.to);
  conduit.open = false;
}

static ssize_t splice_once(int from, int64_t *position, int to, size_t length) {
  ssize_t n;
  do {
    n = splice(from, position, to, NULL, length, SPLICE_F_NONBLOCK);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

/* Puts header and data into the pipe: 0 when all is there. */
static int fill_conduit(int fd, int64_t position, size_t length, const uint8_t *header, size_t header_length) {
  ssize_t n = write(conduit.to, header, header_length);
  if (n != (ssize_t)header_length) return n < 0 ? -errno : -EAGAIN;
  while (length > 0) {
    n = splice_once(fd, &position, conduit.to, length);
    if (n <= 0) return n < 0 ? (int)n : -ENODATA;
    length -= (size_t)n;
  }
  return 0;
}

int splice_message(int fd, int64_t position, size_t length, const uint8_t *header, size_t header_length, int device) {
  int failure = open_conduit();
  if (failure < 0) return failure;
  size_t first = (size_t)(position % SLOT_BYTES);
  if (1 + (first + length + SLOT_BYTES - 1) / SLOT_BYTES > conduit.slots) return -ENOBUFS;
  failure = fill_conduit(fd, position, length, header, header_length);
  if (failure < 0) {
    close_conduit();
    return failure;
  }
  size_t total = header_length + length;
  ssize_t n = splice_once(conduit.from, NULL, device, total);
  if (n == (ssize_t)total) return 0;
  close_conduit();
  /* Nobody waits for the answer any more. */
  if (n == -ENOENT) return 0;
  return n < 0 ? (int)n : -EIO;
}
