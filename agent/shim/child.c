#include "shim.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

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
}

static void take_pipes(int input, int output, int error) {
  if (setsid() < 0) fail("setsid");
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(error, STDERR_FILENO);
}

static void close_pair(const int pair[2]) {
  if (pair[0] >= 0) close(pair[0]);
  if (pair[1] >= 0) close(pair[1]);
}

static pid_t start(const struct instructions *what, const struct terminal *outer, struct streams *streams) {
  bool pty = outer->pty;
  int input[2] = {-1, -1}, output[2] = {-1, -1}, error[2] = {-1, -1};
  if (pty ? what->terminal == NULL : what->terminal != NULL) return -1;
  if (pty && what->direct) return -1;
  bool piped = !pty && pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0 && pipe2(error, O_CLOEXEC) == 0;
  pid_t child = pty || piped ? fork() : -1;
  if (child < 0) {
    close_pair(input);
    close_pair(output);
    close_pair(error);
    return -1;
  }
  if (child == 0) {
    if (pty) take_terminal(what->terminal, &outer->modes);
    else take_pipes(input[0], output[1], error[1]);
    run_child(what);
  }
  if (!pty) {
    close(input[0]);
    close(output[1]);
    close(error[1]);
  }
  *streams = (struct streams){.pty = pty, .direct = what->direct, .input = input[1], .output = output[0],
                              .error = error[0], .direct_input = -1, .direct_output = -1};
  if (what->direct) {
    streams->direct_input = streams->input;
    streams->direct_output = streams->output;
    streams->input = streams->output = -1;
  }
  return child;
}

pid_t start_child(const struct frame *frame, const struct terminal *outer, struct streams *streams) {
  struct instructions what;
  pid_t child = read_instructions(frame, &what) < 0 ? -1 : start(&what, outer, streams);
  free_instructions(&what);
  return child;
}
