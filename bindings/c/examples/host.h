/* Small comforts over the C ABI: JSON in and out, and one way to give up. */
#ifndef ASK_HOST_H
#define ASK_HOST_H

#include "text.h"

#include <cjson/cJSON.h>
#include <snakepit_bridge.h>

/* Where things happen. */
struct place {
    spb_platform platform;
    spb_queue queue;
    spb_session session;
};

/* Ends the program with the error's message if `status` is not OK. It takes the place of the error,
 * and not the error: C may read an argument before it makes the call that is another one. */
void must(spb_status status, spb_error **error, const char *what);

/* A value made from `json`, which is deleted. spb_value_free it. */
spb_value *value_of_json(cJSON *json);

/* The document of `value`, parsed. cJSON_Delete it. */
cJSON *json_of_value(const spb_value *value);

/* Submits an operation. Its end, and with `flags` SPB_EXECUTE_STREAM its chunks, come to the queue
 * under `tag`. Takes `parameters`. */
void start(const struct place *place, uint64_t tag, const char *framework, const char *operation,
           uint32_t flags, cJSON *parameters);

/* Offers a tool to the calls of the session. Its calls come to the queue under `tag`. */
void register_tool(const struct place *place, const spb_tool_options *options, uint64_t tag);

/* The settings of the platform: one pool with one worker that serves DSPy and this directory's
 * ask_helpers.py. */
char *platform_settings(void);

/* What DSPy is told to use as language model: the tool `model` here, or a provider if SPB_DEMO_LM
 * names one. */
cJSON *language_model(void);

#endif
