/* Figures: the tables of figures.def keep their word, every object survives the way to JSON and back, and
 * every kind of figure is shown and refused as it says. */
#include "testing.h"

#include "figures_fixture.h"
#include "report/csv.h"

static rg_status read_as(rg_object_id id, void **at, const json_t *j, rg_err *err)
{
    rg_place p = {.file = "file", .command = "ridge test"};
    *at = calloc(1, rg_objects[id].size);
    assert_non_null(*at);
    return rg_object_read(id, *at, j, &p, err);
}

static void let_go(rg_object_id id, void *at)
{
    rg_object_free(id, at);
    free(at);
}

/* Objects inside of others take their title from above where they have none. */
static bool is_inside(rg_object_id id)
{
    for (int k = 0; k < RG_OBJECTS; k++)
        for (int i = 0; i < rg_objects[k].n; i++) {
            const rg_fig *f = &rg_objects[k].fig[i];
            if ((f->kind == RG_FIG_OBJ || f->kind == RG_FIG_OBJ0) && f->of == id) return true;
        }
    return false;
}

/* Keys are unique and lower case, ranks of tables are unique, and whoever reads a figure is told what it
 * means. */
static void test_tables(void **state)
{
    (void)state;
    for (int id = 0; id < RG_OBJECTS; id++) {
        const rg_object *o = &rg_objects[id];
        assert_true(o->what[0] && o->n > 0 && o->size > 0);
        for (int i = 0; i < o->n; i++) {
            const rg_fig *f = &o->fig[i];
            if (strlen(f->help) < 4) fail_msg("%s.%s: no help", o->name, f->key);
            if (strcmp(f->help + strlen(f->help) - 2, "..") != 0 && f->help[strlen(f->help) - 1] == '.')
                fail_msg("%s.%s: help ends in a full stop", o->name, f->key);
            if (strspn(f->key, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(f->key) &&
                strncmp(o->name, "lv_", 3) != 0) /* LLM-Viewer's own names */
                fail_msg("%s.%s: a key is lower case", o->name, f->key);
            if (f->rank > 0 && f->kind != RG_FIG_OBJ && f->kind != RG_FIG_OBJ0 && f->format == RG_FORMAT__)
                fail_msg("%s.%s: in tables without a format", o->name, f->key);
            if (!f->words != (f->kind != RG_FIG_WORD && f->kind != RG_FIG_WORD0 && f->kind != RG_FIG_WORDX))
                fail_msg("%s.%s: words belong to the kind WORD", o->name, f->key);
            assert_ptr_equal(rg_fig_find((rg_object_id)id, f->key), f);
            for (int k = 0; k < i; k++) {
                if (f->rank > 0 && o->fig[k].rank == f->rank)
                    fail_msg("%s: %s and %s have rank %d", o->name, o->fig[k].key, f->key, f->rank);
                assert_true(o->fig[k].at < f->at);
            }
        }
        assert_null(rg_fig_find((rg_object_id)id, "nothing_of_that_name"));
        for (int k = 0; k < id; k++) assert_string_not_equal(rg_objects[k].name, o->name);
        /* columns of its tables: in order, with names of their own */
        rg_leaf leaf[RG_MOST_LEAVES];
        for (int ranked = 0; ranked < 2; ranked++) {
            const int n = rg_leaves(leaf, (rg_object_id)id, "", ranked);
            if (n == RG_MOST_LEAVES) fail_msg("%s: leaves may be missing", o->name);
            for (int i = 0; i < n; i++) {
                if (ranked && !leaf[i].title[0] && !is_inside((rg_object_id)id))
                    fail_msg("%s.%s: in tables without a title", o->name, leaf[i].key);
                for (int k = 0; k < i; k++) {
                    assert_string_not_equal(leaf[k].key, leaf[i].key);
                    if (ranked && leaf[k].rank > leaf[i].rank)
                        fail_msg("%s: %s before %s", o->name, leaf[k].key, leaf[i].key);
                }
            }
        }
    }
}

/* Ranks that meet in one table: those of the objects that a row opens too. */
static void test_ranks_of_rows(void **state)
{
    (void)state;
    rg_leaf leaf[RG_MOST_LEAVES];
    const int n = rg_leaves(leaf, RG_OBJ_op, "", true);
    assert_true(n > 10);
    for (int i = 1; i < n; i++)
        if (leaf[i].fig->rank == leaf[i - 1].fig->rank)
            fail_msg("%s and %s have rank %d", leaf[i - 1].key, leaf[i].key, leaf[i].fig->rank);
    assert_string_equal(leaf[0].key, "site");
    const int below = rg_leaves(leaf, RG_OBJ_op, "analytic", false);
    assert_int_equal(below, rg_objects[RG_OBJ_analytic].n);
    for (int i = 0; i < below; i++) assert_memory_equal(leaf[i].key, "analytic.", 9);
    assert_int_equal(rg_leaves(leaf, RG_OBJ_op, "ana", false), 0);
}

/* Every object with everything in it, and with as little as it may have: from JSON and back the same; a cell
 * of text, of CSV and of SQL for every leaf. */
static void test_round_trip(void **state)
{
    (void)state;
    for (int id = 0; id < RG_OBJECTS; id++)
        for (int sparse = 0; sparse < 2; sparse++) {
            json_t *j = figures_of((rg_object_id)id, 3, sparse);
            rg_err err = {0};
            void *at;
            if (read_as((rg_object_id)id, &at, j, &err) != RG_OK)
                fail_msg("%s: %s", rg_objects[id].name, err.msg);
            json_t *again = rg_object_write((rg_object_id)id, at, 17);
            /* what a list may do without is written as an empty one */
            if (!json_equal(again, j)) {
                char *a = json_dumps(j, JSON_SORT_KEYS), *b = json_dumps(again, JSON_SORT_KEYS);
                fail_msg("%s: read\n%s\nwritten\n%s", rg_objects[id].name, a, b);
            }
            rg_leaf leaf[RG_MOST_LEAVES];
            const int n = rg_leaves(leaf, (rg_object_id)id, "", false);
            char *text = NULL, cell[128];
            size_t len = 0;
            FILE *f = open_memstream(&text, &len);
            rg_csv_head(f, leaf, n);
            fputc('\n', f);
            rg_csv_row(f, leaf, n, at);
            rg_sql_table(f, "t", leaf, n);
            rg_sql_row(f, "t", leaf, n, at);
            fclose(f);
            assert_null(strstr(text, "nan"));
            free(text);
            for (int i = 0; i < n; i++) {
                const void *v = rg_leaf_value(&leaf[i], at);
                const char *shown = rg_fig_text(cell, sizeof cell, leaf[i].fig, v);
                assert_int_equal(shown == NULL, rg_fig_null(leaf[i].fig, v));
                const char *type = rg_fig_sql(leaf[i].fig);
                assert_true(!strcmp(type, "TEXT") || !strcmp(type, "REAL") || !strcmp(type, "INTEGER"));
            }
            json_decref(again);
            json_decref(j);
            let_go((rg_object_id)id, at);
        }
}

/* Of every figure: what its kind may not hold, and that it must be there unless the kind says otherwise. */
static void test_refusals(void **state)
{
    (void)state;
    static const char *const never[] = {
        "-3", "1.5", "true", "\"no word of any list\"", "[true]", "{\"a\":\"x\"}", "null", NULL};
    int refused = 0;
    for (int id = 0; id < RG_OBJECTS; id++)
        for (int i = 0; i < rg_objects[id].n; i++) {
            const rg_fig *f = &rg_objects[id].fig[i];
            int mine = 0;
            for (size_t v = 0; v < sizeof never / sizeof *never; v++) {
                json_t *j = figures_of((rg_object_id)id, 3, false);
                rg_err err = {0};
                void *at;
                if (never[v])
                    json_object_set_new(j, f->key, json_loads(never[v], JSON_DECODE_ANY, NULL));
                else
                    json_object_del(j, f->key);
                if (read_as((rg_object_id)id, &at, j, &err) == RG_OK) {
                    json_t *again = rg_object_write((rg_object_id)id, at, 17);
                    assert_non_null(again);
                    json_decref(again);
                } else {
                    mine++;
                    if (strncmp(err.msg, "file: ", 6) != 0 || !strstr(err.msg, f->key) ||
                        !strstr(err.msg, ": found ") ||
                        !strstr(err.msg, ": not a report of ridge test -o json"))
                        fail_msg("%s.%s: %s", rg_objects[id].name, f->key, err.msg);
                }
                json_decref(j);
                let_go((rg_object_id)id, at);
            }
            if (mine == 0) fail_msg("%s.%s refuses nothing", rg_objects[id].name, f->key);
            refused += mine;
        }
    assert_true(refused > 1000);
}

/* Documents of every kind: opened, written and opened again; rounded once, when they are made. */
static void test_documents(void **state)
{
    (void)state;
    for (int k = 0; k < RG_DOC_KINDS; k++) {
        const rg_document *w = &rg_documents[k];
        assert_int_equal(rg_doc_kind_of(w->object), k);
        json_t *j = figures_of(w->object, 3, false);
        rg_err err = {0};
        rg_doc d, made;
        if (rg_doc_open(&d, j, "test", &err) != RG_OK) fail_msg("%s", err.msg);
        assert_int_equal(d.kind, k);
        if (rg_doc_make(&made, d.kind, d.at, &err) != RG_OK) fail_msg("%s", err.msg);
        assert_true(json_equal(made.json, j));
        rg_doc_close(&made);
        rg_doc_close(&made); /* twice is legal */
        rg_doc_close(&d);
        if (w->list[0]) {
            assert_true(json_array_size(json_object_get(j, w->list)) > 0);
            json_object_set_new(j, w->list, json_array());
            assert_int_equal(rg_doc_open(&d, j, "test", &err), RG_E_FILE);
            assert_non_null(strstr(err.msg, "no entries, expected at least one"));
            rg_doc_close(&d);
        }
        json_decref(j);
    }
    assert_int_equal(rg_doc_kind_of(RG_OBJ_op), RG_DOC_KINDS);
    rg_doc d;
    rg_err err = {0};
    json_t *j = figures_of(RG_OBJ_validation, 3, false), *p = json_array_get(json_object_get(j, "points"), 0);
    json_object_set_new(p, "ideal_ns", json_real(1.0 / 3.0));
    assert_int_equal(rg_doc_take(&d, j, &err), RG_OK);
    assert_true(number_at(d.json, "points.0.ideal_ns") == 0.333333333); /* nine digits */
    rg_doc_close(&d);
    assert_int_equal(rg_doc_take(&d, NULL, &err), RG_E_NOMEM);
    rg_doc_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables), cmocka_unit_test(test_ranks_of_rows),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refusals), cmocka_unit_test(test_documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
