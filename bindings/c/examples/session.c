/* session: what belongs together. Variables, tools and calls of one conversation or one user; it is
 * named, copied, written to a file, read again and closed. Without a worker.
 *
 * Usage: session FILE
 */
#include "start.h"

static void print_variables(spb_session session)
{
    spb_value *words = NULL;
    spb_error *error = NULL;
    uint64_t version = 0;
    must(spb_variable_get(session, SPB_STR("words"), &words, &version, &error), &error, "reading");
    printf("  words = %s, version %d\n", spb_value_json(words).ptr, (int)version);
    spb_value_free(words);
}

/* Closes for everybody. Freeing the handle would only forget it. */
static void close_session(spb_session session)
{
    spb_operation closing;
    spb_error *error = NULL;
    must(spb_session_close(session, NULL, &closing, &error), &error, "closing a session");
    must(spb_operation_wait(closing, SPB_NO_TIMEOUT, &error), &error, "closing a session");
    spb_operation_free(closing);
    spb_session_free(session);
}

static void append(spb_session session, const char *update)
{
    spb_value *word = value_of(update);
    spb_error *error = NULL;
    must(spb_variable_update(session, SPB_STR("words"), word, NULL, NULL, NULL, &error), &error,
         "appending");
    spb_value_free(word);
}

static spb_session open_first(spb_platform platform)
{
    spb_session session;
    spb_error *error = NULL;
    spb_session_options options = SPB_SESSION_OPTIONS_INIT;
    options.id = SPB_STR("ann");
    options.metadata_json = SPB_STR("{\"language\": \"ga\"}");
    options.ttl_ms = 3600000; /* unused for an hour, it closes by itself */
    must(spb_session_open(platform, &options, &session, &error), &error, "opening a session");
    spb_variable_options variable = SPB_VARIABLE_OPTIONS_INIT;
    variable.name = SPB_STR("words");
    variable.type = SPB_STR("json");
    spb_value *none = value_of("[]");
    must(spb_variable_register(session, &variable, none, NULL, &error), &error, "registering");
    spb_value_free(none);
    return session;
}

int main(int argc, char **argv)
{
    spb_error *error = NULL;
    spb_platform platform;
    spb_session joined, copy, read;
    if (argc != 2) {
        fputs("usage: session FILE\n", stderr);
        return EXIT_FAILURE;
    }
    must(spb_platform_open(SPB_STR("{\"pools\": {}}"), &platform, &error), &error, "opening");
    spb_session session = open_first(platform);
    append(session, "{\"append\": \"bad\"}");

    /* Found by its name: another handle of the same session. */
    must(spb_session_join(platform, SPB_STR("ann"), &joined, &error), &error, "joining");
    append(joined, "{\"append\": \"farraige\"}");
    puts("ann, through either handle:");
    print_variables(session);
    spb_session_free(joined);

    /* All it holds, at one moment. What happens to the one is nothing to the other. */
    must(spb_session_clone(session, NULL, &copy, &error), &error, "copying");
    append(copy, "{\"append\": \"long\"}");
    puts("a copy that went on:");
    print_variables(copy);
    close_session(copy);

    /* To a file and back, into any platform on any store; the id and the versions come along. */
    must(spb_session_export(session, spb_str_z(argv[1]), &error), &error, "writing the file");
    close_session(session);
    must(spb_session_import(platform, spb_str_z(argv[1]), NULL, &read, &error), &error,
         "reading the file");
    puts("ann, read from the file:");
    print_variables(read);
    close_session(read);

    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
