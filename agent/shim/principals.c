#include "shim.h"

#include <string.h>
#include <unistd.h>

/*
 * sshd logs the whole command, certificate included, when it exits non-zero: so every way out is exit 0, and to deny
 * is to print nothing.
 */
int run_principals(int argc, char **argv) {
  struct buffer out = {0}, in = {0};
  struct frame answer;
  struct buffer arguments = {0};
  for (int i = 2; i < argc; i++) {
    uint8_t length[4];
    put_u32(length, strlen(argv[i]));
    buffer_append(&arguments, length, sizeof length);
    buffer_append(&arguments, argv[i], strlen(argv[i]));
  }
  if (arguments.length + 1 > FRAME_MAX) return 0;
  frame_queue(&out, 'q', arguments.data, arguments.length, NULL, 0);

  int agent = connect_unix(RUN_DIRECTORY "/principals.sock");
  if (agent < 0 || frame_send_all(agent, &out) < 0) return 0;
  if (frame_receive(agent, &in, &answer, ANSWER_TIMEOUT_MS) < 0 || answer.type != 'p') return 0;
  for (size_t at = 0; at < answer.length;) {
    ssize_t written = write(STDOUT_FILENO, answer.data + at, answer.length - at);
    if (written <= 0) return 0;
    at += (size_t)written;
  }
  return 0;
}
