/*
 * The CPUs that the calling thread may run on (sched_setaffinity(2)), as the kernel has them: bit n of the bytes is CPU n.
 */
#include "addon.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The thread that calls. */
enum { SELF = 0 };

/* getAffinity(mask): bytes written; EINVAL when the mask is too short for the CPUs of this kernel. */
static napi_value get_affinity(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  bytes mask = as_bytes(env, arguments[0]);
  long length = syscall(SYS_sched_getaffinity, SELF, mask.length, mask.data);
  return int_result(env, length < 0 ? -errno : (int32_t)length);
}

/* setAffinity(mask): 0 */
static napi_value set_affinity(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  bytes mask = as_bytes(env, arguments[0]);
  return int_result(env, syscall(SYS_sched_setaffinity, SELF, mask.length, mask.data) < 0 ? -errno : 0);
}

void add_affinity(napi_env env, napi_value exports) {
  add_function(env, exports, "getAffinity", get_affinity);
  add_function(env, exports, "setAffinity", set_affinity);
}
