/*
 * sallyport-shim: the only program of ours that sshd runs. It decides nothing and parses nothing but length-prefixed
 * frames: it asks the agent, forks the user's shell on the terminal that the recorder holds, and pumps bytes.
 * The frames are described in agent/src/shim/shim-protocol.ts.
 */
#ifndef SALLYPORT_SHIM_H
#define SALLYPORT_SHIM_H

#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#ifndef RUN_DIRECTORY
#define RUN_DIRECTORY "/run/sallyport"
#endif

#define PROTOCOL_VERSION 1
#define FRAME_MAX (256u * 1024u)   /* largest frame either side accepts, type included */
#define CHUNK_MAX 64000u            /* largest piece of a stream in one frame: two fill a block of the recording */
#define BUFFER_LIMIT (512u * 1024u) /* a stream is not read further while this much waits to be passed on */
#define ANSWER_TIMEOUT_MS 10000

/* Exit status where sshd and the contractor need one: the session could not be had. */
#define EXIT_UNAVAILABLE 254

/* buffer.c: bytes that wait to be written. */
struct buffer {
  uint8_t *data;
  size_t start, length, capacity;
};
void buffer_append(struct buffer *buffer, const void *data, size_t length);
void buffer_consume(struct buffer *buffer, size_t length);
/* Writes at most `limit` bytes to fd; 0 on success or EAGAIN, -1 when the other side is gone. */
int buffer_flush(struct buffer *buffer, int fd, size_t limit);

/* frames.c */
struct frame {
  uint8_t type;
  const uint8_t *data;
  size_t length;
};
int connect_unix(const char *path);
void frame_queue(struct buffer *out, uint8_t type, const void *head, size_t head_length, const void *data, size_t length);
/* Sends everything queued and waits for it to be gone. -1 on failure or time-out. */
int frame_send_all(int fd, struct buffer *out);
/* Reads exactly one frame into `in`, waiting at most `timeout_ms`. -1 on failure, time-out or a frame too large. */
int frame_receive(int fd, struct buffer *in, struct frame *frame, int timeout_ms);
/* Takes the next whole frame out of `in`: 1 a frame, 0 not there yet, -1 too large. Then frame_drop. */
int frame_next(const struct buffer *in, struct frame *frame);
void frame_drop(struct buffer *in, const struct frame *frame);
void put_u16(uint8_t *at, unsigned value);
void put_u32(uint8_t *at, size_t value);
uint32_t get_u32(const uint8_t *at);

/* principals.c: AuthorizedPrincipalsCommand. */
int run_principals(int argc, char **argv);

/* session.c: forced command and login shell. */
int run_session(void);

/* The terminal that sshd made, with the modes that the contractor's client asked for. */
struct terminal {
  bool pty;
  struct termios modes;
};

/* instructions.c: what an `x` frame says, see agent/src/shim/start-instructions.ts. */
#define STAGES_MAX 16
#define ARGUMENTS_MAX 1024 /* of one program */
struct field {
  uint8_t kind;
  size_t length;
  char *bytes; /* with a NUL behind them */
};
struct stage {
  char *file, **argv, *directory;
  size_t arguments, first, end; /* its fields, the layers among them */
  size_t own; /* of these, from where on the environment is its own: behind its file */
  bool no_new_privileges, layered;
};
struct instructions {
  char *block, **arguments, *terminal;
  struct field *fields;
  size_t length, count; /* fields, stages */
  struct stage stages[STAGES_MAX];
  bool clear, direct;
};
/* -1 when the frame is not what it should be. Then, too, free_instructions. */
int read_instructions(const struct frame *frame, struct instructions *to);
void free_instructions(struct instructions *what);

/* landlock.c: enforces the layers among the fields on this process. -1, with errno, when the kernel refuses one. */
int enforce_layers(const struct field *fields, size_t count);

/* stages.c: from fork to execv. All of it happens in the child, and ends it when anything fails. */
_Noreturn void run_child(const struct instructions *what);
_Noreturn void fail(const char *what);
/* Dies of the signal, or returns the exit status: 0 exit | 1 signal, value. */
int leave_like(const uint8_t status[2]);

/* child.c: the user's shell, or the commands that run instead of it. */
struct streams {
  bool pty, direct;
  int input, output, error;         /* our ends of the child's pipes that we pump; -1 with a pty */
  int direct_input, direct_output;  /* those that the recorder takes and pumps itself; else -1 */
};
/* Starts what the recorder's `x` frame says. Returns the pid, or -1. */
pid_t start_child(const struct frame *instructions, const struct terminal *outer, struct streams *streams);

/* pump.c: returns the exit status for sshd; does not return when the child died by a signal. `child` is 0 without one. */
int pump(int recorder, struct buffer *from_recorder, pid_t child, const struct streams *streams, const struct terminal *outer);

#endif
