/* Files that people take for models and tokenizers: what they are. */
#ifndef RG_FOREIGN_H
#define RG_FOREIGN_H

#include <stddef.h>

#include "base/status.h"

/* Names a git-lfs pointer, a web page, an archive, a pickle, an old GGML file and their like by the begin of
 * its bytes; RG_OK: it is none of them. RG_E_FILE: not the file itself; RG_E_UNSUPPORTED: another format. */
rg_status rg_foreign(const rg_src *src, const void *data, size_t n);
/* The same of the file of that name; RG_OK if it cannot be read. */
rg_status rg_foreign_file(const rg_src *src);

#endif
