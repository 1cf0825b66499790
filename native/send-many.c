/*
 * Sends bytes on many sockets in one call from JavaScript.
 *
 * It keeps no state, so any number of threads may load it. It does not know whether a descriptor is
 * still that of the right socket: the caller reads the descriptors right before the call, and no
 * other code runs between.
 */
#define NAPI_VERSION 8
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <node_api.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Node ignores SIGPIPE. */
#endif

/* The numbers of one entry: the descriptor, the offset of its bytes, and their length. */
#define ENTRY 3

static napi_value invalid(napi_env env, const char* problem) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", problem);
  return NULL;
}

static int32_t send_one(int32_t fd, const uint8_t* bytes, size_t length) {
  ssize_t sent;
  do {
    sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : (int32_t)sent;
}

/*
 * sendMany(entries: Int32Array, count: number, bytes: Uint8Array): void
 *
 * Replaces the length of each entry by the number of bytes that the kernel has taken, or by a
 * negative errno. An entry that does not lie within `bytes` becomes -EINVAL, and nothing is sent.
 */
static napi_value send_many(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t given = 3;
  napi_typedarray_type type;
  size_t numbers, size;
  void* entries_data;
  void* bytes_data;
  uint32_t count;

  if (napi_get_cb_info(env, info, &given, args, NULL, NULL) != napi_ok || given < 3) {
    return invalid(env, "expected three arguments");
  }
  if (napi_get_typedarray_info(env, args[0], &type, &numbers, &entries_data, NULL, NULL) !=
          napi_ok ||
      type != napi_int32_array) {
    return invalid(env, "expected an Int32Array of entries");
  }
  if (napi_get_value_uint32(env, args[1], &count) != napi_ok || count > numbers / ENTRY) {
    return invalid(env, "expected the number of entries");
  }
  if (napi_get_typedarray_info(env, args[2], &type, &size, &bytes_data, NULL, NULL) != napi_ok ||
      type != napi_uint8_array) {
    return invalid(env, "expected a Uint8Array of bytes");
  }

  int32_t* entry = entries_data;
  for (uint32_t i = 0; i < count; i++, entry += ENTRY) {
    const int32_t fd = entry[0];
    const int32_t offset = entry[1];
    const int32_t length = entry[2];
    const int valid = fd >= 0 && offset >= 0 && length > 0 && (size_t)offset <= size &&
                      (size_t)length <= size - (size_t)offset;
    entry[2] = valid ? send_one(fd, (const uint8_t*)bytes_data + offset, (size_t)length) : -EINVAL;
  }
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "sendMany", NAPI_AUTO_LENGTH, send_many, NULL, &function) !=
          napi_ok ||
      napi_set_named_property(env, exports, "sendMany", function) != napi_ok) {
    return NULL;
  }
  return exports;
}
