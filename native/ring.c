#define _DEFAULT_SOURCE
#include "ring.h"

#include <errno.h>

#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/io_uring.h>)
#define HAS_IO_URING
#endif
#endif

#ifdef HAS_IO_URING

#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same numbers on all architectures. */
#ifndef __NR_io_uring_setup
#define __NR_io_uring_setup 425
#define __NR_io_uring_enter 426
#endif

/* Requests of one system call. */
#define SIZE 256

struct ring {
  int fd;
  int is_lost; /* Something else has closed the descriptor, which may be another's by now. */
  void* queues;
  size_t queues_size;
  struct io_uring_sqe* requests;
  size_t requests_size;
  unsigned* requests_tail;
  unsigned* request_numbers;
  unsigned request_mask;
  struct io_uring_cqe* results;
  unsigned* results_head;
  unsigned* results_tail;
  unsigned result_mask;
};

static void* map(int fd, size_t size, off_t offset) {
  void* memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  return memory == MAP_FAILED ? NULL : memory;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

int ring_open(ring** opened) {
  struct io_uring_params params;
  memset(&params, 0, sizeof params);
  ring* const ring = calloc(1, sizeof *ring);
  if (ring == NULL) return ENOMEM;
  ring->fd = (int)syscall(__NR_io_uring_setup, SIZE, &params);
  if (ring->fd < 0) {
    const int problem = errno;
    free(ring);
    return problem;
  }
  /* Kernels before 5.6 do not know IORING_OP_SEND, and fail each request. Later ones have one
   * mapping for both queues. */
  if ((params.features & IORING_FEAT_RW_CUR_POS) == 0) {
    ring_close(ring);
    return ENOSYS;
  }
  ring->queues_size =
      larger(params.sq_off.array + params.sq_entries * sizeof(unsigned),
             params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe));
  ring->requests_size = params.sq_entries * sizeof(struct io_uring_sqe);
  ring->queues = map(ring->fd, ring->queues_size, IORING_OFF_SQ_RING);
  ring->requests = map(ring->fd, ring->requests_size, IORING_OFF_SQES);
  if (ring->queues == NULL || ring->requests == NULL) {
    ring_close(ring);
    return ENOMEM;
  }
  char* const queues = ring->queues;
  ring->requests_tail = (unsigned*)(queues + params.sq_off.tail);
  ring->request_numbers = (unsigned*)(queues + params.sq_off.array);
  ring->request_mask = *(unsigned*)(queues + params.sq_off.ring_mask);
  ring->results = (struct io_uring_cqe*)(queues + params.cq_off.cqes);
  ring->results_head = (unsigned*)(queues + params.cq_off.head);
  ring->results_tail = (unsigned*)(queues + params.cq_off.tail);
  ring->result_mask = *(unsigned*)(queues + params.cq_off.ring_mask);
  *opened = ring;
  return 0;
}

void ring_close(ring* ring) {
  if (ring->queues != NULL) munmap(ring->queues, ring->queues_size);
  if (ring->requests != NULL) munmap(ring->requests, ring->requests_size);
  if (!ring->is_lost) close(ring->fd);
  free(ring);
}

static void add_requests(ring* ring, const int32_t* entry, uint32_t count, const uint8_t* bytes) {
  const unsigned tail = *ring->requests_tail;
  for (uint32_t i = 0; i < count; i++, entry += ENTRY) {
    const unsigned at = (tail + i) & ring->request_mask;
    struct io_uring_sqe* const request = &ring->requests[at];
    memset(request, 0, sizeof *request);
    request->opcode = IORING_OP_SEND;
    request->fd = entry[0];
    request->addr = (uintptr_t)(bytes + entry[1]);
    request->len = (uint32_t)entry[2];
    /* So the kernel does each request at once, or fails it with EAGAIN. */
    request->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    request->user_data = i;
    ring->request_numbers[at] = at;
  }
  __atomic_store_n(ring->requests_tail, tail + count, __ATOMIC_RELEASE);
}

/* Takes the results that are there. Returns their number. */
static uint32_t take_results(ring* ring, int32_t* entries) {
  const unsigned head = *ring->results_head;
  const unsigned tail = __atomic_load_n(ring->results_tail, __ATOMIC_ACQUIRE);
  for (unsigned i = head; i != tail; i++) {
    const struct io_uring_cqe* const result = &ring->results[i & ring->result_mask];
    entries[result->user_data * ENTRY + 2] = result->res;
  }
  __atomic_store_n(ring->results_head, tail, __ATOMIC_RELEASE);
  return tail - head;
}

/* Does at most SIZE entries. Returns how many, from the first. */
static uint32_t send_batch(ring* ring, int32_t* entries, uint32_t count, const uint8_t* bytes) {
  uint32_t submitted = 0;
  uint32_t done = 0;
  int refused = 0;
  add_requests(ring, entries, count, bytes);
  while (done < (refused ? submitted : count)) {
    const uint32_t left = refused ? 0 : count - submitted;
    const long taken = syscall(__NR_io_uring_enter, ring->fd, left, submitted + left - done,
                               IORING_ENTER_GETEVENTS, NULL, 0);
    if (taken >= 0) submitted += (uint32_t)taken;
    else if (errno != EINTR) {
      /* Bytes that were sent must not be sent again, so the results of the others are needed. */
      if (refused) abort();
      refused = 1;
      ring->is_lost = errno == EBADF || errno == EOPNOTSUPP;
    }
    done += take_results(ring, entries);
  }
  return done;
}

uint32_t ring_send(ring* ring, int32_t* entries, uint32_t count, const uint8_t* bytes) {
  for (uint32_t i = 0; i < count;) {
    const uint32_t size = count - i < SIZE ? count - i : SIZE;
    const uint32_t done = send_batch(ring, entries + i * ENTRY, size, bytes);
    i += done;
    if (done < size) return i;
  }
  return count;
}

#else /* no io_uring */

int ring_open(ring** opened) {
  (void)opened;
  return ENOSYS;
}

void ring_close(ring* ring) { (void)ring; }

uint32_t ring_send(ring* ring, int32_t* entries, uint32_t count, const uint8_t* bytes) {
  (void)ring, (void)entries, (void)count, (void)bytes;
  return 0;
}

#endif
