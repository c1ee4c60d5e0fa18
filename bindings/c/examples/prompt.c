/* Reading DSPy's prompts; see prompt.h. */
#include "prompt.h"

#include <stdio.h>
#include <string.h>

struct prompt_fields prompt_list(const char *system, const char *heading)
{
    struct prompt_fields fields = {0};
    const char *at = strstr(system, heading);
    /* Lines of the form: 1. `name` (type): description */
    while (at != NULL && (at = strchr(at, '\n')) != NULL && at[1] >= '0' && at[1] <= '9') {
        const char *open = strchr(at, '`');
        const char *close = open != NULL ? strchr(open + 1, '`') : NULL;
        if (close == NULL || fields.count == PROMPT_FIELDS_MAX) {
            break;
        }
        fields.names[fields.count++] = (struct slice){open + 1, (size_t)(close - open - 1)};
        at = close;
    }
    return fields;
}

/* Where the field that begins at `start` ends: at the next marker, or where DSPy's closing
 * instruction begins. */
static size_t length_of(const char *start)
{
    const char *marker = strstr(start, "\n[[ ## ");
    const char *closing = strstr(start, "\n\nRespond with the corresponding output fields");
    const char *end = start + strlen(start);
    if (closing != NULL) {
        end = closing;
    }
    if (marker != NULL && marker < end) {
        end = marker;
    }
    return (size_t)(end - start);
}

struct slice prompt_field(const char *user, const char *name)
{
    char marker[128];
    int length = snprintf(marker, sizeof marker, "[[ ## %s ## ]]\n", name);
    const char *start = length > 0 && (size_t)length < sizeof marker ? strstr(user, marker) : NULL;
    if (start == NULL) {
        return (struct slice){0};
    }
    start += length;
    /* The next marker may follow at once. */
    start--;
    return slice_trim((struct slice){start, length_of(start)});
}

struct prompt_fields prompt_choices(const char *system, const char *argument)
{
    struct prompt_fields choices = {0};
    char opening[128];
    snprintf(opening, sizeof opening, "'%s': {", argument);
    const char *at = strstr(system, opening);
    const char *list = at != NULL ? strstr(at, "'enum': [") : NULL;
    const char *end = list != NULL ? strchr(list, ']') : NULL;
    at = list != NULL ? strchr(list, '[') : NULL;
    while (end != NULL && choices.count < PROMPT_FIELDS_MAX) {
        const char *open = strchr(at, '\'');
        const char *close = open != NULL ? strchr(open + 1, '\'') : NULL;
        if (close == NULL || close > end) {
            break;
        }
        choices.names[choices.count++] = (struct slice){open + 1, (size_t)(close - open - 1)};
        at = close + 1;
    }
    return choices;
}
