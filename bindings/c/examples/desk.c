/* desk: the help desk of an island ferry. The same program is in bindings/cpp, go and elixir.
 *
 * An agent of DSPy answers questions. It runs in a Python worker that the library starts and
 * watches; its language model, its tool and the judge of its optimizer are functions of this
 * program. One thread reads one completion queue: tokens, questions of Python and results are
 * events on it.
 *
 * Usage: desk      SPB_DEMO_LM=openai/gpt-4o-mini uses that model in place of desk_model.c.
 */
#include "desk_model.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an event belongs to: the tag that was given with the queue. */
enum tag { TAG_CALL = 1, TAG_MODEL, TAG_LOOKUP, TAG_JUDGE };

static const char *const TIMETABLE[][2] = {
    {"Skellig", "07:40"},
    {"Aran", "09:15"},
    {"Blasket", "11:05"},
};
static const char *const TRIAGE =
    "{\"module\":\"chain_of_thought\",\"signature\":\"message -> label\"}";
static const char *const DATA =
    "{\"train\":["
    "{\"message\":\"The server is down!\",\"label\":\"urgent\"},"
    "{\"message\":\"Please send the invoice.\",\"label\":\"routine\"},"
    "{\"message\":\"There is smoke in the lab!\",\"label\":\"urgent\"},"
    "{\"message\":\"The meeting is on Monday.\",\"label\":\"routine\"}],"
    "\"validation\":["
    "{\"message\":\"The disk is full!\",\"label\":\"urgent\"},"
    "{\"message\":\"New chairs have come.\",\"label\":\"routine\"},"
    "{\"message\":\"The door does not lock!\",\"label\":\"urgent\"},"
    "{\"message\":\"Thanks for the cake.\",\"label\":\"routine\"}]}";

static const char *text_at(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return text != NULL ? text : "";
}

/* Answers Python's call. Takes `answer`. */
static void complete(const spb_event *call, cJSON *answer)
{
    spb_value *value = value_of_json(answer);
    spb_error *error = NULL;
    must(spb_invocation_complete(call->invocation, value, &error), &error, "answering");
    spb_value_free(value);
}

/* Sends an answer of the model in pieces, each up to a space; false if nobody took all of them. */
static bool stream_words(const spb_event *call, const char *words)
{
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        length += words[length] == ' ';
        char *piece = slice_copy((struct slice){words, length});
        spb_value *chunk = value_of_json(cJSON_CreateString(piece));
        spb_status status = spb_invocation_emit(call->invocation, chunk, NULL);
        spb_value_free(chunk);
        free(piece);
        if (status != SPB_OK) {
            return false;
        }
        words += length;
    }
    return true;
}

/* The tool `model`. What was streamed need not be said again: null stands for it. */
static void answer_as_model(const spb_event *call)
{
    cJSON *request = json_of_value(call->value);
    char *words = desk_model_answer(request);
    bool streamed = cJSON_IsTrue(cJSON_GetObjectItem(request, "stream"));
    complete(call, streamed && stream_words(call, words) ? cJSON_CreateNull()
                                                         : cJSON_CreateString(words));
    free(words);
    cJSON_Delete(request);
}

/* The tool `lookup`. A failure is no end: the agent sees it and goes on. */
static void answer_as_timetable(const spb_event *call)
{
    cJSON *arguments = json_of_value(call->value), *found = NULL;
    char *shown = cJSON_PrintUnformatted(arguments), message[128];
    const char *port = text_at(arguments, "port");
    for (size_t i = 0; i < sizeof TIMETABLE / sizeof *TIMETABLE; i++) {
        if (strcmp(port, TIMETABLE[i][0]) == 0) {
            found = cJSON_CreateObject();
            cJSON_AddStringToObject(found, "port", port);
            cJSON_AddStringToObject(found, "departs", TIMETABLE[i][1]);
        }
    }
    if (found != NULL) {
        printf("  lookup %s gives %s\n", shown, text_at(found, "departs"));
        complete(call, found);
    } else {
        spb_failure_options failure = SPB_FAILURE_OPTIONS_INIT;
        snprintf(message, sizeof message, "no ferry goes to %s", port);
        failure.status = SPB_E_NOT_FOUND;
        failure.message = spb_str_z(message);
        printf("  lookup %s fails: %s\n", shown, message);
        spb_invocation_fail(call->invocation, &failure, NULL);
    }
    free(shown);
    cJSON_Delete(arguments);
}

