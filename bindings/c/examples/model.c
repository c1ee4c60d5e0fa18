/* The rules; see model.h. */
#include "model.h"

#include "findings.h"
#include "prompt.h"

#include <stdlib.h>
#include <string.h>

/* One prompt, read. */
struct task {
    struct prompt_fields outputs;
    struct topic topic;
    struct findings findings;
    char *question;
    char *material;
    /* The next thing to look up, or NULL. */
    const char *subject;
    const char *fact;
};

static const char *content_of(const cJSON *message)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(message, "content"));
}

/* The first pair of subject and fact that the tool was not asked for yet. */
static void choose_next(struct task *task)
{
    for (size_t s = 0; s < task->topic.subject_count; s++) {
        for (size_t f = 0; f < task->topic.fact_count; f++) {
            const char *subject = task->topic.subjects[s], *fact = task->topic.facts[f];
            if (findings_get(&task->findings, subject, fact) == NULL) {
                task->subject = subject;
                task->fact = fact;
                return;
            }
        }
    }
}

static void read_task(struct task *task, const char *system, const char *user)
{
    task->outputs = prompt_list(system, "Your output fields are:");
    task->question = slice_copy(prompt_field(user, "question"));
    struct prompt_fields inputs = prompt_list(system, "Your input fields are:");
    if (inputs.count > 0) {
        char *name = slice_copy(inputs.names[0]);
        task->material = slice_copy(prompt_field(user, name));
        free(name);
    }
    struct prompt_fields offered = prompt_choices(system, "fact");
    topic_read(&task->topic, task->question, &offered);
    findings_read(&task->findings, user);
    choose_next(task);
}

static void free_task(struct task *task)
{
    topic_free(&task->topic);
    findings_free(&task->findings);
    free(task->question);
    free(task->material);
}

static void say_value(const struct finding *finding, struct text *out)
{
    if (cJSON_IsNumber(finding->value)) {
        text_add_number(out, finding->value->valuedouble);
    } else {
        const char *value = cJSON_GetStringValue(finding->value);
        text_add(out, "%s", value != NULL ? value : "unknown");
    }
}

static void say_finding(const struct finding *finding, struct text *out)
{
    if (finding->value == NULL) {
        text_add(out, "the atlas does not know the %s of %s", finding->fact, finding->subject);
    } else if (strcmp(finding->fact, "population") == 0) {
        text_add(out, "%s has ", finding->subject);
        say_value(finding, out);
        text_add(out, " inhabitants");
    } else if (strcmp(finding->fact, "area") == 0) {
        text_add(out, "%s covers ", finding->subject);
        say_value(finding, out);
        text_add(out, " square kilometres");
    } else {
        const char *article = strcmp(finding->fact, "currency") == 0 ? "the " : "";
        text_add(out, "the %s of %s is %s", finding->fact, finding->subject, article);
        say_value(finding, out);
    }
}

static void say_thought(const struct task *task, struct text *out)
{
    const struct findings *known = &task->findings;
    if (known->count == 0 && task->subject == NULL) {
        text_add(out, "I see nothing in the question that the atlas could tell.");
        return;
    }
    if (known->count > 0) {
        const struct finding *last = &known->items[known->count - 1];
        text_add(out, "%s", last->value != NULL ? "Now I have it: " : "That was in vain: ");
        say_finding(last, out);
        text_add(out, ". ");
    }
    if (task->subject != NULL) {
        const char *still = known->count > 0 ? "I still need" : "To answer this I need";
        text_add(out, "%s the %s of %s, so I ask the atlas.", still, task->fact, task->subject);
    } else {
        text_add(out, "That is all the question asks for.");
    }
}

static void say_arguments(const struct task *task, struct text *out)
{
    cJSON *arguments = cJSON_CreateObject();
    if (task->subject != NULL) {
        cJSON_AddStringToObject(arguments, "country", task->subject);
        cJSON_AddStringToObject(arguments, "fact", task->fact);
    }
    char *json = cJSON_PrintUnformatted(arguments);
    text_add(out, "%s", json);
    free(json);
    cJSON_Delete(arguments);
}

