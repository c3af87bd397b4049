/* Text in pictures: how wide it is, and where it may stand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/svg/svg.h"
#include "report/table.h"

/* Advance widths of DejaVu Sans from ' ' to '~', thousandths of the font size; other sans-serif fonts are
 * narrower. */
static const short widths[95] = {318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318,
    337, 636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698,
    770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974,
    634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838};
enum { WIDE = 1000 }; /* anything else: as wide as high */

static double advance(unsigned char c) { return (c >= ' ' && c <= '~' ? widths[c - ' '] : WIDE) / 1000.0; }

double rg_svg_text_width(const char *text, double size)
{
    double w = 0.0;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if ((*p & 0xc0) != 0x80) w += advance(*p);
    return w * size;
}

static double size_of(const rg_svg_at *at) { return at->size > 0.0 ? at->size : 12.0; }

static double width_of(const rg_svg_at *at, const char *text)
{
    return rg_svg_text_width(text, size_of(at)) * (at->cls && strstr(at->cls, "strong") ? 1.09 : 1.0);
}

static rg_svg_box box_of(const rg_svg_at *at, const char *text)
{
    const double size = size_of(at), w = width_of(at, text);
    const double angle = at->angle * 0.017453292519943295;
    rg_svg_box b = {.half_w = w / 2.0 + 1.0, .half_h = size * 0.56, .sin = sin(angle), .cos = cos(angle)};
    /* the middle of a line of text */
    const double along = at->anchor == RG_SVG_START ? w / 2.0
        : at->anchor == RG_SVG_END                  ? -w / 2.0
                                                    : 0.0,
                 up = -0.34 * size;
    b.x = at->x + along * b.cos - up * b.sin;
    b.y = at->y + along * b.sin + up * b.cos;
    return b;
}

/* Half the extent of b along the direction (x, y). */
static double reach(const rg_svg_box *b, double x, double y)
{
    return b->half_w * fabs(b->cos * x + b->sin * y) + b->half_h * fabs(b->cos * y - b->sin * x);
}

/* Two turned rectangles are apart if one of their four edge directions separates them. */
static bool apart(const rg_svg_box *a, const rg_svg_box *b)
{
    const double axis[4][2] = {{a->cos, a->sin}, {-a->sin, a->cos}, {b->cos, b->sin}, {-b->sin, b->cos}};
    for (int i = 0; i < 4; i++) {
        const double x = axis[i][0], y = axis[i][1], d = fabs((b->x - a->x) * x + (b->y - a->y) * y);
        if (d >= reach(a, x, y) + reach(b, x, y)) return true;
    }
    return false;
}

static bool free_place(const rg_svg *s, const rg_svg_box *b, bool over_lines)
{
    const double w = reach(b, 1, 0), h = reach(b, 0, 1);
    if (b->x - w < 0 || b->y - h < 0 || b->x + w > s->w || b->y + h > s->h) return false;
    for (size_t i = 0; i < s->n_box; i++)
        if (!(over_lines && s->box[i].soft) && !apart(&s->box[i], b)) return false;
    return true;
}

static void keep(rg_svg *s, rg_svg_box b)
{
    if (s->n_box == s->cap_box) {
        const size_t cap = s->cap_box ? 2 * s->cap_box : 64;
        rg_svg_box *more = realloc(s->box, cap * sizeof *more);
        if (!more) {
            s->failed = true;
            return;
        }
        s->box = more;
        s->cap_box = cap;
    }
    s->box[s->n_box++] = b;
}

void rg_svg_keep_off(rg_svg *s, double x, double y, double half_w, double half_h, double angle)
{
    const double a = angle * 0.017453292519943295;
    keep(s, (rg_svg_box){x, y, half_w, half_h, sin(a), cos(a), false});
}

void rg_svg_keep_off_line(rg_svg *s, double x0, double y0, double x1, double y1)
{
    const double len = hypot(x1 - x0, y1 - y0);
    if (len > 0.0)
        keep(s,
            (rg_svg_box){
                (x0 + x1) / 2.0, (y0 + y1) / 2.0, len / 2.0, 1.0, (y1 - y0) / len, (x1 - x0) / len, true});
}

