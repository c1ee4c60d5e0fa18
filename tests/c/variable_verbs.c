/*
 * What can be done to variables besides reading and writing one: batches that happen whole or not
 * at all, updates in one step, conditions, locks, history, pages.
 */
#include "check.h"

static spb_session session;

static void add(const char *name, const char *type, const char *json) {
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = spb_str_z(name);
    options.type = spb_str_z(type);
    spb_value *value = check_value(json);
    uint64_t version;
    OK(spb_variable_register(session, &options, value, &version, ERR));
    CHECK(version == 1);
    spb_value_free(value);
}

static void check_is(const char *name, const char *json, uint64_t expected_version) {
    spb_value *value;
    uint64_t version;
    OK(spb_variable_get(session, spb_str_z(name), &value, &version, ERR));
    CHECK(check_json_is(value, json));
    CHECK(version == expected_version);
    spb_value_free(value);
}

static spb_write_options as_owner(const char *owner, uint64_t expected_version) {
    spb_write_options options = SPB_WRITE_OPTIONS_INIT;
    options.owner = spb_str_z(owner);
    options.expected_version = expected_version;
    return options;
}

static void several_are_read_at_one_moment(void) {
    const spb_str names[] = {SPB_STR("b"), SPB_STR("none"), SPB_STR("a")};
    spb_value *found;
    OK(spb_variable_get_many(session, names, 3, &found, ERR));
    CHECK(check_json_is(found,
        "{\"found\":["
        "{\"id\":2,\"name\":\"b\",\"type\":\"integer\",\"version\":1,\"constraints\":{},"
        "\"metadata\":{},\"value\":2},"
        "{\"id\":1,\"name\":\"a\",\"type\":\"integer\",\"version\":1,\"constraints\":{},"
        "\"metadata\":{},\"value\":1}],"
        "\"missing\":[\"none\"]}"));
    spb_value_free(found);
    OK(spb_variable_get_many(session, NULL, 0, &found, ERR));
    CHECK(check_json_is(found, "{\"found\":[],\"missing\":[]}"));
    spb_value_free(found);
}

static void a_batch_is_written_whole_or_not_at_all(void) {
    spb_value *ten = check_value("10"), *text = check_value("\"x\"");
    spb_variable_write writes[] = {{SPB_STR("a"), ten, 1, 0}, {SPB_STR("b"), text, 0, 0}};
    spb_value *out = NULL;
    EXPECT(SPB_E_TYPE_MISMATCH, spb_variable_set_many(session, writes, 2, SPB_STR(""), &out, ERR));
    CHECK(out == NULL);
    check_is("a", "1", 1);
    writes[1].value = ten;
    writes[1].expected_version = 7;
    EXPECT(SPB_E_VERSION_CONFLICT,
           spb_variable_set_many(session, writes, 2, SPB_STR(""), &out, ERR));
    check_is("a", "1", 1);
    writes[1].expected_version = 1;
    OK(spb_variable_set_many(session, writes, 2, SPB_STR(""), &out, ERR));
    CHECK(check_json_is(out, "[{\"id\":1,\"name\":\"a\",\"version\":2},"
                             "{\"id\":2,\"name\":\"b\",\"version\":2}]"));
    spb_value_free(out);
    check_is("b", "10", 2);
    writes[1].name = SPB_STR("a");
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_variable_set_many(session, writes, 2, SPB_STR(""), NULL, ERR));
    spb_value_free(ten);
    spb_value_free(text);
}

