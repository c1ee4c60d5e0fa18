/* The language model of the help desk: rules in the place of a provider. */
#ifndef DESK_MODEL_H
#define DESK_MODEL_H

#include <cjson/cJSON.h>

/* What a model answers to `request` (docs/host_lm.md): text in the form that DSPy asked for. free()
 * it. */
char *desk_model_answer(const cJSON *request);

#endif
