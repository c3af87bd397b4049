/* A fake / with /proc and /sys files of a test's choice, for readers that take a root path. */
#ifndef RG_FAKE_TREE_H
#define RG_FAKE_TREE_H

#include <sys/stat.h>

#include "tempdir.h"

/* An empty tree; path borrowed until the next call. */
static inline const char *fake_tree(void)
{
    static char root[256];
    static int n;
    snprintf(root, sizeof root, "%s/root%d", temp_dir(), n++);
    assert_int_equal(mkdir(root, 0700), 0);
    return root;
}

/* Writes root/path, folders made on the way. text NULL: only the folder. */
static inline void fake_file(const char *root, const char *path, const char *text)
{
    char full[512];
    assert_true(snprintf(full, sizeof full, "%s%s", root, path) < (int)sizeof full);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = 0;
        mkdir(full, 0700);
        *p = '/';
    }
    if (!text) {
        mkdir(full, 0700);
        return;
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#endif
