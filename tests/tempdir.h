/* A folder of the test's own, made on first use and removed with everything in it when the program ends. */
#ifndef RG_TEMPDIR_H
#define RG_TEMPDIR_H

#include "testing.h"

#include <dirent.h>

static char temp_dir_path[64];

static inline void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char sub[1024];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (snprintf(sub, sizeof sub, "%s/%s", path, e->d_name) >= (int)sizeof sub) continue;
        if (unlink(sub) != 0) remove_tree(sub);
    }
    if (d) closedir(d);
    rmdir(path);
}

static inline void remove_temp_dir(void) { remove_tree(temp_dir_path); }

static inline const char *temp_dir(void)
{
    if (!temp_dir_path[0]) {
        snprintf(temp_dir_path, sizeof temp_dir_path, "/tmp/ridge-test-XXXXXX");
        if (!mkdtemp(temp_dir_path)) fail_msg("cannot make a folder in /tmp");
        atexit(remove_temp_dir);
    }
    return temp_dir_path;
}

/* Path of a name in it; valid for the next three calls. */
static inline const char *temp_at(const char *name)
{
    static char path[4][512];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", temp_dir(), name);
    return p;
}

/* Files and folders in it. */
static inline int temp_entries(void)
{
    DIR *d = opendir(temp_dir());
    int n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

#endif
