#include "shim.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICKET_LENGTH 32

static struct terminal outer;

/* Shows text as the terminal was when sshd handed it over: lines end properly again. */
static void show(const void *text, size_t length) {
  if (outer.pty) tcsetattr(STDIN_FILENO, TCSANOW, &outer.modes);
  ssize_t ignored = write(STDERR_FILENO, text, length);
  (void)ignored;
}

static int unavailable(void) {
  static const char text[] =
      "sallyport: this host cannot record sessions right now, so none may start. Try again in a minute.\n";
  show(text, sizeof text - 1);
  return EXIT_UNAVAILABLE;
}

/*
 * The terminal that sshd made belongs to the user, so any process of theirs could write to it past the recorder: in
 * exclusive mode (TIOCEXCL, ioctl_tty(2)) it cannot be opened again. Raw, because the recorder's terminal does the
 * editing and the echo; from the start, so that what is typed ahead is not echoed twice.
 */
static int seize_terminal(void) {
  outer.pty = isatty(STDIN_FILENO) == 1;
  if (!outer.pty) return 0;
  if (ioctl(STDIN_FILENO, TIOCEXCL) < 0 || tcgetattr(STDIN_FILENO, &outer.modes) < 0) return -1;
  struct termios raw = outer.modes;
  cfmakeraw(&raw);
  return tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* Asks the agent whether this process, by its ancestry, may have a session. Returns the recorder's connection. */
static int ask_agent(const char *command, bool pty, struct buffer *out, int *status) {
  uint8_t head[3] = {PROTOCOL_VERSION, pty ? 1 : 0, command != NULL ? 1 : 0};
  size_t length = command == NULL ? 0 : strlen(command);
  if (length > FRAME_MAX / 2) {
    *status = unavailable();
    return -1;
  }
  frame_queue(out, 's', head, sizeof head, command, length);

  struct buffer in = {0};
  struct frame answer;
  int agent = connect_unix(RUN_DIRECTORY "/session.sock");
  if (agent < 0 || frame_send_all(agent, out) < 0 || frame_receive(agent, &in, &answer, ANSWER_TIMEOUT_MS) < 0) {
    *status = unavailable();
    return -1;
  }
  if (answer.type == 'r' && answer.length >= 1) {
    show(answer.data + 1, answer.length - 1);
    *status = answer.data[0];
    return -1;
  }
  char path[108];
  if (answer.type != 'g' || answer.length <= TICKET_LENGTH || answer.length - TICKET_LENGTH >= sizeof path) {
    *status = unavailable();
    return -1;
  }
  memcpy(path, answer.data + TICKET_LENGTH, answer.length - TICKET_LENGTH);
  path[answer.length - TICKET_LENGTH] = '\0';
  int recorder = connect_unix(path);
  if (recorder < 0) {
    *status = unavailable();
    return -1;
  }

  uint8_t hello[TICKET_LENGTH + 8] = {0};
  memcpy(hello, answer.data, TICKET_LENGTH);
  if (pty) {
    struct winsize size = {0};
    ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    put_u16(hello + TICKET_LENGTH, size.ws_row);
    put_u16(hello + TICKET_LENGTH + 2, size.ws_col);
    put_u16(hello + TICKET_LENGTH + 4, size.ws_xpixel);
    put_u16(hello + TICKET_LENGTH + 6, size.ws_ypixel);
  }
  const char *term = getenv("TERM");
  size_t term_length = term == NULL ? 0 : strnlen(term, 128);
  frame_queue(out, 'h', hello, sizeof hello, term, term_length);
  close(agent);
  free(in.data);
  return recorder;
}

int run_session(void) {
  struct buffer out = {0}, in = {0};
  struct frame instructions;
  struct streams streams = {.input = -1, .output = -1, .error = -1, .direct_input = -1, .direct_output = -1};
  int status = EXIT_UNAVAILABLE;
  signal(SIGPIPE, SIG_IGN);
  if (seize_terminal() < 0) return unavailable();

  int recorder = ask_agent(getenv("SSH_ORIGINAL_COMMAND"), outer.pty, &out, &status);
  if (recorder < 0) return status;
  if (frame_send_all(recorder, &out) < 0) return unavailable();
  if (frame_receive(recorder, &in, &instructions, ANSWER_TIMEOUT_MS) < 0 ||
      strchr("xytz", instructions.type) == NULL || instructions.type == 0)
    return unavailable();
  /* What detaches itself (nohup, setsid, a daemon) becomes our child, so that it can be told whose it is (prctl(2)). */
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t child = 0;
  streams.pty = outer.pty;
  if (instructions.type == 'x') {
    child = start_child(&instructions, &outer, &streams);
    if (child < 0) return unavailable();
    frame_drop(&in, &instructions);
  }
  return pump(recorder, &in, child, &streams, &outer);
}