/* The tool `judge`: one point for the label that was wanted. */
static void answer_as_judge(const spb_event *call)
{
    cJSON *asked = json_of_value(call->value);
    const char *wanted = text_at(cJSON_GetObjectItem(asked, "example"), "label");
    const char *given = text_at(cJSON_GetObjectItem(asked, "prediction"), "label");
    complete(call, cJSON_CreateNumber(strcmp(wanted, given) == 0));
    cJSON_Delete(asked);
}

/* What stands before the next token: the margin, and nothing once there has been one. */
static const char *margin;

/* A token of the answer is written as it comes. */
static void show_token(const spb_event *event)
{
    cJSON *chunk = json_of_value(event->value);
    if (strcmp(text_at(chunk, "field"), "answer") == 0) {
        printf("%s%s", margin, text_at(chunk, "text"));
        fflush(stdout);
        margin = "";
    }
    cJSON_Delete(chunk);
}

static void serve(const spb_event *call)
{
    switch (call->tag) {
    case TAG_MODEL:
        answer_as_model(call);
        break;
    case TAG_LOOKUP:
        answer_as_timetable(call);
        break;
    default:
        answer_as_judge(call);
    }
}

/* Runs an operation of DSPy, and serves what Python asks until it ends. Takes `parameters`; the
 * result is the caller's. */
static cJSON *run(const struct place *place, const char *operation, cJSON *parameters)
{
    cJSON_AddItemToObject(parameters, "lm", language_model());
    start(place, TAG_CALL, "dspy", operation, SPB_EXECUTE_STREAM, parameters);
    spb_error *error = NULL;
    cJSON *result = NULL;
    while (result == NULL) {
        spb_event event;
        size_t count = 0;
        must(spb_queue_next_batch(place->queue, &event, 1, SPB_NO_TIMEOUT, &count, &error), &error,
             operation);
        if (event.kind == SPB_EVENT_OP_CHUNK) {
            show_token(&event);
        } else if (event.kind == SPB_EVENT_TOOL_CALL) {
            serve(&event);
        } else if (event.kind == SPB_EVENT_OP_DONE) {
            must(event.status, &event.error, operation);
            result = json_of_value(event.value);
        }
        spb_event_clear(&event);
    }
    return result;
}

/* Lets the agent answer, and counts it. */
static void ask(const struct place *place, const char *question)
{
    spb_error *error = NULL;
    printf("\n> %s\n", question);
    margin = "  ";
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "signature", "question -> answer");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(parameters, "inputs"), "question", question);
    cJSON_AddItemToObject(parameters, "tools", cJSON_Parse("[\"lookup\"]"));
    cJSON_AddNumberToObject(parameters, "max_iters", 4);
    cJSON_Delete(run(place, "react", parameters));
    putchar('\n');
    /* Reads, reckons and writes in one step: nobody else's count is lost. */
    spb_value *one_more = value_of_json(cJSON_Parse("{\"add\": 1}"));
    must(spb_variable_update(place->session, SPB_STR("answered"), one_more, NULL, NULL, NULL,
                             &error),
         &error, "counting");
    spb_value_free(one_more);
}

/* Runs the program that is kept in the variable `triage`, in the version that it has now. */
static void sort_message(const struct place *place)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "program", "triage");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(parameters, "inputs"), "message",
                            "The cellar is under water!");
    cJSON *result = run(place, "run", parameters);
    cJSON *version = cJSON_GetObjectItem(cJSON_GetObjectItem(result, "program"), "version");
    printf("  %s (version %d)\n", text_at(cJSON_GetObjectItem(result, "outputs"), "label"),
           version->valueint);
    cJSON_Delete(result);
}

