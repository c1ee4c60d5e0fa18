/* tensor: arrays in and out of values, without a detour through text. Here one goes into a
 * variable and comes back; parameters, results and chunks carry them in the same way.
 */
#include "start.h"

/* Heights of the tide: three days, four times each. Rows of this array are longer than what is
 * used of them, as those of a matrix library often are. */
static const float TIDE[3][8] = {{1.5F, 4.0F, 1.0F, 4.5F}, {2, 4, 1, 5}, {2, 4.5F, 1.5F, 5}};

/* A value that is a tensor: {"$spb": {"attachment": 0}} with the elements attached. */
static spb_value *value_of_tide(void)
{
    static const int64_t shape[] = {3, 4}, strides[] = {8, 1};
    spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
    view.dtype = SPB_DTYPE_FLOAT32;
    view.data = TIDE;
    view.len = sizeof TIDE;
    view.shape = shape;
    view.strides = strides; /* in elements; NULL would mean rows without gaps */
    view.ndim = 2;
    spb_value *value = NULL;
    spb_error *error = NULL;
    /* Copies what the view shows. spb_value_from_dlpack and spb_value_from_arrow do not copy. */
    must(spb_value_from_tensor(&view, &value, &error), &error, "making a tensor");
    return value;
}

/* Registers a variable that takes any number of days, but four heights for each. */
static void keep(spb_session session, const spb_value *tide)
{
    spb_variable_options options = SPB_VARIABLE_OPTIONS_INIT;
    spb_error *error = NULL;
    options.name = SPB_STR("tide");
    options.type = SPB_STR("tensor");
    options.constraints_json = SPB_STR("{\"dtype\": \"float32\", \"shape\": [null, 4]}");
    must(spb_variable_register(session, &options, tide, NULL, &error), &error, "registering");
}

/* Looks at the elements where they lie. The view lives as long as the value. */
static void print_highest(const spb_value *tide)
{
    spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
    spb_error *error = NULL;
    must(spb_value_tensor_view(tide, 0, &view, &error), &error, "looking at the tensor");
    printf("%d days, %d heights each\n", (int)view.shape[0], (int)view.shape[1]);
    for (int64_t day = 0; day < view.shape[0]; day++) {
        float highest = 0;
        for (int64_t time = 0; time < view.shape[1]; time++) {
            float height;
            /* What arrives is not always aligned for its type: memcpy reads it all the same. */
            const char *at = (const char *)view.data;
            memcpy(&height, at + (day * view.strides[0] + time) * view.item_bytes, sizeof height);
            highest = height > highest ? height : highest;
        }
        printf("  day %d: %.1f m\n", (int)day + 1, highest);
    }
}

/* What has another shape is refused, and the variable stays as it is. */
static void try_another_shape(spb_session session)
{
    static const int64_t shape[] = {5};
    spb_tensor_view view = SPB_TENSOR_VIEW_INIT;
    view.dtype = SPB_DTYPE_FLOAT32;
    view.data = TIDE;
    view.len = 5 * sizeof TIDE[0][0];
    view.shape = shape;
    view.ndim = 1;
    spb_value *value = NULL;
    spb_error *error = NULL;
    must(spb_value_from_tensor(&view, &value, &error), &error, "making a tensor");
    spb_status status = spb_variable_set(session, SPB_STR("tide"), value, 0, NULL, &error);
    printf("%s: %s\n", spb_status_name(status), spb_error_message(error).ptr);
    spb_error_free(error);
    spb_value_free(value);
}

int main(void)
{
    spb_error *error = NULL;
    spb_platform platform;
    spb_session session;
    must(spb_platform_open(SPB_STR("{\"pools\": {}}"), &platform, &error), &error, "opening");
    must(spb_session_open(platform, NULL, &session, &error), &error, "opening a session");
    spb_value *tide = value_of_tide(), *kept = NULL;
    keep(session, tide);
    spb_value_free(tide); /* the variable shares the elements: nothing was copied again */
    must(spb_variable_get(session, SPB_STR("tide"), &kept, NULL, &error), &error, "reading");
    print_highest(kept);
    spb_value_free(kept);
    try_another_shape(session);
    spb_session_free(session);
    must(spb_platform_close(platform, 0, &error), &error, "closing");
    spb_platform_free(platform);
    return EXIT_SUCCESS;
}
