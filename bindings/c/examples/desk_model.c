/* A stand-in for the call of a real provider: it reads what DSPy asks for and follows rules. A
 * program of yours would send `request` to its provider here and give back the content. */
#include "desk_model.h"
#include "prompt.h"

#include <stdio.h>
#include <string.h>

static const char *content_of(const cJSON *message)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(message, "content"));
    return text != NULL ? text : "";
}

static bool wants(const char *system, const char *field)
{
    struct prompt_fields fields = prompt_list(system, "Your output fields are:");
    for (size_t i = 0; i < fields.count; i++) {
        if (slice_is(fields.names[i], field)) {
            return true;
        }
    }
    return false;
}

/* The word between "ferry to " and " leave" in the question. */
static struct slice port_in(const char *last)
{
    struct slice question = prompt_field(last, "question");
    const char *start = question.ptr != NULL ? strstr(question.ptr, "ferry to ") : NULL;
    const char *end = start != NULL ? strstr(start, " leave") : NULL;
    if (end == NULL) {
        return slice_of("nowhere");
    }
    start += strlen("ferry to ");
    return (struct slice){start, (size_t)(end - start)};
}

/* A step of the agent: look the port up, then be done. */
static void next_step(struct text *answer, const char *last)
{
    struct slice port = port_in(last);
    int len = (int)port.len;
    if (strstr(last, "observation_0") != NULL) {
        text_add(answer, "[[ ## next_thought ## ]]\nThat is all I need.\n\n"
                         "[[ ## next_tool_name ## ]]\nfinish\n\n"
                         "[[ ## next_tool_args ## ]]\n{}\n\n");
        return;
    }
    text_add(answer,
             "[[ ## next_thought ## ]]\nI look up %.*s.\n\n"
             "[[ ## next_tool_name ## ]]\nlookup\n\n"
             "[[ ## next_tool_args ## ]]\n{\"port\": \"%.*s\"}\n\n",
             len, port.ptr, len, port.ptr);
}

/* The agent's last step: an answer from what the tool has told. */
static void conclude(struct text *answer, const char *last)
{
    struct slice port = port_in(last);
    const char *told = strstr(last, "departs");
    const char *time = told != NULL ? strpbrk(told, "0123456789") : NULL;
    text_add(answer, "[[ ## reasoning ## ]]\nI looked it up.\n\n[[ ## answer ## ]]\n");
    if (time != NULL) {
        text_add(answer, "The ferry to %.*s leaves at %.5s.\n\n", (int)port.len, port.ptr, time);
    } else {
        text_add(answer, "No ferry goes to %.*s.\n\n", (int)port.len, port.ptr);
    }
}

/* A label: everything is routine until the prompt has an example of something urgent. */
static void sort(struct text *answer, const cJSON *messages, const char *last)
{
    const cJSON *message = NULL;
    bool shown = false;
    cJSON_ArrayForEach(message, messages)
    {
        const char *role = cJSON_GetStringValue(cJSON_GetObjectItem(message, "role"));
        bool is_example = role != NULL && strcmp(role, "assistant") == 0;
        shown |= is_example && strstr(content_of(message), "urgent") != NULL;
    }
    struct slice asked = prompt_field(last, "message");
    bool loud = asked.len > 0 && memchr(asked.ptr, '!', asked.len) != NULL;
    text_add(answer, "[[ ## reasoning ## ]]\nI go by the examples.\n\n[[ ## label ## ]]\n%s\n\n",
             shown && loud ? "urgent" : "routine");
}

char *desk_model_answer(const cJSON *request)
{
    const cJSON *messages = cJSON_GetObjectItem(request, "messages");
    int count = cJSON_GetArraySize(messages);
    const char *system = content_of(cJSON_GetArrayItem(messages, 0));
    const char *last = content_of(cJSON_GetArrayItem(messages, count - 1));
    struct text answer = {0};
    if (wants(system, "next_tool_name")) {
        next_step(&answer, last);
    } else if (wants(system, "answer")) {
        conclude(&answer, last);
    } else {
        sort(&answer, messages, last);
    }
    text_add(&answer, "[[ ## completed ## ]]\n");
    return answer.ptr;
}
