/*
 * The FUSE device: getting a descriptor, attaching it to a mount point, and moving messages through it.
 *
 * Facts about the device, from fuse_dev_do_read and fuse_dev_do_write in the kernel's fs/fuse/dev.c:
 * - One read() takes one whole request, one write() answers one; neither is ever split.
 * - read() gives EAGAIN when nothing is queued (the descriptor is O_NONBLOCK), ENOENT when the request was aborted while it
 *   was being copied, EINTR on a signal, and ENODEV once the mount is gone.
 * - write() gives ENOENT when the request is no longer waited for (it was interrupted or aborted).
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Longest text taken from JavaScript: a path (PATH_MAX, 4096) or the data of mount(2), which is one page. */
enum { TEXT_BYTES_MAX = 4096 };

/* Pauses between two looks at the device: lets a sibling hardware thread run, and the kernel take the queue's lock. */
enum { PAUSES_PER_POLL = 8 };

static inline void pause_briefly(void) {
  for (int i = 0; i < PAUSES_PER_POLL; i++) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    __asm__ volatile("" ::: "memory");
#endif
  }
}

static int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Copies a string argument; false when it is none or does not fit. */
static bool read_text(napi_env env, napi_value value, char text[TEXT_BYTES_MAX]) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, text, TEXT_BYTES_MAX, &length) != napi_ok) return false;
  /* A text that was cut fills the buffer but for the final NUL; one that just fits is refused with it. */
  return length < TEXT_BYTES_MAX - 1;
}

/* openFuseDevice(): descriptor */
static napi_value open_fuse_device(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  return int_result(env, fd < 0 ? -errno : fd);
}

/*
 * cloneFuseDevice(descriptor): a second descriptor of the same mount, with a queue of its own for requests that were read: when it
 * is closed, those end with ECONNABORTED, and the mount stays (FUSE_DEV_IOC_CLONE).
 */
static napi_value clone_fuse_device(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  uint32_t original = (uint32_t)as_int(env, arguments[0]);
  int fd = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return int_result(env, -errno);
  if (ioctl(fd, FUSE_DEV_IOC_CLONE, &original) < 0) {
    int failure = -errno;
    close(fd);
    return int_result(env, failure);
  }
  return int_result(env, fd);
}

/* mount(source, target, type, flags, data): 0 */
static napi_value mount_file_system(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  read_arguments(env, info, 5, arguments);
  char source[TEXT_BYTES_MAX], target[TEXT_BYTES_MAX], type[TEXT_BYTES_MAX], data[TEXT_BYTES_MAX];
  if (!read_text(env, arguments[0], source) || !read_text(env, arguments[1], target) ||
      !read_text(env, arguments[2], type) || !read_text(env, arguments[4], data)) {
    return int_result(env, -ENAMETOOLONG);
  }
  uint32_t flags = 0;
  napi_get_value_uint32(env, arguments[3], &flags);
  return int_result(env, mount(source, target, type, flags, data) < 0 ? -errno : 0);
}

/* unmount(target, flags): 0 */
static napi_value unmount_file_system(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  read_arguments(env, info, 2, arguments);
  char target[TEXT_BYTES_MAX];
  if (!read_text(env, arguments[0], target)) return int_result(env, -ENAMETOOLONG);
  return int_result(env, umount2(target, as_int(env, arguments[1])) < 0 ? -errno : 0);
}

/*
 * reconfigure(target): 0. Configures a file system anew as it is, with what the kernel does besides: it gives up all directory entries,
 * and with them inodes, that nobody uses (shrink_dcache_sb in reconfigure_super, fs/super.c), in slices, while others go on.
 */
static napi_value reconfigure_file_system(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  char target[TEXT_BYTES_MAX];
  if (!read_text(env, arguments[0], target)) return int_result(env, -ENAMETOOLONG);
#if defined(SYS_fspick) && defined(SYS_fsconfig)
  /* FSPICK_CLOEXEC and FSCONFIG_CMD_RECONFIGURE of linux/mount.h, which sys/mount.h does not get along with in all releases. */
  enum { PICK_CLOSE_ON_EXEC = 1, COMMAND_RECONFIGURE = 7 };
  int fd = (int)syscall(SYS_fspick, AT_FDCWD, target, PICK_CLOSE_ON_EXEC);
  if (fd < 0) return int_result(env, -errno);
  int result = syscall(SYS_fsconfig, fd, COMMAND_RECONFIGURE, NULL, NULL, 0) < 0 ? -errno : 0;
  close(fd);
  return int_result(env, result);
#else
  return int_result(env, -ENOSYS);
#endif
}

