#include "shim.h"

#include <stdlib.h>
#include <string.h>

/* A field's bytes end with a NUL of ours; only those of layers and rules have others in them. */
static bool is_text(const struct field *field) {
  return field->kind == 'L' || field->kind == 'P' || memchr(field->bytes, 0, field->length) == NULL;
}

/* Begins the next program of the pipeline; its arguments follow behind those of the last one. */
static int next_stage(struct instructions *to, size_t field) {
  struct stage *last = to->count == 0 ? NULL : &to->stages[to->count - 1];
  if (to->count == STAGES_MAX || (last != NULL && (last->file == NULL || last->arguments == 0))) return -1;
  to->stages[to->count++] = (struct stage){
      .argv = last == NULL ? to->arguments : last->argv + last->arguments + 1, .first = field, .end = field};
  return 0;
}

static int once(char **where, const struct field *field) {
  if (*where != NULL) return -1;
  *where = field->bytes;
  return 0;
}

/* Before the first program is for all of them, behind its file for one; between them is for nobody. */
static bool nobodys(const struct instructions *to) {
  return to->count > 1 && to->stages[to->count - 1].file == NULL;
}

static int take_field(struct instructions *to, size_t index) {
  struct field *field = &to->fields[index];
  struct stage *stage = &to->stages[to->count - 1];
  if (!is_text(field)) return -1;
  switch (field->kind) {
    case 't': return once(&to->terminal, field);
    case 'f':
      stage->own = index;
      return once(&stage->file, field);
    case 'c': return once(&stage->directory, field);
    case 'a':
      if (stage->arguments == ARGUMENTS_MAX) return -1;
      stage->argv[stage->arguments++] = field->bytes;
      return 0;
    case 'e': return strchr(field->bytes, '=') == NULL || nobodys(to) ? -1 : 0;
    case 'u': return nobodys(to) ? -1 : 0;
    case 'L':
      stage->layered = true;
      return field->length == 24 ? 0 : -1;
    case 'P': /* an absolute path behind the rights, of a layer of this very program */
      return stage->layered && field->length >= 9 && field->bytes[8] == '/' ? 0 : -1;
    default: break;
  }
  if (field->length != 0) return -1;
  switch (field->kind) {
    case 'E': to->clear = true; return 0;
    case 'D': to->direct = true; return 0;
    case 'N': stage->no_new_privileges = true; return 0;
    case '|': return next_stage(to, index);
    default: return -1;
  }
}

int read_instructions(const struct frame *frame, struct instructions *to) {
  /* No field is shorter than its head, and the head of the next one gives room for the NUL of the one before. */
  size_t most = frame->length / 5;
  *to = (struct instructions){.block = malloc(frame->length + 1)};
  to->fields = calloc(most + 1, sizeof *to->fields);
  to->arguments = calloc(most + STAGES_MAX + 1, sizeof *to->arguments);
  if (to->block == NULL || to->fields == NULL || to->arguments == NULL) return -1;
  if (frame->length > 0) memcpy(to->block, frame->data, frame->length);
  if (next_stage(to, 0) < 0) return -1;
  for (size_t at = 0; at < frame->length; to->length++) {
    if (frame->length - at < 5) return -1;
    uint8_t kind = frame->data[at];
    size_t length = get_u32(frame->data + at + 1);
    at += 5;
    if (length > frame->length - at) return -1;
    to->fields[to->length] = (struct field){.kind = kind, .length = length, .bytes = to->block + at};
    at += length;
    to->block[at] = '\0';
    if (take_field(to, to->length) < 0) return -1;
    to->stages[to->count - 1].end = to->length + 1;
  }
  const struct stage *last = &to->stages[to->count - 1];
  return last->file != NULL && last->arguments > 0 ? 0 : -1;
}

void free_instructions(struct instructions *what) {
  free(what->block);
  free(what->fields);
  free(what->arguments);
}
