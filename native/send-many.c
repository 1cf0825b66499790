/*
 * Sends bytes on many sockets in one call from JavaScript.
 *
 * Its state belongs to one environment, so any number of threads may load it. It does not know
 * whether a descriptor is still that of the right socket: the caller reads the descriptors right
 * before the call, and no other code runs between.
 */
#define NAPI_VERSION 8
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <node_api.h>

#include "ring.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Node ignores SIGPIPE. */
#endif

/* What one environment of Node keeps. */
typedef struct {
  ring* ring; /* NULL while each socket has a system call of its own. */
} state;

/* A ring is not worth its queues for fewer entries. */
#define MIN_RING_ENTRIES 4

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

static int is_valid(const int32_t* entry, size_t size) {
  const int32_t fd = entry[0];
  const int32_t offset = entry[1];
  const int32_t length = entry[2];
  return fd >= 0 && offset >= 0 && length > 0 && (size_t)offset <= size &&
         (size_t)length <= size - (size_t)offset;
}

static void send_each(int32_t* entry, uint32_t count, const uint8_t* bytes) {
  for (uint32_t i = 0; i < count; i++, entry += ENTRY) {
    entry[2] = send_one(entry[0], bytes + entry[1], (size_t)entry[2]);
  }
}

/* Sends entries that are valid. */
static void send_entries(state* state, int32_t* entries, uint32_t count, const uint8_t* bytes) {
  uint32_t done = 0;
  if (state->ring != NULL && count >= MIN_RING_ENTRIES) {
    done = ring_send(state->ring, entries, count, bytes);
    if (done < count) {
      ring_close(state->ring);
      state->ring = NULL;
    }
  }
  send_each(entries + done * ENTRY, count - done, bytes);
}

/*
 * sendMany(entries: Int32Array, count: number, bytes: Uint8Array): void
 *
 * Replaces the length of each entry by the number of bytes that the kernel has taken, or by a
 * negative errno. An entry that does not lie within `bytes` becomes -EINVAL, and is not sent.
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

  state* own;
  if (napi_get_instance_data(env, (void**)&own) != napi_ok) {
    napi_throw_error(env, NULL, "the state of the native sender is lost");
    return NULL;
  }
  int32_t* const entries = entries_data;
  /* The valid entries between two others are sent together. */
  uint32_t first = 0;
  for (uint32_t i = 0; i <= count; i++) {
    if (i < count && is_valid(entries + i * ENTRY, size)) continue;
    send_entries(own, entries + first * ENTRY, i - first, bytes_data);
    if (i < count) entries[i * ENTRY + 2] = -EINVAL;
    first = i + 1;
  }
  return NULL;
}

/* openRing(): number: 0 if sendMany uses io_uring from now on, otherwise the errno. */
static napi_value open_ring(napi_env env, napi_callback_info info) {
  state* own;
  napi_value result;
  (void)info;
  if (napi_get_instance_data(env, (void**)&own) != napi_ok) return NULL;
  const int problem = own->ring == NULL ? ring_open(&own->ring) : 0;
  return napi_create_int32(env, problem, &result) == napi_ok ? result : NULL;
}

static void release(napi_env env, void* data, void* hint) {
  state* const own = data;
  (void)env, (void)hint;
  if (own->ring != NULL) ring_close(own->ring);
  free(own);
}

static int export_function(napi_env env, napi_value exports, const char* name, napi_callback call) {
  napi_value function;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, call, NULL, &function) == napi_ok &&
         napi_set_named_property(env, exports, name, function) == napi_ok;
}

NAPI_MODULE_INIT() {
  state* const own = calloc(1, sizeof *own);
  if (own == NULL || napi_set_instance_data(env, own, release, NULL) != napi_ok) {
    free(own);
    return NULL;
  }
  const int exported = export_function(env, exports, "sendMany", send_many) &&
                       export_function(env, exports, "openRing", open_ring);
  return exported ? exports : NULL;
}
