/*
 * The calls on files that may wait for a device, or are long, on a thread of libuv's pool. Each returns a promise that never rejects.
 */
#include "file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A call on the thread pool. `array` keeps the bytes alive meanwhile; NULL for a sync. */
typedef struct {
  napi_async_work work;
  napi_deferred deferred;
  napi_ref array;
  range range;
  /* Where a message goes, and the bytes of its header, right before the range. */
  int device;
  size_t header_length;
  int64_t result;
} background_call;

static void read_on_thread(napi_env env, void *data) {
  (void)env;
  background_call *call = data;
  call->result = read_fully(call->range.fd, call->range.data, call->range.length, call->range.position);
}

/* Without a copy, if that goes. The header says how long the message is, so zeros stand for what is missing. */
static void send_on_thread(napi_env env, void *data) {
  (void)env;
  background_call *call = data;
  const range *r = &call->range;
  const uint8_t *message = r->data - call->header_length;
  if (splice_message(r->fd, r->position, r->length, message, call->header_length, call->device) == 0) {
    call->result = 0;
    return;
  }
  int64_t length = read_fully(r->fd, r->data, r->length, r->position);
  if (length < 0) {
    call->result = length;
    return;
  }
  memset(r->data + length, 0, r->length - (size_t)length);
  call->result = -write_message(call->device, message, call->header_length + r->length);
}

static void sync_on_thread(napi_env env, void *data) {
  (void)env;
  background_call *call = data;
  call->result = sync_data(call->range.fd);
}

/* Begins to write the range back; waits at most until the device takes the requests. */
static void start_writeback_on_thread(napi_env env, void *data) {
  (void)env;
  background_call *call = data;
  const range *r = &call->range;
  call->result = sync_file_range(r->fd, r->position, (off64_t)r->length, SYNC_FILE_RANGE_WRITE) < 0 ? -errno : 0;
}

static void finish_call(napi_env env, napi_status status, void *data) {
  background_call *call = data;
  if (status == napi_ok) napi_resolve_deferred(env, call->deferred, int64_result(env, call->result));
  if (call->array != NULL) napi_delete_reference(env, call->array);
  napi_delete_async_work(env, call->work);
  free(call);
}

/* Takes `call` over; returns the promise of its result. */
static napi_value start_call(napi_env env, background_call *call, const char *name, napi_async_execute_callback execute) {
  napi_value promise = NULL, label;
  napi_create_promise(env, &call->deferred, &promise);
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &label);
  napi_create_async_work(env, NULL, label, execute, finish_call, call, &call->work);
  napi_queue_async_work(env, call->work);
  return promise;
}

static napi_value resolved(napi_env env, int32_t value) {
  napi_deferred deferred;
  napi_value promise = NULL;
  napi_create_promise(env, &deferred, &promise);
  napi_resolve_deferred(env, deferred, int_result(env, value));
  return promise;
}

/* preadInBackground(fd, into, offset, length, position): promise of the bytes read */
static napi_value read_in_background(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  read_arguments(env, info, 5, arguments);
  range r;
  if (!read_range(env, arguments, &r)) return resolved(env, -EINVAL);
  background_call *call = calloc(1, sizeof *call);
  if (call == NULL) return resolved(env, -ENOMEM);
  call->range = r;
  napi_create_reference(env, arguments[1], 1, &call->array);
  return start_call(env, call, "razorfs:pread", read_on_thread);
}

/*
 * sendInBackground(fd, message, offset, length, position, device): promise of 0; a negative errno when the data could not be read
 * and nothing was sent, a positive one when it could not be sent
 */
static napi_value send_in_background(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  read_arguments(env, info, 6, arguments);
  range r;
  if (!read_range(env, arguments, &r)) return resolved(env, -EINVAL);
  background_call *call = calloc(1, sizeof *call);
  if (call == NULL) return resolved(env, -ENOMEM);
  call->range = r;
  call->header_length = (size_t)as_int64(env, arguments[2]);
  call->device = as_int(env, arguments[5]);
  napi_create_reference(env, arguments[1], 1, &call->array);
  return start_call(env, call, "razorfs:send", send_on_thread);
}

/* fdatasyncInBackground(fd): promise of 0 */
static napi_value sync_in_background(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  read_arguments(env, info, 1, arguments);
  background_call *call = calloc(1, sizeof *call);
  if (call == NULL) return resolved(env, -ENOMEM);
  call->range.fd = as_int(env, arguments[0]);
  return start_call(env, call, "razorfs:fdatasync", sync_on_thread);
}

/* startWritebackInBackground(fd, position, length): promise of 0 */
static napi_value start_writeback_in_background(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  read_arguments(env, info, 3, arguments);
  int64_t position = as_int64(env, arguments[1]);
  int64_t length = as_int64(env, arguments[2]);
  if (position < 0 || length <= 0) return resolved(env, -EINVAL);
  background_call *call = calloc(1, sizeof *call);
  if (call == NULL) return resolved(env, -ENOMEM);
  call->range = (range){as_int(env, arguments[0]), NULL, (size_t)length, position};
  return start_call(env, call, "razorfs:sync_file_range", start_writeback_on_thread);
}

void add_background_io(napi_env env, napi_value exports) {
  add_function(env, exports, "preadInBackground", read_in_background);
  add_function(env, exports, "sendInBackground", send_in_background);
  add_function(env, exports, "fdatasyncInBackground", sync_in_background);
  add_function(env, exports, "startWritebackInBackground", start_writeback_in_background);
}
