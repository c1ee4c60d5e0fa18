/*
 * A host that loads the library, has a Python worker come up, unloads the library under it and
 * leaves. Arguments: the library and the configuration.
 */
#include <dlfcn.h>

#include "check.h"

int main(int argc, char **argv) {
    CHECK(argc == 3);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    CHECK(library != NULL);
    spb_status (*open)(spb_str, spb_platform *, spb_error **);
    spb_status (*get)(spb_platform, spb_str, spb_pool *, spb_error **);
    spb_status (*ready)(spb_pool, uint32_t, int64_t, const spb_sink *, spb_operation *,
                        spb_error **);
    spb_status (*wait)(spb_operation, int64_t, spb_error **);
    *(void **)&open = dlsym(library, "spb_platform_open");
    *(void **)&get = dlsym(library, "spb_pool_get");
    *(void **)&ready = dlsym(library, "spb_pool_await_ready");
    *(void **)&wait = dlsym(library, "spb_operation_wait");
    CHECK(open != NULL && get != NULL && ready != NULL && wait != NULL);
    spb_platform platform;
    spb_pool pool;
    spb_operation operation;
    CHECK(open(spb_str_z(argv[2]), &platform, NULL) == SPB_OK);
    CHECK(get(platform, SPB_STR(""), &pool, NULL) == SPB_OK);
    CHECK(ready(pool, 0, LONG_MS, NULL, &operation, NULL) == SPB_OK);
    CHECK(wait(operation, LONG_MS, NULL) == SPB_OK);
    CHECK(dlclose(library) == 0);
    return 0;
}
