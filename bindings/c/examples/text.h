/* Text that grows: the one string type of the example. Memory that runs out ends the program. */
#ifndef ASK_TEXT_H
#define ASK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Owned, always NUL-terminated once something was added. Zero-initialise, then text_free. */
struct text {
    char *ptr;
    size_t len;
    size_t capacity;
};

/* A part of somebody else's text. */
struct slice {
    const char *ptr;
    size_t len;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_slice(struct text *text, struct slice slice);
void text_free(struct text *text);

struct slice slice_of(const char *z);
/* Without white space at both ends. */
struct slice slice_trim(struct slice slice);
/* Owned copy, NUL-terminated; free() it. */
char *slice_copy(struct slice slice);
bool slice_is(struct slice slice, const char *z);
/* The next word at `*at`: letters, digits, hyphens and bytes of UTF-8. Length 0 at the end. */
struct slice next_word(const char **at);
/* A whole number with its thousands apart. */
void text_add_number(struct text *text, double number);

#endif