/* Lets an optimizer make the program better. What it finds becomes the next version. */
static void improve(const struct place *place)
{
    cJSON *parameters = cJSON_CreateObject();
    cJSON_AddStringToObject(parameters, "program", "triage");
    cJSON_AddStringToObject(parameters, "optimizer", "BootstrapFewShot");
    cJSON_AddItemToObject(parameters, "data", cJSON_Parse(DATA));
    cJSON_AddItemToObject(parameters, "metric",
                          cJSON_Parse("{\"kind\": \"host_tool\", \"tool\": \"judge\"}"));
    cJSON *result = run(place, "optimize", parameters);
    printf("The score rose from %.0f to %.0f.\n",
           cJSON_GetObjectItem(result, "before")->valuedouble,
           cJSON_GetObjectItem(result, "after")->valuedouble);
    cJSON_Delete(result);
}

static void register_tools(const struct place *place)
{
    spb_tool_options model = SPB_TOOL_OPTIONS_INIT, lookup = model, judge = model;
    model.name = SPB_STR("model");
    model.flags = SPB_TOOL_IDEMPOTENT; /* it may be asked again if a worker is lost */
    lookup.name = SPB_STR("lookup");
    lookup.description = SPB_STR("When the ferry to a port leaves.");
    lookup.input_schema_json =
        SPB_STR("{\"type\":\"object\",\"properties\":{\"port\":{\"type\":\"string\"}},"
                "\"required\":[\"port\"]}");
    lookup.output_schema_json =
        SPB_STR("{\"type\":\"object\",\"required\":[\"port\",\"departs\"]}");
    judge.name = SPB_STR("judge");
    register_tool(place, &model, TAG_MODEL);
    register_tool(place, &lookup, TAG_LOOKUP);
    register_tool(place, &judge, TAG_JUDGE);
}

static void register_variable(const struct place *place, const char *name, const char *type,
                              const char *constraints, const char *initial)
{
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = spb_str_z(name);
    options.type = spb_str_z(type);
    options.constraints_json = spb_str_z(constraints);
    spb_value *value = value_of_json(cJSON_Parse(initial));
    spb_error *error = NULL;
    must(spb_variable_register(place->session, &options, value, NULL, &error), &error, name);
    spb_value_free(value);
}

/* One worker with DSPy. A provider's key is handed on by its name, never by its content. */
static void open_place(struct place *place)
{
    const char *python = getenv("SPB_PYTHON"), *keys = "OPENAI_API_KEY";
    spb_error *error = NULL;
    cJSON *config = cJSON_CreateObject();
    cJSON *pool = cJSON_AddObjectToObject(cJSON_AddObjectToObject(config, "pools"), "default");
    cJSON_AddNumberToObject(pool, "workers", 1);
    cJSON_AddStringToObject(pool, "python", python != NULL ? python : "python3");
    cJSON_AddObjectToObject(cJSON_AddObjectToObject(pool, "frameworks"), "dspy");
    cJSON_AddItemToObject(pool, "env_pass", cJSON_CreateStringArray(&keys, 1));
    char *text = cJSON_PrintUnformatted(config);
    must(spb_platform_open(spb_str_z(text), &place->platform, &error), &error, "opening");
    free(text);
    cJSON_Delete(config);
    must(spb_queue_new(place->platform, &place->queue, &error), &error, "making a queue");
    must(spb_session_open(place->platform, NULL, &place->session, &error), &error, "opening");
}

static void report(const struct place *place)
{
    spb_value *value = NULL;
    spb_error *error = NULL;
    int64_t answered = 0;
    must(spb_variable_get(place->session, SPB_STR("answered"), &value, NULL, &error), &error,
         "reading");
    must(spb_value_as_i64(value, &answered, &error), &error, "reading");
    printf("Answered: %d.\n", (int)answered);
    spb_value_free(value);
}

int main(void)
{
    struct place place;
    spb_error *error = NULL;
    open_place(&place);
    register_tools(&place);
    register_variable(&place, "answered", "integer", "{\"min\": 0}", "0");
    register_variable(&place, "triage", "program", NULL, TRIAGE);
    ask(&place, "When does the ferry to Skellig leave?");
    ask(&place, "When does the ferry to Avalon leave?");
    printf("\n> The cellar is under water!\n");
    sort_message(&place);
    improve(&place);
    sort_message(&place);
    report(&place);
    spb_session_free(place.session);
    must(spb_platform_close(place.platform, 5000, &error), &error, "closing the platform");
    spb_queue_free(place.queue);
    spb_platform_free(place.platform);
    return EXIT_SUCCESS;
}
