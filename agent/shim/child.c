#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ARGUMENTS_MAX 8

/* What an `x` frame says: fields of kind (1 byte), length (u32) and bytes. */
struct instructions {
  char *terminal, *file, *argv[ARGUMENTS_MAX + 1];
};

/* Reads the fields; sets and unsets the environment on the way. -1 when the frame is not what it should be. */
static int read_instructions(const struct frame *frame, struct instructions *to) {
  size_t at = 0, arguments = 0;
  while (at < frame->length) {
    if (frame->length - at < 5) return -1;
    uint8_t kind = frame->data[at];
    size_t length = get_u32(frame->data + at + 1);
    at += 5;
    if (length > frame->length - at || memchr(frame->data + at, 0, length) != NULL) return -1;
    char *text = strndup((const char *)frame->data + at, length);
    if (text == NULL) return -1;
    at += length;
    if (kind == 't') {
      to->terminal = text;
    } else if (kind == 'f') {
      to->file = text;
    } else if (kind == 'a' && arguments < ARGUMENTS_MAX) {
      to->argv[arguments++] = text;
    } else if (kind == 'e' && strchr(text, '=') != NULL) {
      putenv(text);
    } else if (kind == 'u') {
      unsetenv(text);
    } else {
      return -1;
    }
  }
  return to->file != NULL && arguments > 0 ? 0 : -1;
}

static void fail(const char *what) {
  dprintf(STDERR_FILENO, "sallyport: %s: %s\r\n", what, strerror(errno));
  _exit(EXIT_UNAVAILABLE);
}

/* Makes the recorder's terminal the controlling one, with the modes and size that sshd gave the outer one. */
static void take_terminal(const char *path, const struct termios *modes) {
  struct winsize size;
  bool have_size = ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0;
  if (setsid() < 0) fail("setsid");
  int terminal = open(path, O_RDWR);
  if (terminal < 0) fail("cannot open the session's terminal");
  if (ioctl(terminal, TIOCSCTTY, 0) < 0) fail("cannot take the session's terminal");
  tcsetattr(terminal, TCSANOW, modes);
  if (have_size) ioctl(terminal, TIOCSWINSZ, &size);
  dup2(terminal, STDIN_FILENO);
  dup2(terminal, STDOUT_FILENO);
  dup2(terminal, STDERR_FILENO);
  if (terminal > STDERR_FILENO) close(terminal);
}

static void take_pipes(int input, int output, int error) {
  if (setsid() < 0) fail("setsid");
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(error, STDERR_FILENO);
}

pid_t start_child(const struct frame *frame, const struct terminal *outer, struct streams *streams) {
  bool pty = outer->pty;
  struct instructions what = {0};
  int input[2] = {-1, -1}, output[2] = {-1, -1}, error[2] = {-1, -1};
  if (read_instructions(frame, &what) < 0 || (pty && what.terminal == NULL)) return -1;
  if (!pty && (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0)) return -1;

  pid_t child = fork();
  if (child == 0) {
    signal(SIGPIPE, SIG_DFL);
    if (pty) {
      take_terminal(what.terminal, &outer->modes);
    } else {
      take_pipes(input[0], output[1], error[1]);
    }
    execv(what.file, what.argv);
    fail(what.file);
  }
  if (!pty) {
    close(input[0]);
    close(output[1]);
    close(error[1]);
  }
  *streams = (struct streams){.pty = pty, .input = input[1], .output = output[0], .error = error[0]};
  return child;
}
