/*
 * A host that forks, without exec, while a Python worker runs calls of it. Each child is turned
 * away from everything and ends well; the parent notices nothing. The second argument is how often.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

/* Every way into the library; none may wait for a thread that the child does not have. */
static void child(spb_operation running) {
    spb_platform other;
    spb_session none;
    spb_value *out;
    spb_event event;
    spb_operation operation;
    size_t count;
    uint32_t state;
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("echo");
    EXPECT(SPB_E_FORKED, spb_platform_open(SPB_STR(NO_POOLS), &other, ERR));
    EXPECT(SPB_E_FORKED, spb_platform_health(platform, &out, ERR));
    EXPECT(SPB_E_FORKED, spb_session_open(platform, NULL, &none, ERR));
    EXPECT(SPB_E_FORKED, spb_execute(session, &options, NULL, &operation, ERR));
    EXPECT(SPB_E_FORKED, spb_operation_wait(running, LONG_MS, ERR));
    EXPECT(SPB_E_FORKED, spb_operation_state(running, &state, ERR));
    EXPECT(SPB_E_FORKED, spb_operation_cancel(running, ERR));
    EXPECT(SPB_E_FORKED, spb_queue_next_batch(queue, &event, 1, LONG_MS, &count, ERR));
    EXPECT(SPB_E_FORKED, spb_platform_close(platform, 0, ERR));
    spb_operation_free(running);
    spb_session_free(session);
    spb_queue_free(queue);
    spb_platform_free(platform);
    exit(0);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    worker_open(2, argv);
    spb_operation running = submit("ignore_cancel", "{\"seconds\": 600.0}", NULL);
    for (int i = 0; i < atoi(argv[2]); i++) {
        spb_operation short_one = submit("echo", "{\"value\": 1}", NULL);
        pid_t pid = fork();
        if (pid == 0) child(running);
        int status;
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        expect_result(short_one, "1");
    }
    uint32_t state;
    OK(spb_operation_state(running, &state, ERR));
    CHECK(state == SPB_OPERATION_RUNNING);
    spb_operation_free(running);
    worker_close();
    /* Every handle is gone with its owner. */
    spb_session gone;
    EXPECT(SPB_E_HANDLE, spb_operation_state(running, &state, ERR));
    EXPECT(SPB_E_HANDLE, spb_session_open(platform, NULL, &gone, ERR));
    return 0;
}
