/* ask: a C program that lets a DSPy agent answer questions, and is itself the agent's language
 * model and tool.
 *
 * Python runs in a worker process that the library starts, watches and, if it dies, starts again.
 * The agent's every request to its "language model" comes back here (model.c), and so does every
 * use of its tool (atlas.c). All of it, tokens and results included, arrives on one completion
 * queue that this one thread reads.
 *
 * Usage: ask [question ...]      SPB_DEMO_LM=openai/gpt-4o-mini uses that model in place of
 * model.c.
 */
#include "host.h"
#include "tools.h"
#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an event belongs to: the tag that was given with the queue. */
enum tag { TAG_READY = 1, TAG_ASK, TAG_REMEMBER, TAG_TELL, TAG_MODEL, TAG_ATLAS };

enum { EVENTS_MAX = 32 };

struct app {
    struct place place;
    const char *const *questions;
    int question_count;
    int asked;
    cJSON *notes;
    int model_calls;
    int atlas_calls;
    bool finished;
};

static const char *const QUESTIONS[] = {
    "What is the capital of Peru, and which currency is used there?",
    "Do more people live in Norway or in New Zealand?",
    "Which language is spoken in Atlantis?",
};

static void ask(struct app *app)
{
    const char *question = app->questions[app->asked];
    pause_line();
    say(PROGRAM, "%s", question);
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "signature", "question -> answer");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(parameters, "inputs"), "question", question);
    cJSON_AddItemToObject(parameters, "lm", language_model());
    cJSON_AddItemToObject(parameters, "tools",
                          cJSON_CreateStringArray((const char *[]){"lookup"}, 1));
    cJSON_AddNumberToObject(parameters, "max_iters", 6);
    start(&app->place, TAG_ASK, "dspy", "react", SPB_EXECUTE_STREAM, parameters);
}

/* The agent has answered: a Python function of our own counts it and says how it came about. */
static void remember(struct app *app, const spb_value *result)
{
    cJSON *answered = json_of_value(result);
    cJSON *outputs = cJSON_GetObjectItem(answered, "outputs");
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "question", app->questions[app->asked]);
    cJSON_AddItemToObject(parameters, "answer", cJSON_DetachItemFromObject(outputs, "answer"));
    cJSON_AddItemToObject(parameters, "steps", cJSON_DetachItemFromObject(answered, "trajectory"));
    cJSON_Delete(answered);
    start(&app->place, TAG_REMEMBER, "python", "remember", 0, parameters);
}

/* All questions are answered: one more request turns the notes into a paragraph, shown word by
 * word. */
static void tell(struct app *app)
{
    static const char *const SIGNATURE =
        "{\"instructions\":\"Tell the notes as one short paragraph.\",\"fields\":["
        "{\"name\":\"notes\",\"kind\":\"input\",\"type\":\"list[str]\"},"
        "{\"name\":\"paragraph\",\"kind\":\"output\"}]}";
    pause_line();
    say(PROGRAM, "Now tell me all of it in one paragraph.");
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddItemToObject(parameters, "signature", cJSON_Parse(SIGNATURE));
    cJSON_AddItemReferenceToObject(cJSON_AddObjectToObject(parameters, "inputs"), "notes",
                                   app->notes);
    cJSON_AddItemToObject(parameters, "lm", language_model());
    start(&app->place, TAG_TELL, "dspy", "chain_of_thought", SPB_EXECUTE_STREAM, parameters);
}

static void note(struct app *app, const spb_value *result)
{
    cJSON *remembered = json_of_value(result);
    say(PROGRAM, "(answer %d came about by %s)",
        cJSON_GetObjectItem(remembered, "number")->valueint,
        cJSON_GetStringValue(cJSON_GetObjectItem(remembered, "how")));
    cJSON_AddItemToArray(app->notes, cJSON_DetachItemFromObject(remembered, "note"));
    cJSON_Delete(remembered);
    app->asked++;
    if (app->asked < app->question_count) {
        ask(app);
    } else {
        tell(app);
    }
}

/* How the transcript names what a field of DSPy's is. */
static const char *verb_for(const char *field)
{
    static const char *const VERBS[][2] = {
        {"next_thought", "thinks: "},
        {"reasoning", "reasons: "},
        {"answer", "answers: "},
    };
    for (size_t i = 0; i < sizeof VERBS / sizeof VERBS[0]; i++) {
        if (strcmp(field, VERBS[i][0]) == 0) {
            return VERBS[i][1];
        }
    }
    return "tells: ";
}

/* A token of the agent's thinking or answer, or a word on what it does. */
static void show_chunk(const spb_event *event)
{
    cJSON *chunk = json_of_value(event->value);
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(chunk, "type"));
    if (type != NULL && strcmp(type, "token") == 0) {
        const char *field = cJSON_GetStringValue(cJSON_GetObjectItem(chunk, "field"));
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(chunk, "text"));
        say_token(AGENT, verb_for(field), text);
    }
    cJSON_Delete(chunk);
}

