/*
 * Watching a descriptor from Node's event loop: a callback when it can be read or was closed by the other side.
 *
 * The watch is level-triggered (epoll): it calls again on each turn of the loop for as long as the descriptor is readable,
 * so it is started once, and each call drains the descriptor.
 *
 * Lifetime: libuv needs the memory until its close callback has run, JavaScript until the external value that stands for
 * the watch is collected; whichever comes last frees it. A started watch holds its external value.
 */
#include "addon.h"

#include <stdlib.h>
#include <uv.h>

typedef struct {
  uv_poll_t poll; /* First: a uv_handle_t pointer to it is a pointer to the watch. */
  napi_env env;
  napi_ref callback;
  napi_ref self; /* Weak while stopped, strong while started. */
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  bool started;
  bool closed;    /* libuv has let go. */
  bool collected; /* JavaScript has let go. */
} watch;

static void on_closed(uv_handle_t *handle) {
  watch *w = (watch *)handle;
  napi_remove_async_cleanup_hook(w->cleanup);
  w->closed = true;
  if (w->collected) free(w);
}

static void hold_self(watch *w, bool hold) {
  uint32_t count;
  if (w->started == hold) return;
  w->started = hold;
  if (hold) {
    napi_reference_ref(w->env, w->self, &count);
  } else {
    napi_reference_unref(w->env, w->self, &count);
  }
}

static void close_watch(watch *w) {
  if (uv_is_closing((uv_handle_t *)&w->poll)) return;
  hold_self(w, false);
  uv_poll_stop(&w->poll);
  napi_delete_reference(w->env, w->callback);
  napi_async_destroy(w->env, w->context);
  uv_close((uv_handle_t *)&w->poll, on_closed);
}

/* The environment goes away (process.exit, end of a worker). */
static void close_at_exit(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  close_watch(data);
}

static void collect(napi_env env, void *data, void *hint) {
  (void)hint;
  watch *w = data;
  close_watch(w);
  napi_delete_reference(env, w->self);
  w->collected = true;
  if (w->closed) free(w);
}

/* libuv passes a negative status once the descriptor has failed (EPOLLERR: for /dev/fuse, the mount is gone). */
static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)events;
  watch *w = (watch *)poll;
  napi_env env = w->env;
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  napi_value callback, receiver, argument = int_result(env, status);
  napi_get_reference_value(env, w->callback, &callback);
  napi_get_global(env, &receiver);
  napi_status called = napi_make_callback(env, w->context, receiver, callback, 1, &argument, NULL);
  if (called == napi_pending_exception) {
    napi_value exception;
    napi_get_and_clear_last_exception(env, &exception);
    napi_fatal_exception(env, exception);
  }
  napi_close_handle_scope(env, scope);
}

/* watchReadable(fd, callback): handle, or a negative errno. The descriptor becomes O_NONBLOCK. */
static napi_value watch_readable(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  read_arguments(env, info, 2, arguments);
  uv_loop_t *loop = NULL;
  napi_get_uv_event_loop(env, &loop);
  watch *w = calloc(1, sizeof *w);
  if (w == NULL) return int_result(env, UV_ENOMEM);
  int failure = uv_poll_init(loop, &w->poll, as_int(env, arguments[0]));
  if (failure < 0) {
    free(w);
    return int_result(env, failure);
  }
  w->env = env;
  napi_value name, external;
  napi_create_string_utf8(env, "razorfs:readable", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &w->context);
  napi_create_reference(env, arguments[1], 1, &w->callback);
  napi_add_async_cleanup_hook(env, close_at_exit, w, &w->cleanup);
  napi_create_external(env, w, collect, NULL, &external);
  napi_create_reference(env, external, 0, &w->self);
  return external;
}

/* NULL for a watch that was closed: libuv must not see it again. */
static watch *as_watch(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  void *data = NULL;
  napi_get_value_external(env, arguments[0], &data);
  watch *w = data;
  return w == NULL || uv_is_closing((uv_handle_t *)&w->poll) ? NULL : w;
}

/* startWatch(handle): 0 */
static napi_value start_watch(napi_env env, napi_callback_info info) {
  watch *w = as_watch(env, info);
  if (w == NULL) return int_result(env, UV_EBADF);
  int failure = uv_poll_start(&w->poll, UV_READABLE | UV_DISCONNECT, on_readable);
  if (failure == 0) hold_self(w, true);
  return int_result(env, failure);
}

/* stopWatch(handle): 0 */
static napi_value stop_watch(napi_env env, napi_callback_info info) {
  watch *w = as_watch(env, info);
  if (w == NULL) return int_result(env, UV_EBADF);
  hold_self(w, false);
  return int_result(env, uv_poll_stop(&w->poll));
}

/* closeWatch(handle): undefined. The descriptor is the caller's, to close afterwards. */
static napi_value close_watch_handle(napi_env env, napi_callback_info info) {
  watch *w = as_watch(env, info);
  if (w != NULL) close_watch(w);
  return NULL;
}

void add_readiness(napi_env env, napi_value exports) {
  add_function(env, exports, "watchReadable", watch_readable);
  add_function(env, exports, "startWatch", start_watch);
  add_function(env, exports, "stopWatch", stop_watch);
  add_function(env, exports, "closeWatch", close_watch_handle);
}