static void updates_and_the_past(void) {
    add("d", "json", "{\"x\":1,\"y\":2}");
    spb_value *update = check_value("{\"merge\":{\"x\":null,\"z\":3}}"), *now;
    uint64_t version;
    spb_write_options wrong = as_owner("", 9);
    EXPECT(SPB_E_VERSION_CONFLICT,
           spb_variable_update(session, SPB_STR("d"), update, &wrong, &now, &version, ERR));
    CHECK(now == NULL && version == 0);
    OK(spb_variable_update(session, SPB_STR("d"), update, NULL, &now, &version, ERR));
    CHECK(version == 2 && check_json_is(now, "{\"y\":2,\"z\":3}"));
    spb_value_free(now);
    OK(spb_variable_update(session, SPB_STR("d"), update, NULL, NULL, NULL, ERR));
    spb_value_free(update);
    OK(spb_variable_rollback(session, SPB_STR("d"), 1, NULL, &version, ERR));
    CHECK(version == 4);
    check_is("d", "{\"x\":1,\"y\":2}", 4);
    EXPECT(SPB_E_NOT_FOUND, spb_variable_rollback(session, SPB_STR("d"), 77, NULL, NULL, ERR));
    OK(spb_variable_history(session, SPB_STR("d"), &now, ERR));
    CHECK(check_json_is(now, "[{\"version\":1,\"value\":{\"x\":1,\"y\":2}},"
                             "{\"version\":2,\"value\":{\"y\":2,\"z\":3}},"
                             "{\"version\":3,\"value\":{\"y\":2,\"z\":3}},"
                             "{\"version\":4,\"value\":{\"x\":1,\"y\":2}}]"));
    spb_value_free(now);
}

static void an_owner_keeps_others_from_writing(void) {
    spb_value *one = check_value("1");
    spb_write_options mine = as_owner("me", 0), theirs = as_owner("them", 0);
    const spb_str name = SPB_STR("a"), me = SPB_STR("me"), them = SPB_STR("them");
    OK(spb_variable_lock(session, name, me, LONG_MS, ERR));
    OK(spb_variable_lock(session, name, me, LONG_MS, ERR));
    EXPECT(SPB_E_BUSY, spb_variable_lock(session, name, them, LONG_MS, ERR));
    spb_error *error = NULL;
    CHECK(spb_variable_set(session, name, one, 0, NULL, &error) == SPB_E_BUSY);
    CHECK(strstr(spb_error_details_json(error).ptr, "\"owner\":\"me\"") != NULL);
    spb_error_free(error);
    EXPECT(SPB_E_BUSY, spb_variable_set_with(session, name, one, &theirs, NULL, ERR));
    EXPECT(SPB_E_BUSY, spb_variable_delete_with(session, name, &theirs, ERR));
    spb_value *list;
    OK(spb_variable_list(session, name, &list, ERR));
    CHECK(strstr(spb_value_json(list).ptr, "\"lock\":{") != NULL);
    spb_value_free(list);
    uint64_t version;
    OK(spb_variable_set_with(session, name, one, &mine, &version, ERR));
    CHECK(version == 3);
    EXPECT(SPB_E_BUSY, spb_variable_unlock(session, name, them, ERR));
    OK(spb_variable_unlock(session, name, me, ERR));
    OK(spb_variable_unlock(session, name, them, ERR));
    OK(spb_variable_set_with(session, name, one, &theirs, NULL, ERR));
    theirs.expected_version = 3;
    EXPECT(SPB_E_VERSION_CONFLICT, spb_variable_delete_with(session, name, &theirs, ERR));
    theirs.expected_version = 4;
    OK(spb_variable_delete_with(session, name, &theirs, ERR));
    spb_value_free(one);
}

static void lists_come_in_pages(void) {
    char name[16];
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "page_%02d", i);
        add(name, "integer", "0");
    }
    spb_str after = SPB_STR("");
    int pages = 0;
    for (;; pages++) {
        spb_value *page;
        OK(spb_variable_list_page(session, SPB_STR("page_*"), after, 10, &page, ERR));
        const char *json = spb_value_json(page).ptr;
        snprintf(name, sizeof name, "page_%02d", pages * 10);
        CHECK(pages == 3 ? strcmp(json, "[]") == 0 : strstr(json, name) != NULL);
        spb_value_free(page);
        if (pages == 3) break;
        snprintf(name, sizeof name, "page_%02d", pages == 2 ? 24 : pages * 10 + 9);
        after = spb_str_z(name);
    }
}

int main(void) {
    spb_platform platform = check_open(NO_POOLS);
    OK(spb_session_open(platform, NULL, &session, ERR));
    add("a", "integer", "1");
    add("b", "integer", "2");
    several_are_read_at_one_moment();
    a_batch_is_written_whole_or_not_at_all();
    updates_and_the_past();
    an_owner_keeps_others_from_writing();
    lists_come_in_pages();
    spb_session_free(session);
    check_close(platform);
    return 0;
}
