int mkdir(const char *path, unsigned mode);
