/* What a test asks of an SVG picture without a golden file: is it well-formed, what text stands where, do
 * texts overlap. */
#ifndef RG_SVG_CHECK_H
#define RG_SVG_CHECK_H

/* Tags balance, attributes are quoted and unique, every & begins one of the five entities, no control
 * characters, valid UTF-8. */
void svg_check_well_formed(const char *svg);
/* No two <text> elements overlap, by the widths of DejaVu Sans, and all lie inside the viewBox. Returns how
 * many there are. */
int svg_check_texts(const char *svg);
/* No line of a roof goes through a turned text: the name of a slope. Returns how many there are. */
int svg_check_struck(const char *svg);
/* Occurrences. */
int svg_count(const char *svg, const char *what);

#endif
