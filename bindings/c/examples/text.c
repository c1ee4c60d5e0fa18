/* Text that grows; see text.h. */
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *owned(void *memory)
{
    if (memory == NULL) {
        fputs("ask: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

static void reserve(struct text *text, size_t more)
{
    size_t needed = text->len + more + 1;
    if (needed > text->capacity) {
        text->capacity = needed * 2;
        text->ptr = owned(realloc(text->ptr, text->capacity));
    }
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        reserve(text, (size_t)length);
        vsnprintf(text->ptr + text->len, (size_t)length + 1, format, again);
        text->len += (size_t)length;
    }
    va_end(again);
}

void text_add_slice(struct text *text, struct slice slice)
{
    reserve(text, slice.len);
    if (slice.len > 0) {
        memcpy(text->ptr + text->len, slice.ptr, slice.len);
        text->len += slice.len;
    }
    text->ptr[text->len] = '\0';
}

void text_free(struct text *text)
{
    free(text->ptr);
    *text = (struct text){0};
}

struct slice slice_of(const char *z)
{
    return (struct slice){z, strlen(z)};
}

struct slice slice_trim(struct slice slice)
{
    while (slice.len > 0 && isspace((unsigned char)slice.ptr[0])) {
        slice.ptr++;
        slice.len--;
    }
    while (slice.len > 0 && isspace((unsigned char)slice.ptr[slice.len - 1])) {
        slice.len--;
    }
    return slice;
}

char *slice_copy(struct slice slice)
{
    char *copy = owned(malloc(slice.len + 1));
    if (slice.len > 0) {
        memcpy(copy, slice.ptr, slice.len);
    }
    copy[slice.len] = '\0';
    return copy;
}

bool slice_is(struct slice slice, const char *z)
{
    return slice.len == strlen(z) && strncmp(slice.ptr, z, slice.len) == 0;
}

static bool in_word(char byte)
{
    unsigned char c = (unsigned char)byte;
    return isalnum(c) || c == '-' || c >= 0x80;
}

struct slice next_word(const char **at)
{
    while (**at != '\0' && !in_word(**at)) {
        (*at)++;
    }
    const char *start = *at;
    while (**at != '\0' && in_word(**at)) {
        (*at)++;
    }
    return (struct slice){start, (size_t)(*at - start)};
}

void text_add_number(struct text *text, double number)
{
    char digits[64];
    int count = snprintf(digits, sizeof digits, "%.0f", number);
    for (int i = 0; i < count; i++) {
        bool apart = i > 0 && (count - i) % 3 == 0 && digits[i - 1] != '-';
        text_add(text, apart ? ",%c" : "%c", digits[i]);
    }
}
