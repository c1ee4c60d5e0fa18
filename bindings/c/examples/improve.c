/* improve: a C program that lets one of DSPy's optimizers make a program better, and judges it.
 *
 * The program sorts messages into urgent and routine ones. It is a document in a variable of the
 * session. Its language model is this C program, and so is the metric that the optimizer goes by.
 * What the optimizer found is a new version of the variable, which any worker runs by its name.
 *
 * Usage: improve      SPB_DEMO_LM=openai/gpt-4o-mini uses that model in place of the rule here.
 */
#include "host.h"
#include "prompt.h"
#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an event belongs to: the tag that was given with the queue. */
enum tag { TAG_CALL = 1, TAG_MODEL, TAG_JUDGE };

static const char *const PROGRAM_DOCUMENT =
    "{\"module\":\"chain_of_thought\",\"signature\":\"message -> label\"}";
static const char *const TRAIN =
    "[{\"message\":\"The server is down!\",\"label\":\"urgent\"},"
    "{\"message\":\"Please send the invoice.\",\"label\":\"routine\"},"
    "{\"message\":\"There is smoke in the lab!\",\"label\":\"urgent\"},"
    "{\"message\":\"The meeting is on Monday.\",\"label\":\"routine\"}]";
static const char *const VALIDATION =
    "[{\"message\":\"The disk is full!\",\"label\":\"urgent\"},"
    "{\"message\":\"New chairs have come.\",\"label\":\"routine\"},"
    "{\"message\":\"The door does not lock!\",\"label\":\"urgent\"},"
    "{\"message\":\"Thanks for the cake.\",\"label\":\"routine\"}]";

static int model_calls, judge_calls;

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return text != NULL ? text : "";
}

static void complete(const spb_event *event, cJSON *answer)
{
    spb_value *value = value_of_json(answer);
    spb_invocation_complete(event->invocation, value, NULL);
    spb_value_free(value);
}

/* The language model: it takes everything for routine until the prompt has an example of something
 * urgent. Then it looks for what the examples have in common. */
static void answer_as_model(const spb_event *event)
{
    cJSON *request = json_of_value(event->value);
    const cJSON *messages = cJSON_GetObjectItem(request, "messages"), *message = NULL;
    const char *last = "";
    bool shown = false;
    cJSON_ArrayForEach(message, messages)
    {
        last = text_of(message, "content");
        shown |= strcmp(text_of(message, "role"), "assistant") == 0 && strstr(last, "urgent");
    }
    struct slice asked = prompt_field(last, "message");
    bool loud = asked.len > 0 && memchr(asked.ptr, '!', asked.len) != NULL;
    struct text answer = {0};
    text_add(&answer,
             "[[ ## reasoning ## ]]\n%s\n\n"
             "[[ ## label ## ]]\n%s\n\n"
             "[[ ## completed ## ]]\n",
             !shown ? "Nobody told me what is urgent."
             : loud ? "It ends with an exclamation mark, as urgent ones do."
                    : "It is calm, so it can wait.",
             shown && loud ? "urgent" : "routine");
    cJSON *whole = cJSON_CreateObject();
    cJSON_AddStringToObject(whole, "content", answer.ptr);
    complete(event, whole);
    model_calls++;
    text_free(&answer);
    cJSON_Delete(request);
}

/* The metric: one point for the label that was wanted. */
static void answer_as_judge(const spb_event *event)
{
    cJSON *asked = json_of_value(event->value);
    const char *wanted = text_of(cJSON_GetObjectItem(asked, "example"), "label");
    const char *given = text_of(cJSON_GetObjectItem(asked, "prediction"), "label");
    complete(event, cJSON_CreateNumber(strcmp(wanted, given) == 0 ? 1 : 0));
    judge_calls++;
    cJSON_Delete(asked);
}

/* A token of an answer, or how far the optimizer is. */
static void show_chunk(const spb_event *event)
{
    static char phase[32];
    cJSON *chunk = json_of_value(event->value);
    if (strcmp(text_of(chunk, "type"), "token") == 0) {
        const char *field = text_of(chunk, "field");
        say_token(AGENT,
                  strcmp(field, "label") == 0 ? "label: " : "reasons: ", text_of(chunk, "text"));
    } else if (strcmp(text_of(chunk, "phase"), phase) != 0) {
        snprintf(phase, sizeof phase, "%s", text_of(chunk, "phase"));
        say(OPTIMIZER, "%s",
            strcmp(phase, "optimizing") == 0 ? "looks for a better program"
            : strcmp(phase, "before") == 0   ? "scores the program as it is"
                                             : "scores what it found");
    }
    cJSON_Delete(chunk);
}

