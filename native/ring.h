/* Sends on many sockets with one system call, by io_uring. Only Linux has it. */
#ifndef WS_RELAY_RING_H
#define WS_RELAY_RING_H

#include <stddef.h>
#include <stdint.h>

/* The numbers of one entry: the descriptor, the offset of its bytes, and their length. */
#define ENTRY 3

/* A queue of requests that the kernel and one thread share. */
typedef struct ring ring;

/* Returns 0 and the ring, or an errno: ENOSYS where there is no io_uring, EPERM where it is
 * forbidden. */
int ring_open(ring** opened);

void ring_close(ring* ring);

/*
 * Sends the entries, which are valid. The length of each becomes the number of bytes that the kernel
 * has taken, or a negative errno. It returns when the kernel has done all of them, and never waits
 * for room in a socket.
 *
 * Returns how many entries, from the first, were done. They are fewer than `count` if the kernel
 * has refused to go on: then the ring must not be used any more.
 */
uint32_t ring_send(ring* ring, int32_t* entries, uint32_t count, const uint8_t* bytes);

#endif