/* The finding with the largest number, if the question asks which of several it is; else NULL. */
static const struct finding *largest(const struct task *task)
{
    const struct finding *best = NULL;
    if (task->findings.count < 2 || strstr(task->question, " or ") == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < task->findings.count; i++) {
        const struct finding *finding = &task->findings.items[i];
        if (!cJSON_IsNumber(finding->value) ||
            strcmp(finding->fact, task->findings.items[0].fact) != 0) {
            return NULL;
        }
        if (best == NULL || finding->value->valuedouble > best->value->valuedouble) {
            best = finding;
        }
    }
    return best;
}

static void say_reasoning(const struct task *task, struct text *out)
{
    const struct finding *best = largest(task);
    if (task->findings.count == 0) {
        text_add(out, "There is nothing to look up here; I put the words that I got in order.");
    } else if (best != NULL) {
        text_add(out, "I compare %zu numbers. The largest, ", task->findings.count);
        say_value(best, out);
        text_add(out, ", belongs to %s.", best->subject);
    } else {
        size_t count = task->findings.count;
        text_add(out, "I asked the atlas %zu %s and put together what it said.", count,
                 count == 1 ? "thing" : "things");
    }
}

static void capitalise(struct text *out, size_t at)
{
    if (at < out->len && out->ptr[at] >= 'a' && out->ptr[at] <= 'z') {
        out->ptr[at] = (char)(out->ptr[at] - 'a' + 'A');
    }
}

static void say_answer(const struct task *task, struct text *out)
{
    size_t start = out->len;
    const struct finding *best = largest(task);
    if (best != NULL) {
        text_add(out, "it is %s: ", best->subject);
    }
    for (size_t i = 0; i < task->findings.count; i++) {
        bool last = i + 1 == task->findings.count;
        text_add(out, "%s", i == 0 ? "" : last ? ", and " : ", ");
        say_finding(&task->findings.items[i], out);
    }
    text_add(out, "%s", task->findings.count == 0 ? "I do not know." : ".");
    capitalise(out, start);
}

/* Any other field: what came in, item after item, as one paragraph. */
static void say_prose(const struct task *task, struct text *out)
{
    static const char *const JOINTS[] = {"First: ", " Next: ", " Then: ", " Finally: "};
    const char *material = task->material != NULL ? task->material : "";
    cJSON *items = cJSON_Parse(material);
    int count = cJSON_GetArraySize(items);
    for (int i = 0; i < count; i++) {
        const char *item = cJSON_GetStringValue(cJSON_GetArrayItem(items, i));
        bool last = i > 0 && i + 1 == count;
        text_add(out, "%s%s", JOINTS[last ? 3 : i < 2 ? i : 2], item != NULL ? item : "something.");
    }
    if (count == 0) {
        text_add(out, "%s", material);
    }
    cJSON_Delete(items);
}

static void say_field(const struct task *task, struct slice name, struct text *out)
{
    if (slice_is(name, "next_thought")) {
        say_thought(task, out);
    } else if (slice_is(name, "next_tool_name")) {
        text_add(out, "%s", task->subject != NULL ? "lookup" : "finish");
    } else if (slice_is(name, "next_tool_args")) {
        say_arguments(task, out);
    } else if (slice_is(name, "reasoning")) {
        say_reasoning(task, out);
    } else if (slice_is(name, "answer")) {
        say_answer(task, out);
    } else {
        say_prose(task, out);
    }
}

bool model_answer(const cJSON *request, struct text *out, struct text *wanted)
{
    const cJSON *messages = cJSON_GetObjectItem(request, "messages");
    const char *system = content_of(cJSON_GetArrayItem(messages, 0));
    const char *user = content_of(cJSON_GetArrayItem(messages, cJSON_GetArraySize(messages) - 1));
    if (system == NULL || user == NULL) {
        return false;
    }
    struct task task = {0};
    read_task(&task, system, user);
    for (size_t i = 0; i < task.outputs.count; i++) {
        struct slice name = task.outputs.names[i];
        text_add(out, "[[ ## %.*s ## ]]\n", (int)name.len, name.ptr);
        say_field(&task, name, out);
        text_add(out, "\n\n");
        text_add(wanted, "%s%.*s", i == 0 ? "" : ", ", (int)name.len, name.ptr);
    }
    text_add(out, "[[ ## completed ## ]]\n");
    bool readable = task.outputs.count > 0;
    free_task(&task);
    return readable;
}