/* Runs an operation of DSPy and serves its questions until it ends. Takes `parameters`; the result
 * is the caller's. */
static cJSON *run(const struct place *place, const char *operation, cJSON *parameters)
{
    cJSON_AddItemToObject(parameters, "lm", language_model());
    start(place, TAG_CALL, "dspy", operation, SPB_EXECUTE_STREAM, parameters);
    spb_error *error = NULL;
    cJSON *result = NULL;
    while (result == NULL) {
        spb_event event;
        size_t count = 0;
        must(spb_queue_next_batch(place->queue, &event, 1, -1, &count, &error), &error, operation);
        if (event.kind == SPB_EVENT_OP_CHUNK) {
            show_chunk(&event);
        } else if (event.kind == SPB_EVENT_TOOL_CALL && event.tag == TAG_MODEL) {
            answer_as_model(&event);
        } else if (event.kind == SPB_EVENT_TOOL_CALL && event.tag == TAG_JUDGE) {
            answer_as_judge(&event);
        } else if (event.kind == SPB_EVENT_OP_DONE) {
            must(event.status, &event.error, operation);
            result = json_of_value(event.value);
        }
        spb_event_clear(&event);
    }
    return result;
}

static void register_tools(const struct place *place)
{
    spb_tool_options model = SPB_TOOL_OPTIONS_INIT, judge = model;
    model.name = SPB_STR("model");
    judge.name = SPB_STR("judge");
    register_tool(place, &model, TAG_MODEL);
    register_tool(place, &judge, TAG_JUDGE);
}

/* The program becomes version 1 of the variable `triage`. */
static void store_program(const struct place *place)
{
    spb_variable_options options = {
        .struct_size = sizeof options,
        .name = SPB_STR("triage"),
        .type = SPB_STR("program"),
    };
    spb_value *program = value_of_json(cJSON_Parse(PROGRAM_DOCUMENT));
    spb_error *error = NULL;
    must(spb_variable_register(place->session, &options, program, NULL, &error), &error,
         "keeping the program");
    spb_value_free(program);
}

static void ask(const struct place *place, const char *message)
{
    pause_line();
    say(PROGRAM, "%s", message);
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "program", "triage");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(parameters, "inputs"), "message", message);
    cJSON *result = run(place, "run", parameters);
    cJSON *version = cJSON_GetObjectItem(cJSON_GetObjectItem(result, "program"), "version");
    say(PROGRAM, "(said version %d of the program)", version->valueint);
    cJSON_Delete(result);
}

static void improve(const struct place *place)
{
    pause_line();
    say(PROGRAM, "I let an optimizer see four examples, and judge what it makes of them.");
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "program", "triage");
    cJSON_AddStringToObject(parameters, "optimizer", "BootstrapFewShot");
    cJSON *data = cJSON_AddObjectToObject(parameters, "data");
    cJSON_AddItemToObject(data, "train", cJSON_Parse(TRAIN));
    cJSON_AddItemToObject(data, "validation", cJSON_Parse(VALIDATION));
    cJSON *metric = cJSON_AddObjectToObject(parameters, "metric");
    cJSON_AddStringToObject(metric, "kind", "host_tool");
    cJSON_AddStringToObject(metric, "tool", "judge");
    cJSON *result = run(place, "optimize", parameters);
    say(PROGRAM, "The score rose from %.0f to %.0f; I judged %d answers.",
        cJSON_GetObjectItem(result, "before")->valuedouble,
        cJSON_GetObjectItem(result, "after")->valuedouble, judge_calls);
    cJSON_Delete(result);
}

int main(void)
{
    struct place place;
    spb_error *error = NULL;
    char *settings = platform_settings();
    must(spb_platform_open(spb_str_z(settings), &place.platform, &error), &error,
         "opening the platform");
    free(settings);
    must(spb_queue_new(place.platform, &place.queue, &error), &error, "making a queue");
    must(spb_session_open(place.platform, NULL, &place.session, &error), &error,
         "opening a session");
    register_tools(&place);
    store_program(&place);
    say(PROGRAM, "I keep a program that sorts messages. Python runs it and asks me.");
    ask(&place, "The cellar is under water!");
    improve(&place);
    ask(&place, "The cellar is under water!");
    ask(&place, "The new calendars are here.");
    pause_line();
    say(PROGRAM, "I was the language model %d times.", model_calls);
    spb_session_free(place.session);
    must(spb_platform_close(place.platform, 5000, &error), &error, "closing the platform");
    spb_queue_free(place.queue);
    spb_platform_free(place.platform);
    return EXIT_SUCCESS;
}
