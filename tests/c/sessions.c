/*
 * Sessions as a host in C has them: opened, joined, listed in pages, touched, measured, cloned,
 * exported and imported as a file and as a value, and what each of these refuses. The argument is a
 * directory for files.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static spb_platform platform;
static char archive[512];

static spb_session open_named(const char *id) {
    spb_session session;
    spb_session_options options = SPB_SESSION_OPTIONS_INIT;
    options.id = spb_str_z(id);
    OK(spb_session_open(platform, &options, &session, ERR));
    CHECK(session.id != 0);
    return session;
}

static void close_session(spb_session session) {
    spb_operation operation;
    spb_value *result;
    OK(spb_session_close(session, NULL, &operation, ERR));
    OK(spb_operation_wait(operation, LONG_MS, ERR));
    OK(spb_operation_take_result(operation, &result, ERR));
    spb_value_free(result);
    spb_operation_free(operation);
    spb_session_free(session);
}

static void add(spb_session session, const char *name, const char *json) {
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    options.name = spb_str_z(name);
    options.type = SPB_STR("json");
    spb_value *value = check_value(json);
    OK(spb_variable_register(session, &options, value, NULL, ERR));
    spb_value_free(value);
}

static void expect_variable(spb_session session, const char *name, const char *json,
                            uint64_t version) {
    spb_value *value;
    uint64_t given;
    OK(spb_variable_get(session, spb_str_z(name), &value, &given, ERR));
    CHECK(check_json_is(value, json) && given == version);
    spb_value_free(value);
}

/* Whether the document has this text in it. */
static bool has(const spb_value *value, const char *part) {
    bool found = strstr(spb_value_json(value).ptr, part) != NULL;
    if (!found) fprintf(stderr, "no %s in %s\n", part, spb_value_json(value).ptr);
    return found;
}

