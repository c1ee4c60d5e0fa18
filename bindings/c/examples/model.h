/* A language model made of rules. It is no language model in any deeper sense, and says so by its
 * name; but what it does it does from the prompt alone: it reads which fields are wanted, what the
 * question asks for, which facts the tool offers and what was looked up so far, and it knows
 * nothing about any country by itself. */
#ifndef ASK_MODEL_H
#define ASK_MODEL_H

#include "text.h"

#include <cjson/cJSON.h>

/* Answers a request of the host language model contract (docs/host_lm.md). Adds the text of the
 * answer to `out`. False: not a request that the rules can read. `wanted` receives the names of the
 * fields that were asked for. */
bool model_answer(const cJSON *request, struct text *out, struct text *wanted);

#endif
