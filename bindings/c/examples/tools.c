/* The host's two tools as the queue sees them; see tools.h. */
#include "tools.h"

#include "atlas.h"
#include "model.h"
#include "transcript.h"

#include <stdlib.h>
#include <string.h>

/* Gives the model's answer word by word, then whole. When the reader is far behind, the rest comes
 * with the whole. */
static void stream_words(spb_invocation invocation, const char *answer)
{
    for (const char *at = answer; *at != '\0';) {
        size_t length = strcspn(at, " \n");
        length += strspn(at + length, " \n");
        spb_value *chunk = NULL;
        spb_str piece = {at, length};
        if (spb_value_from_text(piece, &chunk, NULL) != SPB_OK) {
            return;
        }
        spb_status status = spb_invocation_emit(invocation, chunk, NULL);
        spb_value_free(chunk);
        if (status != SPB_OK) {
            return;
        }
        at += length;
    }
}

static void fail(spb_invocation invocation, const char *message)
{
    spb_failure_options failure = {.struct_size = sizeof failure, .message = spb_str_z(message)};
    spb_invocation_fail(invocation, &failure, NULL);
}

/* DSPy asks its language model, which is this program. */
void answer_as_model(const spb_event *event)
{
    cJSON *request = json_of_value(event->value);
    struct text answer = {0}, wanted = {0};
    if (model_answer(request, &answer, &wanted)) {
        size_t length = spb_value_json(event->value).len;
        say(MODEL, "reads a request of %zu bytes, writes %s", length, wanted.ptr);
        if (cJSON_IsTrue(cJSON_GetObjectItem(request, "stream"))) {
            stream_words(event->invocation, answer.ptr);
        }
        cJSON *whole = cJSON_CreateObject();
        cJSON_AddStringToObject(whole, "content", answer.ptr);
        cJSON_AddStringToObject(whole, "model", "rules");
        spb_value *value = value_of_json(whole);
        spb_invocation_complete(event->invocation, value, NULL);
        spb_value_free(value);
    } else {
        fail(event->invocation, "this language model reads only prompts of DSPy's chat format");
    }
    text_free(&answer);
    text_free(&wanted);
    cJSON_Delete(request);
}

/* The agent uses its tool, which is this program too. */
void answer_as_atlas(const spb_event *event)
{
    spb_str arguments = spb_value_json(event->value);
    struct text result = {0};
    if (atlas_lookup(arguments.ptr, &result)) {
        cJSON *fact = cJSON_Parse(result.ptr);
        char *said = cJSON_PrintUnformatted(cJSON_GetObjectItem(fact, "value"));
        say(ATLAS, "lookup %s gives %s", arguments.ptr, said);
        free(said);
        spb_value *value = value_of_json(fact);
        spb_invocation_complete(event->invocation, value, NULL);
        spb_value_free(value);
    } else {
        say(ATLAS, "lookup %s fails: %s", arguments.ptr, result.ptr);
        fail(event->invocation, result.ptr);
    }
    text_free(&result);
}

void register_tools(const struct place *place, uint64_t model_tag, uint64_t atlas_tag)
{
    spb_tool_options model = {
        .struct_size = sizeof model,
        .name = SPB_STR("model"),
        .description = SPB_STR("A language model made of rules."),
    };
    spb_tool_options atlas = {
        .struct_size = sizeof atlas,
        .name = SPB_STR("lookup"),
        .description = spb_str_z(ATLAS_DESCRIPTION),
        .input_schema_json = spb_str_z(ATLAS_SCHEMA),
    };
    register_tool(place, &model, model_tag);
    register_tool(place, &atlas, atlas_tag);
}
