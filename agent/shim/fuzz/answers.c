/* The parts of the shim that read what the agent answers, with a connection to it that holds the case's bytes. */
int fuzz_connect(const char *path);
#define connect_unix fuzz_connect
#define start_child fuzz_start_child
#include "../session.c"
#include "../principals.c"
#include "fuzz.h"

#include <stdio.h>

static const uint8_t *answer_bytes;
static size_t answer_length;
static bool answered;
static char connected_to[128];

int fuzz_connect(const char *path) {
  int ends[2];
  if (answered) { /* the second connection is to the recorder: only its path is of interest */
    snprintf(connected_to, sizeof connected_to, "%s", path);
    return -1;
  }
  answered = true;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  for (size_t at = 0; at < answer_length;) {
    ssize_t sent = send(ends[1], answer_bytes + at, answer_length - at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) break;
    at += (size_t)sent;
  }
  shutdown(ends[1], SHUT_WR);
  fuzz_keep(ends[0], ends[1]);
  return ends[0];
}

static void begin(const uint8_t *data, size_t length) {
  answer_bytes = data;
  answer_length = length;
  answered = false;
  connected_to[0] = '\0';
}

void fuzz_session_answer(const uint8_t *data, size_t length) {
  struct buffer out = {0};
  int status = -1;
  begin(data, length);
  int recorder = ask_agent("command", false, &out, &status);
  free(out.data);
  fuzz_report("%d %d %zu ", recorder, status, strlen(connected_to));
  fuzz_report_bytes(connected_to, strlen(connected_to));
}

void fuzz_principals_answer(const uint8_t *data, size_t length) {
  char *argv[] = {"shim", "principals", "--user=x", NULL};
  begin(data, length);
  fuzz_report("%d ", run_principals(3, argv));
}
