#include "shim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void buffer_append(struct buffer *buffer, const void *data, size_t length) {
  if (length == 0) return;
  if (buffer->start > 0 && buffer->start + buffer->length + length > buffer->capacity) {
    memmove(buffer->data, buffer->data + buffer->start, buffer->length);
    buffer->start = 0;
  }
  if (buffer->length + length > buffer->capacity) {
    size_t capacity = buffer->capacity == 0 ? 8192 : buffer->capacity;
    while (capacity < buffer->length + length) capacity *= 2;
    uint8_t *grown = realloc(buffer->data, capacity);
    if (grown == NULL) _exit(EXIT_UNAVAILABLE);
    buffer->data = grown;
    buffer->capacity = capacity;
  }
  memcpy(buffer->data + buffer->start + buffer->length, data, length);
  buffer->length += length;
}

void buffer_consume(struct buffer *buffer, size_t length) {
  buffer->start += length;
  buffer->length -= length;
  if (buffer->length == 0) buffer->start = 0;
}

int buffer_flush(struct buffer *buffer, int fd, size_t limit) {
  size_t left = limit < buffer->length ? limit : buffer->length;
  while (left > 0) {
    ssize_t written = write(fd, buffer->data + buffer->start, left);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? 0 : -1;
    }
    buffer_consume(buffer, (size_t)written);
    left -= (size_t)written;
  }
  return 0;
}
