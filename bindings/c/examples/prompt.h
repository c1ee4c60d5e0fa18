/* Reading the prompts that DSPy's chat adapter writes: named fields between markers such as `[[ ##
 * question ## ]]`, a list of the output fields wanted, and the tools on offer. Knows the format,
 * not what anything means. */
#ifndef ASK_PROMPT_H
#define ASK_PROMPT_H

#include "text.h"

enum { PROMPT_FIELDS_MAX = 16 };

struct prompt_fields {
    struct slice names[PROMPT_FIELDS_MAX];
    size_t count;
};

/* The fields listed under `heading` ("Your input fields are:" or "Your output fields are:") in the
 * system message. */
struct prompt_fields prompt_list(const char *system, const char *heading);

/* The content of field `name` in the last message, or an empty slice. */
struct slice prompt_field(const char *user, const char *name);

/* The words that argument `argument` of a tool may be, as the system message shows them: `'fact':
 * {'enum': [...]}`. */
struct prompt_fields prompt_choices(const char *system, const char *argument);

#endif
