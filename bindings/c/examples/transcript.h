/* What the person at the terminal reads: who says what, tokens as they come. */
#ifndef ASK_TRANSCRIPT_H
#define ASK_TRANSCRIPT_H

#include "text.h"

enum speaker { PROGRAM, AGENT, MODEL, ATLAS, OPTIMIZER };

/* A whole statement. Ends a line that tokens have left open. */
void say(enum speaker who, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A piece of a statement, shown at once. A new `kind` of statement (for example "answers: ") begins
 * a new line with itself. */
void say_token(enum speaker who, const char *kind, const char *piece);

/* A blank line. */
void pause_line(void);

#endif
