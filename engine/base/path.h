/* Names of files. New strings, the caller frees; NULL without memory. */
#ifndef RG_PATH_H
#define RG_PATH_H

/* "dir/name" */
char *rg_path_join(const char *dir, const char *name);
/* The path itself if it is a folder, else the folder it is in. */
char *rg_path_folder(const char *path);

#endif
