/*
 * What one crossing from Go into C does, where a call would otherwise take several: submitting a
 * call, waiting for its end, reading a value, answering a tool's call.
 *
 * All of it goes in and comes out by value. Go memory that a struct refers to is thereby lent for
 * the call without being pinned, and nothing is put on Go's heap only to give C an address. It must
 * not know what Go does with what it gets.
 */
#ifndef SNAKEPIT_BRIDGE_GO_CROSSING_H
#define SNAKEPIT_BRIDGE_GO_CROSSING_H

#include <snakepit_bridge.h>

/* Content for C: a value, or a document that one is made of for the call, or none. */
typedef struct spb_go_content {
    const spb_value *value;
    spb_str document;
    bool is_document;
} spb_go_content;

/* What a function returned, and its error. */
typedef struct spb_go_outcome {
    spb_status status;
    spb_error *fault;
} spb_go_outcome;

/* What was submitted: an operation, if the status is SPB_OK. */
typedef struct spb_go_submitted {
    spb_go_outcome outcome;
    spb_operation operation;
} spb_go_submitted;

/* How an operation without a sink ended. */
typedef struct spb_go_end {
    spb_go_outcome outcome;
    spb_value *value;
} spb_go_end;

/* How many events were taken, if the status is SPB_OK. */
typedef struct spb_go_taken {
    spb_status status;
    size_t count;
} spb_go_taken;

/* What a value is: views that live as long as it does. */
typedef struct spb_go_view {
    spb_str document;
    size_t attachments;
} spb_go_view;

static inline spb_status spb_go_lend(spb_go_content content, spb_value **made,
                                     const spb_value **lent, spb_error **fault) {
    *made = NULL;
    *lent = content.value;
    if (!content.is_document) return SPB_OK;
    spb_status status = spb_value_from_json(content.document, made, fault);
    *lent = *made;
    return status;
}

/* Submits a call. `out` is written before any event of it comes; NULL without a sink. */
static inline spb_go_submitted spb_go_execute(spb_session session, spb_execute_options what,
                                              spb_go_content parameters, const spb_sink *sink,
                                              spb_operation *out) {
    spb_go_submitted made = {{SPB_OK, NULL}, {0}};
    spb_value *own;
    made.outcome.status = spb_go_lend(parameters, &own, &what.parameters, &made.outcome.fault);
    if (made.outcome.status == SPB_OK) {
        if (out == NULL) out = &made.operation;
        made.outcome.status = spb_execute(session, &what, sink, out, &made.outcome.fault);
    }
    spb_value_free(own);
    return made;
}

/* Submits a call of a tool, as spb_go_execute does. */
static inline spb_go_submitted spb_go_tool_call(spb_session session, spb_tool_call_options what,
                                                spb_go_content arguments, const spb_sink *sink,
                                                spb_operation *out) {
    spb_go_submitted made = {{SPB_OK, NULL}, {0}};
    spb_value *own;
    made.outcome.status = spb_go_lend(arguments, &own, &what.arguments, &made.outcome.fault);
    if (made.outcome.status == SPB_OK) {
        if (out == NULL) out = &made.operation;
        made.outcome.status = spb_tool_call(session, &what, sink, out, &made.outcome.fault);
    }
    spb_value_free(own);
    return made;
}

/* Waits for the end of an operation without a sink, takes it, and frees the handle. */
static inline spb_go_end spb_go_await(spb_operation operation) {
    spb_go_end end = {{SPB_OK, NULL}, NULL};
    end.outcome.status = spb_operation_wait(operation, SPB_NO_TIMEOUT, &end.outcome.fault);
    if (end.outcome.status == SPB_OK) {
        end.outcome.status =
            spb_operation_take_result(operation, &end.value, &end.outcome.fault);
    }
    spb_operation_free(operation);
    return end;
}

/* Takes events; what spb_queue_next_batch says beside its status is of no use here. */
static inline spb_go_taken spb_go_take(spb_queue queue, spb_event *events, size_t capacity,
                                       int64_t timeout_ms) {
    spb_go_taken taken = {SPB_OK, 0};
    taken.status =
        spb_queue_next_batch(queue, events, capacity, timeout_ms, &taken.count, NULL);
    return taken;
}

static inline spb_go_view spb_go_look(const spb_value *value) {
    spb_go_view view = {spb_value_json(value), spb_value_attachment_count(value)};
    return view;
}

/* Whether nobody waits for the answer any more. */
static inline bool spb_go_is_cancelled(spb_invocation invocation) {
    uint8_t is_cancelled = 0;
    spb_invocation_is_cancelled(invocation, &is_cancelled, NULL);
    return is_cancelled != 0;
}

/* Answers a call of a tool. Its handle is gone if the status is SPB_OK. */
static inline spb_go_outcome spb_go_answer(spb_invocation invocation, spb_go_content result) {
    spb_go_outcome outcome = {SPB_OK, NULL};
    spb_value *own;
    const spb_value *lent;
    outcome.status = spb_go_lend(result, &own, &lent, &outcome.fault);
    if (outcome.status == SPB_OK) {
        outcome.status = spb_invocation_complete(invocation, lent, &outcome.fault);
    }
    spb_value_free(own);
    return outcome;
}

#endif
