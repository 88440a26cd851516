/*
 * A program for fuzzing only: it reads cases from standard input (`u32 length | kind | bytes`), gives each to one parser
 * of the shim, and writes a line about it to standard output. Built with sanitizers, which end it at the first finding.
 * test/fuzz/shim-parsers.test.ts is the other side, and says what the lines must be.
 */
#ifndef SALLYPORT_SHIM_FUZZ_H
#define SALLYPORT_SHIM_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Adds to the line about this case. */
__attribute__((format(printf, 1, 2))) void fuzz_report(const char *format, ...);
/* Adds a hash of the bytes (FNV-1a) to the line. */
void fuzz_report_bytes(const void *data, size_t length);
/* Closes both when the case is over: the shim leaves that to exit(2). */
void fuzz_keep(int one, int other);

void fuzz_session_answer(const uint8_t *data, size_t length);
void fuzz_principals_answer(const uint8_t *data, size_t length);

#endif
