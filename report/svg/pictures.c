#include "report/svg/pictures.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/outfile.h"

const rg_picture rg_pictures[] = {
#define RG_PICTURE(id, name, title, of_set) {name, title, of_set, rg_picture_##id, rg_picture_can_##id},
#include "report/svg/pictures.def"
};
const int rg_n_pictures = sizeof rg_pictures / sizeof *rg_pictures;

static rg_status write_one(const rg_picture *p, const rg_saved *s, size_t run, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (st == RG_OK) st = p->draw(o.f, s, run, false, err);
    if (st == RG_OK) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

static const rg_picture *find(const char *name)
{
    for (int i = 0; i < rg_n_pictures; i++)
        if (strcmp(rg_pictures[i].name, name) == 0) return &rg_pictures[i];
    return NULL;
}

/* The label as part of a file name: letters, digits, dots, dashes; unique because of the number before it. */
static void file_label(char *buf, size_t n, const rg_saved *s, size_t run)
{
    buf[0] = 0;
    if (s->n < 2) return;
    size_t at = (size_t)snprintf(buf, n, "-%zu-", run + 1);
    for (const char *p = s->run[run].label; *p && at + 1 < n && at < 40; p++) {
        const bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.';
        if (plain || buf[at - 1] != '-') buf[at++] = plain ? *p : '-';
    }
    buf[at] = 0;
    if (at > 0 && buf[at - 1] == '-') buf[at - 1] = 0;
}

rg_status rg_pictures_write(const rg_saved *s, const char *path, int *n, rg_err *err)
{
    const size_t len = strlen(path);
    char file[4096], label[64];
    rg_status st = RG_OK;
    int written = 0;
    if (len > 4 && strcmp(path + len - 4, ".svg") == 0) {
        const rg_picture *p = find(s->n > 1 ? "compare" : "roofline");
        if (!p->can(s, 0))
            return rg_fail(err, RG_E_UNSUPPORTED,
                "%s: the run holds no operator with floating-point work: there is nothing to draw", path);
        st = write_one(p, s, 0, path, err);
        if (n) *n = st == RG_OK;
        return st;
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return rg_fail(err, RG_E_FILE, "%s: cannot make the folder: %s", path, strerror(errno));
    for (int i = 0; i < rg_n_pictures && st == RG_OK; i++) {
        const rg_picture *p = &rg_pictures[i];
        for (size_t run = 0; run < (p->of_set ? 1 : s->n) && st == RG_OK; run++) {
            if (!p->can(s, run)) continue;
            if (p->of_set)
                label[0] = 0;
            else
                file_label(label, sizeof label, s, run);
            if (snprintf(file, sizeof file, "%s%s%s%s.svg", path, path[len - 1] == '/' ? "" : "/", p->name,
                    label) >= (int)sizeof file)
                return rg_fail(err, RG_E_FILE, "%.100s...: the path is too long", path);
            st = write_one(p, s, run, file, err);
            written += st == RG_OK;
        }
    }
    if (n) *n = written;
    return st;
}
