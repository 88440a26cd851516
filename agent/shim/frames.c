#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void put_u16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

void put_u32(uint8_t *at, size_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

uint32_t get_u32(const uint8_t *at) {
  return ((uint32_t)at[0] << 24) | ((uint32_t)at[1] << 16) | ((uint32_t)at[2] << 8) | (uint32_t)at[3];
}

int connect_unix(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  memcpy(address.sun_path, path, strlen(path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    if (errno == EINTR) continue;
    close(fd);
    return -1;
  }
  return fd;
}

void frame_queue(struct buffer *out, uint8_t type, const void *head, size_t head_length, const void *data, size_t length) {
  uint8_t prefix[5];
  put_u32(prefix, 1 + head_length + length);
  prefix[4] = type;
  buffer_append(out, prefix, sizeof prefix);
  buffer_append(out, head, head_length);
  buffer_append(out, data, length);
}

static long milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

/* Waits until fd can do `events` or the deadline passes. */
static int wait_for(int fd, short events, long deadline) {
  for (;;) {
    long left = deadline - milliseconds();
    if (left <= 0) return -1;
    struct pollfd one = {.fd = fd, .events = events};
    int ready = poll(&one, 1, (int)left);
    if (ready > 0) return 0;
    if (ready < 0 && errno != EINTR) return -1;
  }
}

int frame_send_all(int fd, struct buffer *out) {
  long deadline = milliseconds() + ANSWER_TIMEOUT_MS;
  while (out->length > 0) {
    ssize_t sent = send(fd, out->data + out->start, out->length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      buffer_consume(out, (size_t)sent);
    } else if (errno == EAGAIN) {
      if (wait_for(fd, POLLOUT, deadline) < 0) return -1;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

int frame_receive(int fd, struct buffer *in, struct frame *frame, int timeout_ms) {
  long deadline = milliseconds() + timeout_ms;
  for (;;) {
    int found = frame_next(in, frame);
    if (found != 0) return found < 0 ? -1 : 0;
    uint8_t chunk[CHUNK_MAX];
    ssize_t got = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got > 0) {
      buffer_append(in, chunk, (size_t)got);
    } else if (got == 0) {
      return -1;
    } else if (errno == EAGAIN) {
      if (wait_for(fd, POLLIN, deadline) < 0) return -1;
    } else if (errno != EINTR) {
      return -1;
    }
  }
}

int frame_next(const struct buffer *in, struct frame *frame) {
  if (in->length < 5) return 0;
  const uint8_t *at = in->data + in->start;
  uint32_t length = get_u32(at);
  if (length < 1 || length > FRAME_MAX) return -1;
  if (in->length < 4 + (size_t)length) return 0;
  frame->type = at[4];
  frame->data = at + 5;
  frame->length = length - 1;
  return 1;
}

void frame_drop(struct buffer *in, const struct frame *frame) { buffer_consume(in, 5 + frame->length); }
