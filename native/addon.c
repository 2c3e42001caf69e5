/*
 * The addon's entry: puts the functions of each part on the exports object.
 */
#include "addon.h"

void add_function(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok) {
    napi_set_named_property(env, exports, name, value);
  }
}

NAPI_MODULE_INIT() {
  add_fuse_device(env, exports);
  add_readiness(env, exports);
  add_file_io(env, exports);
  add_background_io(env, exports);
  add_crc32c(env, exports);
  add_affinity(env, exports);
  add_clock(env, exports);
  return exports;
}
