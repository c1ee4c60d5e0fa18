/* The tool: a small table of countries. It is ordinary C code of the host; Python only ever sees
 * its answers. */
#ifndef ASK_ATLAS_H
#define ASK_ATLAS_H

#include "text.h"

/* JSON Schema of the tool's arguments; the host's own library checks calls against it. */
extern const char *const ATLAS_SCHEMA;
extern const char *const ATLAS_DESCRIPTION;

/* Answers `{"country","fact"}`. True: `out` is the result, a JSON document. False: `out` is why
 * not, for people. */
bool atlas_lookup(const char *arguments_json, struct text *out);

#endif
