/* Small comforts over the C ABI; see host.h. */
#include "host.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must(spb_status status, spb_error **error, const char *what)
{
    if (status == SPB_OK) {
        return;
    }
    spb_str message = spb_error_message(*error);
    fprintf(stderr, "\ndemo: %s: %s: %.*s\n", what, spb_status_name(status), (int)message.len,
            message.ptr != NULL ? message.ptr : "");
    /* spb_error_python_traceback(*error) has more, for those who want to read on. */
    spb_error_free(*error);
    exit(EXIT_FAILURE);
}

spb_value *value_of_json(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    spb_value *value = NULL;
    spb_error *error = NULL;
    must(spb_value_from_json(spb_str_z(text), &value, &error), &error, "making a value");
    free(text);
    cJSON_Delete(json);
    return value;
}

cJSON *json_of_value(const spb_value *value)
{
    spb_str json = spb_value_json(value);
    return cJSON_ParseWithLength(json.ptr, json.len);
}

void start(const struct place *place, uint64_t tag, const char *framework, const char *operation,
           uint32_t flags, cJSON *parameters)
{
    spb_value *value = value_of_json(parameters);
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = spb_str_z(framework);
    options.operation = spb_str_z(operation);
    options.parameters = value;
    options.flags = flags;
    spb_sink sink = spb_sink_queue(place->queue, tag);
    spb_operation started;
    spb_error *error = NULL;
    must(spb_execute(place->session, &options, &sink, &started, &error), &error, operation);
    /* The end comes by the queue; the handle is not needed for it. */
    spb_operation_free(started);
    spb_value_free(value);
}

void register_tool(const struct place *place, const spb_tool_options *options, uint64_t tag)
{
    spb_sink sink = spb_sink_queue(place->queue, tag);
    spb_tool tool;
    spb_error *error = NULL;
    must(spb_tool_register(place->platform, place->session, options, &sink, &tool, &error), &error,
         "registering a tool");
    spb_tool_free(tool);
}

/* The directory of this source file, where ask_helpers.py is, unless SPB_DEMO_HELPERS names
 * another. */
static const char *helpers_directory(void)
{
    static char path[PATH_MAX];
    const char *named = getenv("SPB_DEMO_HELPERS");
    if (realpath(named != NULL ? named : __FILE__, path) == NULL) {
        fputs("demo: ask_helpers.py not found; name its directory in SPB_DEMO_HELPERS\n", stderr);
        exit(EXIT_FAILURE);
    }
    char *slash = strrchr(path, '/');
    if (named == NULL && slash != NULL) {
        *slash = '\0';
    }
    return path;
}

static cJSON *strings(const char *const *items, int count)
{
    return cJSON_CreateStringArray(items, count);
}

char *platform_settings(void)
{
    const char *python = getenv("SPB_PYTHON");
    const char *path[] = {helpers_directory()};
    const char *modules[] = {"ask_helpers"};
    const char *keys[] = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"};
    cJSON *settings = cJSON_CreateObject();
    cJSON *pool = cJSON_AddObjectToObject(cJSON_AddObjectToObject(settings, "pools"), "default");
    cJSON_AddNumberToObject(pool, "workers", 1);
    cJSON_AddStringToObject(pool, "python", python != NULL ? python : "python3");
    cJSON_AddItemToObject(pool, "python_path", strings(path, 1));
    cJSON *frameworks = cJSON_AddObjectToObject(pool, "frameworks");
    cJSON_AddObjectToObject(frameworks, "dspy");
    cJSON_AddItemToObject(cJSON_AddObjectToObject(frameworks, "python"), "modules",
                          strings(modules, 1));
    if (getenv("SPB_DEMO_LM") != NULL) {
        cJSON_AddItemToObject(pool, "env_pass", strings(keys, sizeof keys / sizeof keys[0]));
    }
    char *text = cJSON_PrintUnformatted(settings);
    cJSON_Delete(settings);
    return text;
}

cJSON *language_model(void)
{
    const char *provider = getenv("SPB_DEMO_LM");
    cJSON *lm = cJSON_CreateObject();
    cJSON_AddStringToObject(lm, "kind", provider != NULL ? "litellm" : "host_tool");
    cJSON_AddStringToObject(lm, provider != NULL ? "model" : "tool",
                            provider != NULL ? provider : "model");
    return lm;
}
