#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYS_CLOSE_RANGE 436

void fail(const char *what) {
  dprintf(STDERR_FILENO, "sallyport: %s: %s\r\n", what, strerror(errno));
  _exit(EXIT_UNAVAILABLE);
}

/* All descriptors from `first` on. */
static void close_from(unsigned first) {
  if (syscall(SYS_CLOSE_RANGE, first, ~0u, 0) == 0) return;
  for (int fd = (int)first, end = getdtablesize(); fd < end; fd++) close(fd); /* before Linux 5.9 */
}

static void set_environment(const struct instructions *what, size_t from, size_t end) {
  for (size_t i = from; i < end; i++) {
    if (what->fields[i].kind == 'u') unsetenv(what->fields[i].bytes);
    if (what->fields[i].kind == 'e' && putenv(what->fields[i].bytes) != 0) fail("cannot set the environment");
  }
}

/* Everything that can fail but execv(2) itself. */
static void prepare(const struct instructions *what, const struct stage *stage) {
  set_environment(what, stage->own, stage->end);
  if (stage->directory != NULL && chdir(stage->directory) < 0) fail(stage->directory);
  if (stage->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("cannot give up privileges");
  if (enforce_layers(what->fields + stage->first, stage->end - stage->first) < 0)
    fail("the kernel does not confine the command");
}

static _Noreturn void execute(const struct stage *stage) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execv(stage->file, stage->argv);
  fail(stage->file);
}

/* One program between pipes: it says on `ready` that it is confined, and waits until all the others are. */
static _Noreturn void run_stage(const struct instructions *what, const struct stage *stage, int in, int out, int ready,
                                int go) {
  char byte = 0;
  if (in != STDIN_FILENO && dup2(in, STDIN_FILENO) < 0) fail("dup2");
  if (out != STDOUT_FILENO && dup2(out, STDOUT_FILENO) < 0) fail("dup2");
  prepare(what, stage);
  if (write(ready, &byte, 1) != 1) _exit(EXIT_UNAVAILABLE);
  close(ready);
  if (read(go, &byte, 1) != 1) _exit(EXIT_UNAVAILABLE); /* another has failed, and said why */
  close_from(STDERR_FILENO + 1);
  execute(stage);
}

/*
 * Starts all programs and waits for them, as the leader of their session. No signal that is meant for them ends us, and
 * none of them begins when one cannot.
 */
static _Noreturn void run_pipeline(const struct instructions *what) {
  sigset_t all;
  pid_t pids[STAGES_MAX];
  int in = STDIN_FILENO, ready[2], go[2], status = 0;
  char bytes[STAGES_MAX] = {0};
  size_t started, counted = 0;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0) fail("pipe");
  for (started = 0; started < what->count; started++) {
    int between[2] = {-1, STDOUT_FILENO};
    if (started + 1 < what->count && pipe2(between, O_CLOEXEC) < 0) fail("pipe");
    pids[started] = fork();
    if (pids[started] < 0) fail("fork"); /* what has begun waits for `go`, and ends with us */
    if (pids[started] == 0) {
      close(go[1]);
      close(ready[0]);
      if (between[0] >= 0) close(between[0]);
      run_stage(what, &what->stages[started], in, between[1], ready[1], go[0]);
    }
    if (in != STDIN_FILENO) close(in);
    if (between[1] != STDOUT_FILENO) close(between[1]);
    in = between[0];
  }
  close(ready[1]);
  while (counted < started) {
    ssize_t got = read(ready[0], bytes, sizeof bytes);
    if (got <= 0) _exit(EXIT_UNAVAILABLE); /* one has failed; without `go` the others end */
    counted += (size_t)got;
  }
  if (write(go[1], bytes, started) != (ssize_t)started) fail("cannot start the pipeline");
  close_from(STDIN_FILENO); /* their pipes and the terminal are theirs alone now */
  for (size_t i = 0; i < started; i++) waitpid(pids[i], &status, 0);
  uint8_t ended[2] = {WIFSIGNALED(status) ? 1 : 0, (uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status))};
  _exit(leave_like(ended));
}

void run_child(const struct instructions *what) {
  signal(SIGPIPE, SIG_DFL);
  close_from(STDERR_FILENO + 1);
  if (what->clear) clearenv();
  set_environment(what, 0, what->stages[0].own);
  if (what->count > 1) run_pipeline(what);
  prepare(what, &what->stages[0]);
  execute(&what->stages[0]);
}

int leave_like(const uint8_t status[2]) {
  int number = status[1];
  if (status[0] == 0) return number;
  if (number != SIGSTOP && number != SIGTSTP && number != SIGTTIN && number != SIGTTOU) { /* those would only stop us */
    sigset_t all;
    sigfillset(&all);
    signal(number, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    raise(number);
  }
  return EXIT_UNAVAILABLE; /* not a signal that anything dies of */
}
