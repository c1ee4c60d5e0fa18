/* poll_loop: calls of Python in an event loop beside other descriptors.
 *
 * Reads numbers of passengers from standard input, one to a line, and prints what each group pays,
 * in the order in which the calls end. One thread polls three descriptors: standard input, a timer,
 * and that of the completion queue, which is readable while the queue has events. epoll, libuv and
 * libevent do the same.
 */
#include "start.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { SILENCE_MAX_S = 60, LINE_MAX_BYTES = 64, EVENTS_MAX = 16 };

struct desk {
    spb_session session;
    spb_queue queue;
    int timer;
    int asked;
    int answered;
};

/* Nothing for a minute ends the program: whatever happens starts the timer again. */
static void start_timer(const struct desk *desk)
{
    struct itimerspec at = {.it_value = {.tv_sec = SILENCE_MAX_S}};
    timerfd_settime(desk->timer, 0, &at, NULL);
}

/* Submits a call. Its end comes to the queue with the number of the line as its tag. */
static void ask(struct desk *desk, const char *line)
{
    char json[64];
    snprintf(json, sizeof json, "{\"passengers\": %ld}", strtol(line, NULL, 10));
    spb_value *parameters = value_of(json);
    spb_execute_options options = SPB_EXECUTE_OPTIONS_INIT;
    options.framework = SPB_STR("python");
    options.operation = SPB_STR("fare");
    options.parameters = parameters;
    spb_sink sink = spb_sink_queue(desk->queue, (uint64_t)++desk->asked);
    spb_operation operation;
    spb_error *error = NULL;
    must(spb_execute(desk->session, &options, &sink, &operation, &error), &error, "calling fare");
    spb_value_free(parameters);
    /* The handle would serve to cancel. Freeing it does not: the end comes all the same. */
    spb_operation_free(operation);
}

static void tell(struct desk *desk, const spb_event *event)
{
    double price = 0;
    desk->answered++;
    if (event->status == SPB_OK && spb_value_as_f64(event->value, &price, NULL) == SPB_OK) {
        printf("group %d pays %.2f\n", (int)event->tag, price);
        return;
    }
    /* One call that fails is no reason to stop. The error belongs to the event. */
    spb_str message = spb_error_message(event->error);
    printf("group %d: %.*s\n", (int)event->tag, (int)message.len, message.ptr);
}

/* When the descriptor is readable, take events without waiting until there are no more. */
static void take_events(struct desk *desk)
{
    spb_event events[EVENTS_MAX];
    size_t count = 0;
    spb_error *error = NULL;
    while (spb_queue_next_batch(desk->queue, events, EVENTS_MAX, 0, &count, &error) == SPB_OK) {
        for (size_t i = 0; i < count; i++) {
            tell(desk, &events[i]);
            spb_event_clear(&events[i]);
        }
    }
    /* SPB_E_AGAIN comes with an error like every status that is not SPB_OK. */
    spb_error_free(error);
}

static void run(struct desk *desk, int queue_fd)
{
    struct pollfd fds[] = {{0, POLLIN, 0}, {queue_fd, POLLIN, 0}, {desk->timer, POLLIN, 0}};
    char line[LINE_MAX_BYTES];
    while (fds[0].fd >= 0 || desk->answered < desk->asked) {
        start_timer(desk);
        if (poll(fds, 3, -1) < 0 || fds[2].revents != 0) {
            fputs("nothing happens any more\n", stderr);
            exit(EXIT_FAILURE);
        }
        if (fds[1].revents != 0) {
            take_events(desk);
        }
        if (fds[0].revents != 0) {
            if (fgets(line, sizeof line, stdin) != NULL) {
                ask(desk, line);
            } else {
                fds[0].fd = -1; /* poll skips it from now on */
            }
        }
    }
}

int main(void)
{
    struct desk desk = {.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    spb_error *error = NULL;
    int32_t queue_fd = -1;
    spb_platform platform = open_platform();
    setvbuf(stdin, NULL, _IONBF, 0); /* poll cannot see what stdio has read ahead */
    must(spb_session_open(platform, NULL, &desk.session, &error), &error, "opening a session");
    must(spb_queue_new(platform, &desk.queue, &error), &error, "making a queue");
    must(spb_queue_fd(desk.queue, &queue_fd, &error), &error, "asking for its descriptor");
    run(&desk, queue_fd);
    printf("%d groups\n", desk.answered);
    spb_session_free(desk.session);
    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_queue_free(desk.queue); /* the descriptor is the queue's: never close it yourself */
    spb_platform_free(platform);
    close(desk.timer);
    return EXIT_SUCCESS;
}