static void sessions_are_listed_joined_and_touched(void) {
    spb_session a = open_named("a"), b = open_named("b"), c = open_named("c"), again;
    spb_value *list;
    OK(spb_session_list(platform, SPB_STR(""), 2, &list, ERR));
    CHECK(has(list, "\"id\":\"a\"") && has(list, "\"id\":\"b\"") && has(list, "\"open\":true"));
    CHECK(strstr(spb_value_json(list).ptr, "\"id\":\"c\"") == NULL);
    spb_value_free(list);
    OK(spb_session_list(platform, SPB_STR("b"), 0, &list, ERR));
    CHECK(has(list, "\"id\":\"c\"") && strstr(spb_value_json(list).ptr, "\"id\":\"b\"") == NULL);
    spb_value_free(list);

    OK(spb_session_join(platform, SPB_STR("a"), &again, ERR));
    CHECK(again.id != 0 && again.id != a.id);
    add(a, "x", "[1,  2]");
    expect_variable(again, "x", "[1,  2]", 1);
    OK(spb_session_touch(again, ERR));
    spb_value *info;
    OK(spb_session_info(again, &info, ERR));
    CHECK(has(info, "\"variables\":1") && has(info, "\"bytes\":12") && has(info, "\"revision\":1"));
    CHECK(has(info, "\"store\":\"memory\"") && has(info, "\"operations_running\":0"));
    spb_value_free(info);

    EXPECT(SPB_E_NOT_FOUND, spb_session_join(platform, SPB_STR("d"), &b, ERR));
    CHECK(b.id == 0);
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_join(platform, SPB_STR(""), &b, ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_list(platform, SPB_STR("\n"), 0, &list, ERR));
    CHECK(list == NULL);
    EXPECT(SPB_E_UTF8, spb_session_join(platform, SPB_STR("\xff"), &b, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_join(platform, SPB_STR("a"), NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_list(platform, SPB_STR(""), 0, NULL, ERR));
    EXPECT(SPB_E_HANDLE, spb_session_join((spb_platform){7}, SPB_STR("a"), &b, ERR));
    EXPECT(SPB_E_HANDLE, spb_session_list((spb_platform){7}, SPB_STR(""), 0, &list, ERR));
    EXPECT(SPB_E_HANDLE, spb_session_touch((spb_session){7}, ERR));

    close_session(a);
    EXPECT(SPB_E_CLOSED, spb_session_touch(again, ERR));
    EXPECT(SPB_E_CLOSED, spb_session_info(again, &info, ERR));
    spb_session_free(again);
    OK(spb_session_join(platform, SPB_STR("b"), &b, ERR));
    close_session(b);
    close_session(c);
}

static void the_quota_is_kept(void) {
    spb_session sessions[4], one_more;
    char id[] = "0";
    for (size_t i = 0; i < 4; i++, id[0]++) sessions[i] = open_named(id);
    EXPECT(SPB_E_RESOURCE_EXHAUSTED, spb_session_open(platform, NULL, &one_more, ERR));
    EXPECT(SPB_E_RESOURCE_EXHAUSTED, spb_session_clone(sessions[0], NULL, &one_more, ERR));
    CHECK(one_more.id == 0);
    for (size_t i = 0; i < 4; i++) close_session(sessions[i]);
}

static void a_session_is_cloned_and_carried(void) {
    spb_session first = open_named("first"), clone, from_file, from_value;
    add(first, "x", "{\"z\": 1.50, \"a\": 9007199254740993}");
    spb_value *value = check_value("[true]");
    OK(spb_variable_set(first, SPB_STR("x"), value, 0, NULL, ERR));
    spb_value_free(value);
    spb_session_options named = SPB_SESSION_OPTIONS_INIT;
    named.id = SPB_STR("second");
    OK(spb_session_clone(first, &named, &clone, ERR));
    expect_variable(clone, "x", "[true]", 2);
    EXPECT(SPB_E_ALREADY_EXISTS, spb_session_clone(first, &named, &from_file, ERR));
    CHECK(from_file.id == 0);
    close_session(clone);

    OK(spb_session_export(first, spb_str_z(archive), ERR));
    OK(spb_session_export_value(first, &value, ERR));
    CHECK(has(value, "{\"format\":\"snakepit-session\",\"version\":1,"));
    CHECK(has(value, "\"session\":{\"id\":\"first\""));
    CHECK(has(value, "{\"version\":1,\"value\":{\"z\": 1.50, \"a\": 9007199254740993}}"));
    EXPECT(SPB_E_ALREADY_EXISTS,
           spb_session_import(platform, spb_str_z(archive), NULL, &from_file, ERR));
    close_session(first);
    OK(spb_session_import(platform, spb_str_z(archive), NULL, &from_file, ERR));
    OK(spb_session_import_value(platform, value, &named, &from_value, ERR));
    spb_value_free(value);
    expect_variable(from_file, "x", "[true]", 2);
    expect_variable(from_value, "x", "[true]", 2);
    spb_session_free(from_file);
    OK(spb_session_join(platform, SPB_STR("first"), &from_file, ERR));
    close_session(from_file);
    close_session(from_value);
}

static void what_is_no_archive_is_refused(void) {
    spb_session session = {7};
    spb_session good = open_named("good");
    FILE *file = fopen(archive, "w");
    CHECK(file != NULL && fputs("PK no archive", file) >= 0 && fclose(file) == 0);
    EXPECT(SPB_E_INVALID_ARGUMENT,
           spb_session_import(platform, spb_str_z(archive), NULL, &session, ERR));
    CHECK(session.id == 0 && unlink(archive) == 0);
    EXPECT(SPB_E_UNAVAILABLE,
           spb_session_import(platform, spb_str_z(archive), NULL, &session, ERR));
    EXPECT(SPB_E_UNAVAILABLE, spb_session_export(good, SPB_STR("/nowhere/at/all"), ERR));
    EXPECT(SPB_E_INVALID_ARGUMENT, spb_session_export(good, SPB_STR("/"), ERR));
    EXPECT(SPB_E_UTF8, spb_session_export(good, SPB_STR("\xff"), ERR));
    EXPECT(SPB_E_HANDLE, spb_session_export((spb_session){7}, spb_str_z(archive), ERR));
    const char *bad[] = {
        "null",
        "{\"format\":\"other\",\"version\":1}",
        "{\"format\":\"snakepit-session\",\"version\":2}",
        "{\"format\":\"snakepit-session\",\"version\":1,\"session\":{\"id\":\"z\",\"metadata\":{},"
        "\"ttl_ms\":null,\"affinity\":\"none\"},\"variables\":[{\"name\":\"1\",\"type\":\"json\","
        "\"constraints\":{},\"metadata\":{},\"version\":1,\"value\":1,\"history\":[]}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        spb_value *value = check_value(bad[i]);
        EXPECT(SPB_E_INVALID_ARGUMENT,
               spb_session_import_value(platform, value, NULL, &session, ERR));
        spb_value_free(value);
    }
    spb_value *wrong = check_value(
        "{\"format\":\"snakepit-session\",\"version\":1,\"session\":{\"id\":\"z\",\"metadata\":{},"
        "\"ttl_ms\":null,\"affinity\":\"none\"},"
        "\"variables\":[{\"name\":\"n\",\"type\":\"integer\","
        "\"constraints\":{\"max\":5},\"metadata\":{},\"version\":2,\"value\":1,"
        "\"history\":[{\"version\":1,\"value\":6}]}]}");
    EXPECT(SPB_E_CONSTRAINT, spb_session_import_value(platform, wrong, NULL, &session, ERR));
    spb_value_free(wrong);
    EXPECT(SPB_E_NOT_FOUND, spb_session_join(platform, SPB_STR("z"), &session, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_import_value(platform, NULL, NULL, &session, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_export_value(good, NULL, ERR));
    EXPECT(SPB_E_NULL_ARGUMENT, spb_session_clone(good, NULL, NULL, ERR));
    close_session(good);
}

static void sessions_outlive_a_platform_with_a_lasting_store(const char *folder) {
    char config[1024];
    snprintf(config, sizeof config,
             "{\"pools\":{},\"state\":{\"store\":\"sqlite\",\"path\":\"%s/state.db\"}}", folder);
    platform = check_open(config);
    spb_session session = open_named("kept");
    add(session, "x", "7");
    spb_platform second;
    EXPECT(SPB_E_BUSY, spb_platform_open(spb_str_z(config), &second, ERR));
    spb_session_free(session);
    check_close(platform);

    platform = check_open(config);
    spb_value *list;
    OK(spb_session_list(platform, SPB_STR(""), 0, &list, ERR));
    CHECK(has(list, "\"id\":\"kept\"") && has(list, "\"open\":false"));
    spb_value_free(list);
    spb_session_options named = SPB_SESSION_OPTIONS_INIT;
    named.id = SPB_STR("kept");
    EXPECT(SPB_E_ALREADY_EXISTS, spb_session_open(platform, &named, &session, ERR));
    OK(spb_session_join(platform, SPB_STR("kept"), &session, ERR));
    expect_variable(session, "x", "7", 1);
    close_session(session);
    check_close(platform);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    snprintf(archive, sizeof archive, "%s/session.zip", argv[1]);
    platform = check_open("{\"pools\": {}, \"sessions\": {\"max\": 4}}");
    sessions_are_listed_joined_and_touched();
    the_quota_is_kept();
    a_session_is_cloned_and_carried();
    what_is_no_archive_is_refused();
    spb_session late = open_named("late"), none;
    check_close(platform);
    EXPECT(SPB_E_HANDLE, spb_session_touch((spb_session){0}, ERR));
    spb_session_free(late);
    EXPECT(SPB_E_HANDLE, spb_session_join(platform, SPB_STR("late"), &none, ERR));
    sessions_outlive_a_platform_with_a_lasting_store(argv[1]);
    return 0;
}
