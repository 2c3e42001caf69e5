/*
 * The clock by which the kernel stamps inodes (current_time in fs/inode.c): it moves with the timer's ticks. The kernel keeps the
 * times of files that are written to, by this clock. Another one here, a finer one in particular, would put changes out of their order.
 * From Linux 6.13 on the kernel's stamps may be up to a tick ahead of it, where another file system has needed a finer one meanwhile.
 */
#include "addon.h"

#include <errno.h>
#include <time.h>

/* inodeTime(out): 0, with the seconds since 1970 and the nanoseconds in the two elements of a Float64Array */
static napi_value inode_time(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  double *out = NULL;
  size_t count = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, arguments[0], &type, &count, (void **)&out, NULL, NULL) != napi_ok ||
      type != napi_float64_array || count < 2) {
    return int_result(env, -EINVAL);
  }
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0) {
    return int_result(env, -errno);
  }
  out[0] = (double)now.tv_sec;
  out[1] = (double)now.tv_nsec;
  return int_result(env, 0);
}

void add_clock(napi_env env, napi_value exports) { add_function(env, exports, "inodeTime", inode_time); }
