/* Joins names of files, and finds the folder of one. */
#include "base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *rg_path_join(const char *dir, const char *name)
{
    const size_t n = strlen(dir) + strlen(name) + 2;
    char *p = malloc(n);
    if (p) snprintf(p, n, "%s/%s", dir, name);
    return p;
}

char *rg_path_folder(const char *path)
{
    struct stat s;
    const char *slash = strrchr(path, '/');
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) return strdup(path);
    return slash ? strndup(path, slash == path ? 1 : slash - path) : strdup(".");
}