static void handle_end(struct app *app, spb_event *event)
{
    must(event->status, &event->error, "an operation failed");
    switch (event->tag) {
    case TAG_READY:
        say(PROGRAM, "A worker with DSPy is ready.");
        ask(app);
        break;
    case TAG_ASK:
        remember(app, event->value);
        break;
    case TAG_REMEMBER:
        note(app, event->value);
        break;
    default:
        app->finished = true;
        break;
    }
}

static void handle(struct app *app, spb_event *event)
{
    if (event->kind == SPB_EVENT_OP_CHUNK) {
        show_chunk(event);
    } else if (event->kind == SPB_EVENT_OP_DONE) {
        handle_end(app, event);
    } else if (event->kind == SPB_EVENT_TOOL_CALL && event->tag == TAG_MODEL) {
        app->model_calls++;
        answer_as_model(event);
    } else if (event->kind == SPB_EVENT_TOOL_CALL && event->tag == TAG_ATLAS) {
        app->atlas_calls++;
        answer_as_atlas(event);
    }
    spb_event_clear(event);
}

static void run(struct app *app)
{
    spb_event events[EVENTS_MAX];
    while (!app->finished) {
        size_t count = 0;
        spb_error *error = NULL;
        spb_status status =
            spb_queue_next_batch(app->place.queue, events, EVENTS_MAX, -1, &count, &error);
        must(status, &error, "waiting for events");
        for (size_t i = 0; i < count; i++) {
            handle(app, &events[i]);
        }
    }
}

/* The variable that Python counts in: an integer that is never below zero. */
static void register_variable(struct app *app)
{
    spb_variable_options options = {
        .struct_size = sizeof options,
        .name = SPB_STR("asked"),
        .type = SPB_STR("integer"),
        .constraints_json = SPB_STR("{\"min\":0}"),
    };
    spb_value *zero = NULL;
    spb_error *error = NULL;
    must(spb_value_from_i64(0, &zero, &error), &error, "making a value");
    must(spb_variable_register(app->place.session, &options, zero, NULL, &error), &error,
         "registering asked");
    spb_value_free(zero);
}

static void open_all(struct app *app)
{
    char *settings = platform_settings();
    spb_error *error = NULL;
    must(spb_platform_open(spb_str_z(settings), &app->place.platform, &error), &error,
         "opening the platform");
    free(settings);
    must(spb_queue_new(app->place.platform, &app->place.queue, &error), &error, "making a queue");
    must(spb_session_open(app->place.platform, NULL, &app->place.session, &error), &error,
         "opening a session");
    register_tools(&app->place, TAG_MODEL, TAG_ATLAS);
    register_variable(app);
    spb_pool pool;
    spb_operation ready;
    spb_sink sink = spb_sink_queue(app->place.queue, TAG_READY);
    must(spb_pool_get(app->place.platform, SPB_STR(""), &pool, &error), &error, "finding the pool");
    must(spb_pool_await_ready(pool, 1, 60000, &sink, &ready, &error), &error,
         "waiting for a worker");
    spb_operation_free(ready);
    spb_pool_free(pool);
}

static void report(struct app *app)
{
    spb_value *asked = NULL;
    uint64_t version = 0;
    int64_t count = 0;
    spb_error *error = NULL;
    spb_status status =
        spb_variable_get(app->place.session, SPB_STR("asked"), &asked, &version, &error);
    must(status, &error, "reading asked");
    must(spb_value_as_i64(asked, &count, &error), &error, "reading asked");
    spb_value_free(asked);
    pause_line();
    say(PROGRAM, "Python counted %lld in the variable `asked` (version %llu).", (long long)count,
        (unsigned long long)version);
    say(PROGRAM, "I was the language model %d times and the atlas %d times.", app->model_calls,
        app->atlas_calls);
}

static void close_all(struct app *app)
{
    spb_error *error = NULL;
    spb_session_free(app->place.session);
    must(spb_platform_close(app->place.platform, 5000, &error), &error, "closing the platform");
    spb_queue_free(app->place.queue);
    spb_platform_free(app->place.platform);
    cJSON_Delete(app->notes);
}

int main(int argc, char **argv)
{
    struct app app = {
        .questions = argc > 1 ? (const char *const *)(argv + 1) : QUESTIONS,
        .question_count = argc > 1 ? argc - 1 : (int)(sizeof QUESTIONS / sizeof QUESTIONS[0]),
        .notes = cJSON_CreateArray(),
    };
    if (!spb_abi_check()) {
        fputs("ask: the library is not the one that this program was made for\n", stderr);
        return EXIT_FAILURE;
    }
    say(PROGRAM, "This is snakepit-bridge %s. I start a worker with Python in it.", spb_version());
    open_all(&app);
    run(&app);
    report(&app);
    close_all(&app);
    return EXIT_SUCCESS;
}
