/* The list of pictures, and writing them to files. */
#include "report/svg/pictures.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/outfile.h"

const rg_picture rg_pictures[] = {
#define RG_PICTURE(id, kind, name, title, of_all, words) \
    {RG_DOC_##kind, name, title, words, of_all, rg_picture_##id, rg_picture_can_##id},
#include "report/svg/pictures.def"
};
const int rg_n_pictures = sizeof rg_pictures / sizeof *rg_pictures;

size_t rg_picture_count(const rg_picture *p, const rg_reports *s)
{
    const rg_doc *d = rg_reports_other(s);
    size_t n = 0;
    if (p->kind == RG_DOC_profile) return s->n > 0 && p->of_all ? 1 : s->n;
    while (d && rg_doc_family(d->kind) == p->kind && p->can(s, n)) n++;
    return n;
}

static rg_status write_one(
    const rg_picture *p, const rg_reports *s, size_t index, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (!st) st = p->draw(o.f, s, index, false, err);
    if (!st) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

/* The label as part of a file name, unique by the number before it. */
static void file_label(char *buf, size_t n, const rg_reports *s, size_t run)
{
    buf[0] = 0;
    if (s->n < 2) return;
    size_t at = snprintf(buf, n, "-%zu-", run + 1);
    for (const char *p = s->run[run].label; *p && at + 1 < n && at < 40; p++) {
        const bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.';
        if (plain || buf[at - 1] != '-') buf[at++] = plain ? *p : '-';
    }
    buf[at] = 0;
    if (at > 0 && buf[at - 1] == '-') buf[at - 1] = 0;
}

/* What tells the picture from others of its kind: the run, or a number. */
static void suffix(char *buf, size_t n, const rg_picture *p, const rg_reports *s, size_t index)
{
    buf[0] = 0;
    if (p->kind != RG_DOC_profile && index > 0) snprintf(buf, n, "-%zu", index + 1);
    if (p->kind == RG_DOC_profile && !p->of_all) file_label(buf, n, s, index);
}

rg_status rg_pictures_write(const rg_reports *s, const char *path, int *n, rg_err *err)
{
    const size_t len = strlen(path);
    const bool one = len > 4 && strcmp(path + len - 4, ".svg") == 0, runs = !rg_reports_other(s);
    const char *best = s->n > 1 ? "compare" : "roofline";
    char file[4096], label[64];
    rg_status st = RG_OK;
    int written = 0;
    if (!one && mkdir(path, 0777) != 0 && errno != EEXIST)
        return rg_fail(err, RG_E_FILE, "%s: cannot make the folder: %s", path, strerror(errno));
    for (int i = 0; i < rg_n_pictures && !st; i++) {
        const rg_picture *p = &rg_pictures[i];
        if (one && (written || (runs && strcmp(p->name, best) != 0))) continue;
        const size_t count = rg_picture_count(p, s);
        for (size_t k = 0; k < count && !st && !(one && written); k++) {
            if (!p->can(s, k)) continue;
            suffix(label, sizeof label, p, s, k);
            if (snprintf(file, sizeof file, one ? "%s" : "%s%s%s%s.svg", path,
                    path[len - 1] == '/' ? "" : "/", p->name, label) >= (int)sizeof file)
                return rg_fail(err, RG_E_FILE, "%.100s...: the path is too long", path);
            st = write_one(p, s, k, file, err);
            written += !st;
        }
    }
    if (!st && written == 0 && (one || !runs))
        st = rg_fail(err, RG_E_UNSUPPORTED,
            runs ? "%s: the run holds no operator with floating-point work: there is nothing to draw"
                 : "%s: the report holds nothing to draw",
            path);
    if (n) *n = written;
    return st;
}