static void write_text(rg_svg *s, const rg_svg_at *at, const char *text)
{
    static const char *const anchors[] = {NULL, "middle", "end"};
    FILE *f = s->f;
    fprintf(f, "<text class=\"%s\" x=\"", at->cls ? at->cls : "ink");
    rg_svg_number(f, at->x);
    fputs("\" y=\"", f);
    rg_svg_number(f, at->y);
    fputc('"', f);
    if (anchors[at->anchor]) fprintf(f, " text-anchor=\"%s\"", anchors[at->anchor]);
    if (at->size > 0.0 && (at->size < 12.0 || at->size > 12.0)) {
        fputs(" font-size=\"", f);
        rg_svg_number(f, at->size);
        fputc('"', f);
    }
    if (at->angle < 0.0 || at->angle > 0.0) {
        fputs(" transform=\"rotate(", f);
        rg_svg_number(f, at->angle);
        fputc(' ', f);
        rg_svg_number(f, at->x);
        fputc(' ', f);
        rg_svg_number(f, at->y);
        fputs(")\"", f);
    }
    fputc('>', f);
    rg_text_escape(f, text);
    fputs("</text>\n", f);
}

/* text, or as much of it as fits into the picture with an ellipsis, in buf. */
static const char *fitting(const rg_svg *s, const rg_svg_at *at, char *buf, size_t n, const char *text)
{
    rg_text_clean(buf, n, text);
    if (at->angle < 0.0 || at->angle > 0.0) return buf;
    const double room = at->anchor == RG_SVG_START ? s->w - at->x - 4.0
        : at->anchor == RG_SVG_END                 ? at->x - 4.0
                                                   : 2.0 * fmin(at->x, s->w - at->x) - 8.0;
    bool cut = strlen(text) >= n;
    while (buf[0] && (cut || width_of(at, buf) > room)) {
        size_t len = strlen(buf);
        if (cut && len >= 3 && width_of(at, buf) <= room) break;
        if (!cut) {
            if (len + 4 > n) len = n - 4;
            cut = true;
        } else {
            len -= 3; /* the ellipsis of the round before */
        }
        do len--;
        while (len > 0 && ((unsigned char)buf[len] & 0xc0) == 0x80);
        strcpy(buf + len, len > 0 ? "\xe2\x80\xa6" : "");
    }
    return buf;
}

void rg_svg_text(rg_svg *s, rg_svg_at at, const char *text)
{
    char buf[512];
    fitting(s, &at, buf, sizeof buf, text);
    if (!buf[0]) return;
    keep(s, box_of(&at, buf));
    write_text(s, &at, buf);
}

void rg_svg_words(rg_svg *s, double x, double y, const char *cls, const char *text)
{
    rg_svg_text(s, (rg_svg_at){x, y, RG_SVG_START, 12, 0, cls}, text);
}

bool rg_svg_try_text(rg_svg *s, rg_svg_at at, const char *text, bool over_lines)
{
    const rg_svg_box b = box_of(&at, text);
    if (!text[0] || !free_place(s, &b, over_lines)) return false;
    keep(s, b);
    write_text(s, &at, text);
    return true;
}

static bool label(
    rg_svg *s, double x, double y, double r, double size, const char *cls, const char *text, int passes)
{
    static const struct {
        double dx, dy;
        rg_svg_anchor anchor;
    } at[] = {{1, 0, RG_SVG_START}, {-1, 0, RG_SVG_END}, {0, -1, RG_SVG_MIDDLE}, {0, 1, RG_SVG_MIDDLE},
        {.8, -.8, RG_SVG_START}, {.8, .8, RG_SVG_START}, {-.8, -.8, RG_SVG_END}, {-.8, .8, RG_SVG_END}};
    for (int pass = 0; pass < passes; pass++)
        for (int far = 0; far < 3; far++)
            for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
                const double d = r + 4.0 + 6.0 * far;
                const rg_svg_at a = {.x = x + at[i].dx * d,
                    .y = y + at[i].dy * (d + 0.3 * size) + 0.34 * size,
                    .anchor = at[i].anchor,
                    .size = size,
                    .cls = cls};
                if (rg_svg_try_text(s, a, text, pass == 1)) return true;
            }
    s->dropped++;
    return false;
}

bool rg_svg_label(rg_svg *s, double x, double y, double r, double size, const char *cls, const char *text)
{
    return label(s, x, y, r, size, cls, text, 2);
}

bool rg_svg_label_clear(
    rg_svg *s, double x, double y, double r, double size, const char *cls, const char *text)
{
    return label(s, x, y, r, size, cls, text, 1);
}
