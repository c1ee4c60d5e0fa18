/*
 * A host that loads the library at run time, unloads it while its threads run, and loads it
 * again.
 */
#include <dlfcn.h>

#include "check.h"

int main(int argc, char **argv) {
    CHECK(argc == 2);
    spb_platform last = {0};
    for (int i = 0; i < 5; i++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) fprintf(stderr, "%s\n", dlerror());
        CHECK(library != NULL);
        spb_status (*open)(spb_str, spb_platform *, spb_error **);
        spb_status (*close)(spb_platform, int64_t, spb_error **);
        void (*release)(spb_platform);
        *(void **)&open = dlsym(library, "spb_platform_open");
        *(void **)&close = dlsym(library, "spb_platform_close");
        *(void **)&release = dlsym(library, "spb_platform_free");
        CHECK(open != NULL && close != NULL && release != NULL);
        spb_platform platform;
        CHECK(open(SPB_STR(NO_POOLS), &platform, NULL) == SPB_OK);
        CHECK(platform.id != 0 && platform.id != last.id);
        /* Every second time with the platform's threads alive. */
        if (i % 2 == 0) {
            CHECK(close(platform, 0, NULL) == SPB_OK);
            release(platform);
        }
        last = platform;
        CHECK(dlclose(library) == 0);
    }
    return 0;
}
