/* Including the sources, not linking them: the parsers are static there. */
#define start_child fuzz_start_child
#define kill fuzz_kill
#include "../pump.c"
#undef kill
#include "fuzz.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#define REPORT_MAX (1024u * 1024u)
#define CASE_MAX (4u * 1024u * 1024u)

static char report[REPORT_MAX];
static size_t report_length;
static int kept[2] = {-1, -1};

void fuzz_report(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int added = vsnprintf(report + report_length, sizeof report - report_length, format, arguments);
  va_end(arguments);
  if (added < 0 || (size_t)added >= sizeof report - report_length) abort();
  report_length += (size_t)added;
}

void fuzz_report_bytes(const void *data, size_t length) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (uint32_t)((uint64_t)(hash ^ ((const uint8_t *)data)[i]) * 16777619u);
  fuzz_report("%08" PRIx32, hash);
}

void fuzz_keep(int one, int other) {
  kept[0] = one;
  kept[1] = other;
}

/* Frames out of a stream that comes in pieces of `data[0] + 1` bytes, times a hundred when data[1] is odd. */
static void frames_case(const uint8_t *data, size_t length) {
  struct buffer in = {0};
  struct frame frame;
  int found = 0;
  if (length < 2) return;
  size_t piece = ((size_t)data[0] + 1) * (data[1] % 2 == 1 ? 100 : 1);
  for (size_t at = 2; at < length && found >= 0;) {
    size_t next = length - at < piece ? length - at : piece;
    buffer_append(&in, data + at, next);
    at += next;
    while ((found = frame_next(&in, &frame)) == 1) {
      fuzz_report("%u:%zu:", frame.type, frame.length);
      fuzz_report_bytes(frame.data, frame.length);
      fuzz_report(" ");
      frame_drop(&in, &frame);
    }
  }
  fuzz_report("%s", found < 0 ? "bad" : "ok");
  free(in.data);
}

static void report_text(const char *text) {
  fuzz_report(" ");
  fuzz_report_bytes(text, strlen(text));
}

static void instructions_case(const uint8_t *data, size_t length) {
  struct frame frame = {.type = 'x', .data = data, .length = length};
  struct instructions what;
  int result = read_instructions(&frame, &what);
  fuzz_report("%d", result);
  if (result == 0) {
    fuzz_report(" %zu %d %d %d", what.count, what.terminal != NULL, what.clear, what.direct);
    for (const struct stage *stage = what.stages; stage < what.stages + what.count; stage++) {
      fuzz_report(" |%d", stage->no_new_privileges);
      report_text(stage->file);
      report_text(stage->directory == NULL ? "" : stage->directory);
      for (char **argument = stage->argv; *argument != NULL; argument++) report_text(*argument);
      for (size_t i = stage->first; i < stage->end; i++) {
        if (what.fields[i].kind != 'L' && what.fields[i].kind != 'P') continue;
        fuzz_report(" %c", what.fields[i].kind);
        fuzz_report_bytes(what.fields[i].bytes, what.fields[i].length);
      }
    }
  }
  free_instructions(&what);
}

/* No case starts anything, and none has a child to signal. */
pid_t fuzz_start_child(const struct frame *frame, const struct terminal *terminal, struct streams *streams) {
  (void)frame, (void)terminal, (void)streams;
  return -1;
}

int fuzz_kill(pid_t pid, int number) {
  (void)pid, (void)number;
  abort();
}

/*
 * Frames of a recorder, to a pump that has output waiting: data[0] odd for a terminal, then how many hundred bytes of
 * output and of errors wait. What is released never exceeds what is there.
 */
static void pump_case(const uint8_t *data, size_t length) {
  static uint8_t waiting[256 * 100];
  if (length < 3) return;
  struct buffer in = {0};
  struct pump p = {.recorder = -1, .from_recorder = &in};
  p.streams.pty = data[0] % 2 == 1;
  buffer_append(&p.output.bytes, waiting, (size_t)data[1] * 100);
  buffer_append(&p.error.bytes, waiting, (size_t)data[2] * 100);
  for (size_t at = 3; at < length && !p.gone && !p.finishing;) {
    size_t next = length - at < CHUNK_MAX ? length - at : CHUNK_MAX;
    buffer_append(&in, data + at, next);
    at += next;
    serve_frames(&p);
    if (p.output.released > p.output.bytes.length || p.error.released > p.error.bytes.length) abort();
  }
  fuzz_report("%d %d %zu %zu %zu %zu %u %u", p.gone, p.finishing, p.output.released, p.output.bytes.length,
              p.error.released, p.error.bytes.length, p.status[0], p.status[1]);
  free(in.data);
  free(p.output.bytes.data);
  free(p.error.bytes.data);
}

/* What the case wrote for sshd or the contractor. Not more than a pipe holds, or it would have waited for us. */
static void report_shown(int fd) {
  static uint8_t shown[1024 * 1024];
  size_t length = 0;
  for (;;) {
    ssize_t got = read(fd, shown + length, sizeof shown - length);
    if (got <= 0) break;
    length += (size_t)got;
  }
  fuzz_report(" shown %zu ", length);
  fuzz_report_bytes(shown, length);
}

static bool read_all(void *to, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t got = read(STDIN_FILENO, (uint8_t *)to + at, length - at);
    if (got <= 0) return false;
    at += (size_t)got;
  }
  return true;
}

int main(void) {
  int shown[2], out = dup(STDOUT_FILENO);
  if (out < 0 || pipe2(shown, O_CLOEXEC) < 0 || fcntl(shown[0], F_SETPIPE_SZ, 1024 * 1024) < 0) return 1;
  set_nonblocking(shown[0]);
  dup2(shown[1], STDOUT_FILENO);
  int findings = dup(STDERR_FILENO);
  uint8_t head[5];
  while (read_all(head, sizeof head)) {
    size_t length = get_u32(head);
    if (length > CASE_MAX) return 1;
    /* Exactly as large as the case: the sanitizer sees a single byte read past it. */
    uint8_t *data = malloc(length == 0 ? 1 : length);
    if (data == NULL || !read_all(data, length)) return 1;
    report_length = 0;
    switch (head[4]) {
      case 'F': frames_case(data, length); break;
      case 'I': instructions_case(data, length); break;
      case 'P': pump_case(data, length); break;
      case 'A':
        dup2(shown[1], STDERR_FILENO);
        fuzz_session_answer(data, length);
        dup2(findings, STDERR_FILENO);
        report_shown(shown[0]);
        break;
      case 'Q':
        fuzz_principals_answer(data, length);
        report_shown(shown[0]);
        break;
      default: return 1;
    }
    close_stream(&kept[0]);
    close_stream(&kept[1]);
    free(data);
    fuzz_report("\n");
    for (size_t at = 0; at < report_length;) {
      ssize_t written = write(out, report + at, report_length - at);
      if (written <= 0) return 1;
      at += (size_t)written;
    }
  }
  return 0;
}
