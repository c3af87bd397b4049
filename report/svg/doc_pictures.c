#include "report/svg/doc_pictures.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/outfile.h"
#include "report/svg/pictures.h"

const rg_doc_picture rg_doc_pictures[] = {
#define RG_DOC_PICTURE(id, kind, name, title, words) \
    {RG_DOC_##kind, name, title, words, rg_doc_picture_##id, rg_doc_count_##id},
#include "report/svg/doc_pictures.def"
};
const int rg_n_doc_pictures = sizeof rg_doc_pictures / sizeof *rg_doc_pictures;

static rg_status write_one(const rg_doc_picture *p, const rg_doc *d, int index, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (st == RG_OK) st = p->draw(o.f, d, index, false, err);
    if (st == RG_OK) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

rg_status rg_doc_pictures_write(const rg_doc *d, const char *path, int *n, rg_err *err)
{
    const size_t len = strlen(path);
    const bool file = len > 4 && strcmp(path + len - 4, ".svg") == 0;
    char name[4096];
    rg_status st = RG_OK;
    *n = 0;
    if (!file && mkdir(path, 0777) != 0 && errno != EEXIST)
        return rg_fail(err, RG_E_FILE, "%s: cannot make the folder: %s", path, strerror(errno));
    for (int i = 0; i < rg_n_doc_pictures && st == RG_OK; i++) {
        const rg_doc_picture *p = &rg_doc_pictures[i];
        const int count = p->kind == d->kind ? p->count(d) : 0;
        for (int k = 0; k < count && st == RG_OK && !(file && *n); k++) {
            char number[16] = "";
            if (k > 0) snprintf(number, sizeof number, "-%d", k + 1);
            if (snprintf(name, sizeof name, file ? "%s" : "%s%s%s%s.svg", path,
                    path[len - 1] == '/' ? "" : "/", p->name, number) >= (int)sizeof name)
                return rg_fail(err, RG_E_FILE, "%.100s...: the path is too long", path);
            if ((st = write_one(p, d, k, name, err)) == RG_OK) ++*n;
        }
    }
    if (st == RG_OK && *n == 0)
        return rg_fail(err, RG_E_UNSUPPORTED, "%s: the report holds nothing to draw", path);
    if (st == RG_OK && !file && d->runs.n > 0) {
        int more = 0;
        st = rg_pictures_write(&d->runs, path, &more, err);
        *n += more;
    }
    return st;
}