/* socketPair(): [descriptor, descriptor], or a negative errno */
static napi_value socket_pair(napi_env env, napi_callback_info info) {
  (void)info;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return int_result(env, -errno);
  napi_value result;
  napi_create_array_with_length(env, 2, &result);
  napi_set_element(env, result, 0, int_result(env, pair[0]));
  napi_set_element(env, result, 1, int_result(env, pair[1]));
  return result;
}

/*
 * receiveFileDescriptor(socket): descriptor, made O_NONBLOCK. Waits for the peer's message; ECONNRESET when the peer closed
 * without sending a descriptor.
 */
static napi_value receive_file_descriptor(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  char byte;
  struct iovec vector = {&byte, 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t received;
  do {
    received = recvmsg(as_int(env, arguments[0]), &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return int_result(env, -errno);
  struct cmsghdr *header = received == 0 ? NULL : CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
    return int_result(env, -ECONNRESET);
  }
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    int failure = -errno;
    close(fd);
    return int_result(env, failure);
  }
  return int_result(env, fd);
}

/* sendFileDescriptor(socket, descriptor): 0 */
static napi_value send_file_descriptor(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  read_arguments(env, info, 2, arguments);
  int fd = as_int(env, arguments[1]);
  char byte = 0;
  struct iovec vector = {&byte, 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
  ssize_t sent;
  do {
    sent = sendmsg(as_int(env, arguments[0]), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return int_result(env, sent < 0 ? -errno : 0);
}

int write_message(int fd, const uint8_t *message, size_t length) {
  for (;;) {
    if (write(fd, message, length) >= 0) return 0;
    if (errno == ENOENT) return 0;
    if (errno != EINTR) return -errno;
  }
}

/* Reads one message, looking for it until the time is over; 0 when none came. */
static int read_message(int fd, bytes into, int64_t spin_us) {
  int64_t deadline_ns = 0;
  for (;;) {
    ssize_t length = read(fd, into.data, into.length);
    if (length > 0) return (int)length;
    /* End of file: what stands in for the device (a socket) was closed by its peer. */
    if (length == 0) return -ENODEV;
    if (errno == ENOENT || errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (spin_us <= 0) return 0;
    int64_t now_ns = monotonic_ns();
    if (deadline_ns == 0) {
      deadline_ns = now_ns + spin_us * 1000;
    } else if (now_ns >= deadline_ns) {
      return 0;
    }
    pause_briefly();
  }
}

/* exchange(fd, reply, replyLength, request, spinMicroseconds): bytes of the next request */
static napi_value exchange(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  read_arguments(env, info, 5, arguments);
  int fd = as_int(env, arguments[0]);
  int32_t reply_length = as_int(env, arguments[2]);
  if (reply_length > 0) {
    bytes reply = as_bytes(env, arguments[1]);
    if (!contains(reply, 0, reply_length)) return int_result(env, -EINVAL);
    int failure = write_message(fd, reply.data, (size_t)reply_length);
    if (failure < 0) return int_result(env, failure);
  }
  return int_result(env, read_message(fd, as_bytes(env, arguments[3]), as_int(env, arguments[4])));
}

/* send(fd, message, length): 0 */
static napi_value send_message(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  read_arguments(env, info, 3, arguments);
  bytes message = as_bytes(env, arguments[1]);
  int32_t length = as_int(env, arguments[2]);
  if (!contains(message, 0, length)) return int_result(env, -EINVAL);
  return int_result(env, write_message(as_int(env, arguments[0]), message.data, (size_t)length));
}

void add_fuse_device(napi_env env, napi_value exports) {
  add_function(env, exports, "openFuseDevice", open_fuse_device);
  add_function(env, exports, "mount", mount_file_system);
  add_function(env, exports, "unmount", unmount_file_system);
  add_function(env, exports, "reconfigure", reconfigure_file_system);
  add_function(env, exports, "socketPair", socket_pair);
  add_function(env, exports, "receiveFileDescriptor", receive_file_descriptor);
  add_function(env, exports, "cloneFuseDevice", clone_fuse_device);
  add_function(env, exports, "sendFileDescriptor", send_file_descriptor);
  add_function(env, exports, "exchange", exchange);
  add_function(env, exports, "send", send_message);
}
