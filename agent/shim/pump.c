#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every wait is in one poll(2) and no write blocks: output that nobody reads must not keep input from arriving. */
enum { USER_IN, USER_OUT, USER_ERR, RECORDER, CHILD_IN, CHILD_OUT, CHILD_ERR, SIGNALS, WAITS };

/* A stream on its way to the contractor. Only the first `released` bytes may be shown: those are in the spool. */
struct outward {
  struct buffer bytes;
  size_t released;
};

struct pump {
  int recorder, signals;
  struct streams streams;
  const struct terminal *outer;
  pid_t child; /* 0 before the first */
  struct buffer to_recorder, to_child;
  struct buffer *from_recorder;
  struct outward output, error;
  bool user_eof, child_reaped, status_sent, killing, finishing, gone, recorder_lost;
  uint8_t status[2]; /* 0 exit status | 1 signal, value */
};

static void set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (fd >= 0 && flags >= 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* read(2) into `chunk`: the count, 0 when nothing is there yet, -1 at the end of the stream or on an error. */
static ssize_t take(int fd, uint8_t *chunk, size_t size) {
  ssize_t got = read(fd, chunk, size);
  if (got > 0) return got;
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void close_stream(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void reap(struct pump *p) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != p->child || p->child_reaped) continue; /* detached by the command, and adopted by us */
    p->child_reaped = true;
    p->status[0] = WIFSIGNALED(status) ? 1 : 0;
    p->status[1] = (uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  }
}

/* The command is over when it has been reaped and, without a terminal, its output has been read to the end. */
static void report_status(struct pump *p) {
  if (p->child == 0 || p->status_sent || !p->child_reaped || p->streams.output >= 0 || p->streams.error >= 0) return;
  frame_queue(&p->to_recorder, 'w', p->status, sizeof p->status, NULL, 0);
  p->status_sent = true;
}

/* To the command and all its processes; just after its start it has no group of its own yet. */
static void signal_command(const struct pump *p, int number) {
  if (p->child > 0 && !p->child_reaped && kill(-p->child, number) < 0) kill(p->child, number);
}

/*
 * Kills our children, proc_pid_children(5): the command and what it has left behind, in whatever group. Theirs become ours
 * then (prctl(2), PR_SET_CHILD_SUBREAPER), and are killed when we hear of the death that made them so.
 */
static void kill_children(void) {
  FILE *children = fopen("/proc/thread-self/children", "re");
  long pid;
  if (children == NULL) return; /* a kernel without it: then the group was all */
  while (fscanf(children, "%ld", &pid) == 1) kill((pid_t)pid, SIGKILL);
  fclose(children);
}

static void handle_signals(struct pump *p) {
  struct signalfd_siginfo info;
  while (read(p->signals, &info, sizeof info) == sizeof info) {
    int number = (int)info.ssi_signo;
    if (number == SIGCHLD) {
      reap(p);
      if (p->killing) kill_children();
    } else if (number == SIGWINCH) {
      struct winsize size;
      uint8_t frame[8];
      if (!p->streams.pty || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0) continue;
      put_u16(frame, size.ws_row);
      put_u16(frame + 2, size.ws_col);
      put_u16(frame + 4, size.ws_xpixel);
      put_u16(frame + 6, size.ws_ypixel);
      frame_queue(&p->to_recorder, 'n', frame, sizeof frame, NULL, 0);
    } else if (number == SIGHUP && p->streams.pty) {
      p->gone = true;
    } else {
      /* RFC 4254 §6.9: a signal that the client sent; sshd passed it to us, it was meant for the command. */
      signal_command(p, number);
    }
  }
}

static void user_input(struct pump *p) {
  uint8_t chunk[CHUNK_MAX];
  ssize_t got = take(STDIN_FILENO, chunk, sizeof chunk);
  if (got > 0) {
    frame_queue(&p->to_recorder, 'i', NULL, 0, chunk, (size_t)got);
    if (p->streams.input >= 0) buffer_append(&p->to_child, chunk, (size_t)got);
  } else if (got < 0) {
    p->user_eof = true;
    if (p->streams.pty) p->gone = true;
    else frame_queue(&p->to_recorder, 'j', NULL, 0, NULL, 0);
  }
}

static void child_output(struct pump *p, int *fd, struct outward *to, uint8_t type) {
  uint8_t chunk[CHUNK_MAX];
  ssize_t got = take(*fd, chunk, sizeof chunk);
  if (got > 0) {
    /* Of a direct one the recorder says what of its standard error is shown, in `t` frames. */
    if (!p->streams.direct) buffer_append(&to->bytes, chunk, (size_t)got);
    frame_queue(&p->to_recorder, type, NULL, 0, chunk, (size_t)got);
  } else if (got < 0) {
    close_stream(fd);
  }
}

/* Shows bytes that the recorder sent itself: they are recorded. Never between bytes that still wait for release. */
static void show(struct outward *to, const struct frame *frame) {
  buffer_append(&to->bytes, frame->data, frame->length);
  to->released += frame->length;
}

static int release(struct outward *stream, uint32_t count) {
  if (count > stream->bytes.length - stream->released) return -1;
  stream->released += count;
  return 0;
}

static void say_started(struct pump *p) {
  uint8_t where[12];
  put_u32(where, (size_t)p->child);
  put_u32(where + 4, (size_t)p->streams.direct_input);
  put_u32(where + 8, (size_t)p->streams.direct_output);
  frame_queue(&p->to_recorder, 'c', where, p->streams.direct ? sizeof where : 0, NULL, 0);
}

/* Another child, when the one before has ended and been told of. */
static int start_next(struct pump *p, const struct frame *frame) {
  struct streams streams;
  if (p->child > 0 && !p->status_sent) return -1;
  pid_t child = start_child(frame, p->outer, &streams);
  if (child < 0) return -1;
  close_stream(&p->streams.input);
  close_stream(&p->streams.direct_input);
  close_stream(&p->streams.direct_output);
  buffer_consume(&p->to_child, p->to_child.length);
  p->streams = streams;
  p->child = child;
  p->child_reaped = p->status_sent = p->killing = false;
  set_nonblocking(streams.input);
  set_nonblocking(streams.output);
  set_nonblocking(streams.error);
  say_started(p);
  return 0;
}

static int recorder_frame(struct pump *p, const struct frame *frame) {
  switch (frame->type) {
    case 'd':
      if (!p->streams.pty) return -1;
      show(&p->output, frame);
      return 0;
    case 't':
      if (p->streams.pty) show(&p->output, frame);
      else if (p->error.released == p->error.bytes.length) show(&p->error, frame);
      return 0;
    case 'a':
      if (frame->length != 8 || p->streams.pty) return -1;
      if (release(&p->output, get_u32(frame->data)) < 0) return -1;
      return release(&p->error, get_u32(frame->data + 4));
    case 'x':
      return start_next(p, frame);
    case 'y':
      return p->child > 0 ? -1 : 0;
    case 'k':
      if (frame->length != 1 || frame->data[0] == 0 || frame->data[0] > SIGRTMAX) return -1;
      signal_command(p, frame->data[0]);
      if (frame->data[0] == SIGKILL) {
        p->killing = true;
        kill_children();
      }
      return 0;
    case 'm':
      if (frame->length != 0 || !p->streams.direct) return -1;
      close_stream(&p->streams.direct_input);
      close_stream(&p->streams.direct_output);
      return 0;
    case 'z':
      if (frame->length != 2) return -1;
      memcpy(p->status, frame->data, 2);
      p->finishing = true;
      return 0;
    default:
      return -1;
  }
}

static void serve_frames(struct pump *p) {
  struct frame frame;
  int found = 0;
  while (!p->finishing && !p->gone && (found = frame_next(p->from_recorder, &frame)) == 1) {
    if (recorder_frame(p, &frame) < 0) p->gone = true;
    frame_drop(p->from_recorder, &frame);
  }
  if (found < 0) p->gone = true;
}

static void from_recorder(struct pump *p) {
  uint8_t chunk[2 * CHUNK_MAX];
  ssize_t got = take(p->recorder, chunk, sizeof chunk);
  if (got < 0) p->gone = p->recorder_lost = true;
  if (got <= 0) return;
  buffer_append(p->from_recorder, chunk, (size_t)got);
  serve_frames(p);
}

static void flush_outward(struct pump *p, struct outward *stream, int fd) {
  size_t before = stream->bytes.length;
  if (buffer_flush(&stream->bytes, fd, stream->released) < 0) p->gone = true;
  stream->released -= before - stream->bytes.length;
}

static void flush(struct pump *p) {
  if (!p->finishing && p->to_recorder.length > 0 && buffer_flush(&p->to_recorder, p->recorder, SIZE_MAX) < 0)
    p->gone = p->recorder_lost = true;
  if (p->streams.input >= 0) {
    if (buffer_flush(&p->to_child, p->streams.input, SIZE_MAX) < 0) {
      close_stream(&p->streams.input); /* the command reads no more; sshd would drop its input too */
      p->to_child.length = 0;
    } else if (p->user_eof && p->to_child.length == 0) {
      close_stream(&p->streams.input);
    }
  }
  flush_outward(p, &p->output, STDOUT_FILENO);
  flush_outward(p, &p->error, STDERR_FILENO);
}

static bool done(const struct pump *p) {
  return p->gone || (p->finishing && p->output.released == 0 && p->error.released == 0);
}

static void wait_and_serve(struct pump *p) {
  struct pollfd wait[WAITS];
  for (int i = 0; i < WAITS; i++) wait[i] = (struct pollfd){.fd = -1};
  bool recorder_takes = p->to_recorder.length < BUFFER_LIMIT && !p->finishing;
  if (!p->user_eof && !p->streams.direct && recorder_takes && p->to_child.length < BUFFER_LIMIT) wait[USER_IN] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
  wait[USER_OUT] = (struct pollfd){STDOUT_FILENO, p->output.released > 0 ? POLLOUT : 0, 0};
  wait[USER_ERR] = (struct pollfd){STDERR_FILENO, p->error.released > 0 ? POLLOUT : 0, 0};
  if (!p->finishing) { /* it has said its last word, and hangs up while the rest is still being shown */
    wait[RECORDER] = (struct pollfd){p->recorder, p->to_recorder.length > 0 ? POLLOUT : 0, 0};
    if (p->output.released < BUFFER_LIMIT && p->error.released < BUFFER_LIMIT) wait[RECORDER].events |= POLLIN;
  }
  if (p->to_child.length > 0) wait[CHILD_IN] = (struct pollfd){p->streams.input, POLLOUT, 0};
  if (recorder_takes && p->output.bytes.length < BUFFER_LIMIT) wait[CHILD_OUT] = (struct pollfd){p->streams.output, POLLIN, 0};
  if (recorder_takes && p->error.bytes.length < BUFFER_LIMIT) wait[CHILD_ERR] = (struct pollfd){p->streams.error, POLLIN, 0};
  wait[SIGNALS] = (struct pollfd){p->signals, POLLIN, 0};

  if (poll(wait, WAITS, -1) < 0) return;
  if (wait[SIGNALS].revents) handle_signals(p);
  if ((wait[USER_OUT].revents | wait[USER_ERR].revents) & (POLLERR | POLLHUP | POLLNVAL)) p->gone = true;
  if (wait[RECORDER].revents & (POLLIN | POLLHUP | POLLERR)) from_recorder(p);
  if (wait[USER_IN].revents) user_input(p);
  if (wait[CHILD_OUT].revents) child_output(p, &p->streams.output, &p->output, 'o');
  if (wait[CHILD_ERR].revents) child_output(p, &p->streams.error, &p->error, 'e');
}

/* The one thing that is ever shown and not recorded: that nothing can be recorded any more. */
static void say_recorder_lost(bool pty) {
  static const char text[] = "sallyport: This session cannot be recorded any longer, so it ends. Log in again.";
  dprintf(STDERR_FILENO, pty ? "\r\n%s\r\n" : "%s\n", text);
}

int pump(int recorder, struct buffer *from, pid_t child, const struct streams *streams, const struct terminal *outer) {
  struct pump p = {.recorder = recorder, .from_recorder = from, .child = child, .streams = *streams, .outer = outer};
  static const int handled[] = {SIGCHLD, SIGWINCH, SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};
  sigset_t mask;
  sigemptyset(&mask);
  for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++) sigaddset(&mask, handled[i]);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  p.signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);

  int fds[] = {STDERR_FILENO, recorder, streams->input, streams->output, streams->error, STDIN_FILENO, STDOUT_FILENO};
  /* What the recorder pumps itself is the same open file there, and its own to set. */
  size_t count = sizeof fds / sizeof fds[0] - (streams->direct ? 2 : 0);
  for (size_t i = 0; i < count; i++) set_nonblocking(fds[i]);
  if (child > 0) say_started(&p);
  reap(&p); /* it may be over already, before its SIGCHLD was blocked */
  serve_frames(&p); /* and frames may have come along with the instructions */

  for (;;) {
    report_status(&p);
    flush(&p);
    if (done(&p)) break;
    wait_and_serve(&p);
  }
  if (p.finishing) return leave_like(p.status);
  /* The recorder or the contractor is gone: the session ends. Closing our end tells the recorder, which hangs up. */
  signal_command(&p, SIGHUP);
  if (p.recorder_lost) say_recorder_lost(p.streams.pty);
  return EXIT_UNAVAILABLE;
}
