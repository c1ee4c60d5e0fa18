/*
 * Calls through the client that examples/typed_client/generate.py wrote for the functions of
 * tests/python/spb_plainmod.py: the test puts it beside this program as client.h.
 */
#include "client.h"
#include "worker.h"

static bool text_is(spb_text *text, const char *expected) {
    spb_str seen = spb_text_view(text);
    bool same = seen.len == strlen(expected) && memcmp(seen.ptr, expected, seen.len) == 0;
    if (!same) fprintf(stderr, "%.*s\n", (int)seen.len, seen.ptr);
    spb_text_free(text);
    return same;
}

static void typed_parameters_and_results(void) {
    spb_value *user = check_value("{\"name\":\"Ada\",\"age\":36}");
    spb_value *span = check_value("{\"start\":3}");
    python_hinted_parameters given = {
        .user = user,
        .colour = PYTHON_HINTED_COLOUR_BLUE,
        .span = span,
        .when = "2026-01-02T00:00:00",
        .size = 5,
    };
    spb_text *text = NULL;
    OK(python_hinted(session, &given, &text, ERR));
    CHECK(text_is(text, "User(name='Ada', age=36, address=None, born=None) "
                        "<Colour.BLUE: 'blue'> Span(start=3, end=10) "
                        "datetime.datetime(2026, 1, 2, 0, 0) 5.0"));
    given.colour = "green";
    EXPECT(SPB_E_INVALID_ARGUMENT, python_hinted(session, &given, &text, ERR));
    given.colour = NULL;
    EXPECT(SPB_E_INVALID_ARGUMENT, python_hinted(session, &given, &text, ERR));
    spb_value_free(user);
    spb_value_free(span);
}

static void what_is_left_out_has_its_default(void) {
    spb_value *result = NULL;
    OK(python_countdown(session, &(python_countdown_parameters){.start = 3}, &result, ERR));
    CHECK(check_json_is(result, "[\"lift-off\"]"));
    spb_value_free(result);
    int64_t fail_at = 2;
    python_countdown_parameters failing = {.start = 3, .fail_at = &fail_at};
    EXPECT(SPB_E_PYTHON_EXCEPTION, python_countdown(session, &failing, &result, ERR));
}

static void tensors_go_in_and_out(void) {
    float vectors[] = {3, 4, 0};
    double scale[] = {2};
    int64_t sides[] = {1, 3}, one[] = {1};
    spb_attachment parts[] = {
        {SPB_ATTACHMENT_TENSOR, SPB_DTYPE_FLOAT32, (const uint8_t *)vectors, sizeof vectors, sides,
         2},
        {SPB_ATTACHMENT_TENSOR, SPB_DTYPE_FLOAT64, (const uint8_t *)scale, sizeof scale, one, 1},
    };
    spb_value *values[2], *result = NULL;
    for (int i = 0; i < 2; i++)
        OK(spb_value_from_parts(SPB_STR("{\"$spb\":{\"attachment\":0}}"), &parts[i], 1, &values[i],
                                ERR));
    python_norm_parameters given = {.vectors = values[0], .scale = values[1]};
    OK(python_norm(session, &given, &result, ERR));
    spb_attachment seen;
    OK(spb_value_attachment(result, 0, &seen, ERR));
    float length;
    CHECK(seen.dtype == SPB_DTYPE_FLOAT32 && seen.len == sizeof length);
    memcpy(&length, seen.data, sizeof length);
    CHECK(length == 10);
    spb_value_free(result);
    spb_value_free(values[0]);
    spb_value_free(values[1]);
}

static void chunks_come_to_a_queue(void) {
    spb_sink sink = {.struct_size = sizeof sink, .kind = SPB_SINK_QUEUE, .queue = queue};
    spb_operation operation;
    python_ticks_parameters given = {.count = 2};
    OK(python_ticks_start(session, &given, SPB_EXECUTE_STREAM, &sink, &operation, ERR));
    const char *expected[] = {"0", "1"};
    for (int i = 0; i < 2; i++) {
        spb_event event = next_event(SPB_EVENT_OP_CHUNK);
        CHECK(check_json_is(event.value, expected[i]));
        spb_event_clear(&event);
    }
    spb_event event = next_event(SPB_EVENT_OP_DONE);
    CHECK(event.status == SPB_OK);
    spb_event_clear(&event);
    spb_operation_free(operation);
}

int main(int argc, char **argv) {
    worker_open(argc, argv);
    typed_parameters_and_results();
    what_is_left_out_has_its_default();
    tensors_go_in_and_out();
    chunks_come_to_a_queue();
    worker_close();
    return 0;
}
