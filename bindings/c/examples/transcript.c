/* Printing; see transcript.h. */
#include "transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 100, MARGIN = 15 };

static const char *const NAMES[] = {
    [PROGRAM] = "C program",
    [AGENT] = "agent (Python)",
    [MODEL] = "model (C)",
    [ATLAS] = "atlas (C)",
    [OPTIMIZER] = "DSPy (Python)",
};
static const char *const COLOURS[] = {
    [PROGRAM] = "\033[1m",
    [AGENT] = "\033[36m",
    [MODEL] = "\033[2m",
    [ATLAS] = "\033[33m",
    [OPTIMIZER] = "\033[36m",
};

/* The line that tokens are written on, if any. */
static char open_kind[64];
static int column;
/* 1 if a blank is due before the next word. */
static int blank;

static bool coloured(void)
{
    return isatty(STDOUT_FILENO) != 0;
}

static void begin(enum speaker who)
{
    printf("%s%*s%s  ", coloured() ? COLOURS[who] : "", MARGIN, NAMES[who],
           coloured() ? "\033[0m" : "");
    column = MARGIN + 2;
}

static void end(void)
{
    if (column > 0) {
        putchar('\n');
    }
    column = 0;
    blank = 0;
    open_kind[0] = '\0';
}

/* Bytes that begin a character; the others of UTF-8 take no room. */
static int width_of(struct slice word)
{
    int width = 0;
    for (size_t i = 0; i < word.len; i++) {
        width += ((unsigned char)word.ptr[i] & 0xC0) != 0x80;
    }
    return width;
}

static void put_word(struct slice word)
{
    int width = width_of(word);
    if (column + blank + width > WIDTH && column > MARGIN + 2) {
        printf("\n%*s", MARGIN + 2, "");
        column = MARGIN + 2;
    } else if (blank) {
        putchar(' ');
        column++;
    }
    blank = 0;
    fwrite(word.ptr, 1, word.len, stdout);
    column += width;
}

/* Wraps at blanks. A blank is written only before the word that follows it on the same line. */
static void put(const char *text)
{
    while (*text != '\0') {
        size_t blanks = strspn(text, " \n");
        if (blanks > 0 && column > MARGIN + 2) {
            blank = 1;
        }
        text += blanks;
        size_t length = strcspn(text, " \n");
        if (length > 0) {
            put_word((struct slice){text, length});
        }
        text += length;
    }
    fflush(stdout);
}

void say(enum speaker who, const char *format, ...)
{
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    end();
    begin(who);
    put(line);
    end();
}

void say_token(enum speaker who, const char *kind, const char *piece)
{
    if (strncmp(open_kind, kind, sizeof open_kind - 1) != 0) {
        end();
        begin(who);
        put(kind);
        snprintf(open_kind, sizeof open_kind, "%s", kind);
    }
    put(piece);
}

void pause_line(void)
{
    end();
    putchar('\n');
}
