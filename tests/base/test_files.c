/* Mapped files and the cursor, atomic output files, the arena, memory information, and error lines. */
#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cpu.h"
#include "base/mapfile.h"
#include "base/outfile.h"
#include "base/sysinfo.h"
#include "tempdir.h"

static void write_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    fclose(f);
}

static void cursor_reads_little_endian(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x00, 0x00, 0x80,
        0xbf, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0xff, 0xff, 0xff, 0xff};
    rg_cursor c = {.p = bytes, .end = bytes + sizeof bytes};
    assert_int_equal(rg_cur_u8(&c), 1);
    assert_int_equal(rg_cur_u16(&c), 0x0302);
    assert_int_equal(rg_cur_u8(&c), 4);
    assert_int_equal(rg_cur_u32(&c), 0x08070605);
    assert_true(rg_cur_f32(&c) == -1.0f);
    assert_true(rg_cur_f64(&c) == 1.0);
    assert_int_equal(rg_cur_i32(&c), -1);
    assert_int_equal(rg_cur_left(&c), 0);
    assert_false(c.bad);
}

/* Each read of each width at each distance from the end, the end being a page that faults. */
static void cursor_stays_inside(void **state)
{
    (void)state;
    for (size_t left = 0; left < 10; left++) {
        guarded g = guarded_alloc(left + 1);
        memset(g.p, 0x5a, left + 1);
        const unsigned char *p = (unsigned char *)g.p + 1;
        for (unsigned width = 1; width <= 8; width *= 2) {
            rg_cursor c = {.p = p, .end = p + left};
            const uint64_t v = width == 1 ? rg_cur_u8(&c)
                : width == 2              ? rg_cur_u16(&c)
                : width == 4              ? rg_cur_u32(&c)
                                          : rg_cur_u64(&c);
            assert_int_equal(c.bad, width > left);
            if (c.bad) {
                assert_int_equal(v, 0);
                assert_int_equal(rg_cur_left(&c), 0);
                assert_null(rg_cur_take(&c, 0)); /* bad stays bad */
                assert_int_equal(rg_cur_u8(&c), 0);
            }
        }
        rg_cursor c = {.p = p, .end = p + left};
        assert_null(rg_cur_take(&c, UINT64_MAX)); /* a length that would wrap the pointer */
        assert_true(c.bad);
        c = (rg_cursor){.p = p, .end = p + left};
        assert_ptr_equal(rg_cur_take(&c, left), p);
        assert_false(c.bad);
        guarded_free(&g);
    }
}

static void files_are_mapped(void **state)
{
    (void)state;
    rg_mapfile f;
    rg_err e;
    write_file(temp_at("some"), "hello", 5);
    assert_int_equal(rg_mapfile_open(&f, temp_at("some"), &e), RG_OK);
    assert_int_equal(f.size, 5);
    assert_memory_equal(f.data, "hello", 5);
    rg_mapfile_done(&f, f.data, f.size);
    assert_memory_equal(f.data, "hello", 5);
    rg_mapfile_close(&f);
    rg_mapfile_close(&f); /* legal on a closed one */
    write_file(temp_at("none"), "", 0);
    assert_int_equal(rg_mapfile_open(&f, temp_at("none"), &e), RG_E_FILE);
    assert_non_null(strstr(e.msg, "empty"));
    assert_int_equal(rg_mapfile_open(&f, temp_at("absent"), &e), RG_E_FILE);
    assert_non_null(strstr(e.msg, "absent"));
    assert_int_equal(rg_mapfile_open(&f, temp_dir(), &e), RG_E_FILE);
    remove(temp_at("some"));
    remove(temp_at("none"));
}

static void outfile_appears_whole_or_not_at_all(void **state)
{
    (void)state;
    rg_outfile o;
    rg_err e;
    const int before = temp_entries();
    assert_int_equal(rg_outfile_open(&o, temp_at("out"), &e), RG_OK);
    fputs("half of it", o.f);
    fflush(o.f);
    assert_int_not_equal(access(temp_at("out"), F_OK), 0);
    rg_outfile_abort(&o);
    rg_outfile_abort(&o);
    assert_int_equal(temp_entries(), before);

    write_file(temp_at("out"), "old", 3);
    assert_int_equal(rg_outfile_open(&o, temp_at("out"), &e), RG_OK);
    fputs("new", o.f);
    rg_outfile_abort(&o);
    size_t n;
    char *text = read_all(temp_at("out"), &n);
    assert_string_equal(text, "old");
    free(text);

    assert_int_equal(rg_outfile_open(&o, temp_at("out"), &e), RG_OK);
    fputs("new content", o.f);
    fflush(o.f);
    text = read_all(temp_at("out"), &n); /* readers see the old file until the commit */
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(rg_outfile_commit(&o, &e), RG_OK);
    rg_outfile_abort(&o);
    text = read_all(temp_at("out"), &n);
    assert_string_equal(text, "new content");
    free(text);
    assert_int_equal(temp_entries(), before + 1);
    remove(temp_at("out"));
}

static void outfile_failures_leave_nothing(void **state)
{
    (void)state;
    rg_outfile o;
    rg_err e;
    const int before = temp_entries();
    assert_int_equal(rg_outfile_open(&o, temp_at("no/such/dir/out"), &e), RG_E_FILE);
    assert_non_null(strstr(e.msg, "no/such/dir/out"));
    rg_outfile_abort(&o);
    assert_int_equal(mkdir(temp_at("target"), 0700), 0);
    assert_int_equal(rg_outfile_open(&o, temp_at("target"), &e), RG_E_FILE);
    assert_non_null(strstr(e.msg, "directory"));
    assert_int_equal(rg_outfile_try(temp_at("target"), &e), RG_E_FILE);
    assert_int_equal(rg_outfile_try(temp_at("no/such/dir/out"), &e), RG_E_FILE);
    assert_non_null(strstr(e.msg, "no/such/dir/out"));
    assert_int_equal(rg_outfile_try(temp_at("new"), &e), RG_OK);
    assert_int_equal(rg_outfile_try("here", &e), RG_OK);
    rmdir(temp_at("target"));
    /* the rename fails: a directory came in between */
    assert_int_equal(rg_outfile_open(&o, temp_at("target"), &e), RG_OK);
    assert_int_equal(mkdir(temp_at("target"), 0700), 0);
    fputs("x", o.f);
    assert_int_equal(rg_outfile_commit(&o, &e), RG_E_FILE);
    assert_int_equal(temp_entries(), before + 1);
    rmdir(temp_at("target"));
    /* a program that has to leave at once */
    rg_outfile two;
    assert_int_equal(rg_outfile_open(&o, temp_at("one"), &e), RG_OK);
    assert_int_equal(rg_outfile_open(&two, temp_at("two"), &e), RG_OK);
    assert_int_equal(temp_entries(), before + 2);
    rg_outfile_unlink_pending();
    assert_int_equal(temp_entries(), before);
    rg_outfile_abort(&o);
    rg_outfile_abort(&two);
    rg_outfile_unlink_pending();
}

/* Renaming a file over /dev/null would take it away from the whole machine: devices and pipes are written to;
 * links stay links. */
static void outfile_writes_to_what_is_no_file(void **state)
{
    (void)state;
    rg_outfile o;
    rg_err e;
    struct stat s;
    char buf[16] = "";
    const int before = temp_entries();
    assert_int_equal(mkfifo(temp_at("pipe"), 0600), 0);
    const int reader = open(temp_at("pipe"), O_RDWR | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(rg_outfile_try(temp_at("pipe"), &e), RG_OK);
    assert_int_equal(rg_outfile_open(&o, temp_at("pipe"), &e), RG_OK);
    fputs("through", o.f);
    assert_int_equal(rg_outfile_commit(&o, &e), RG_OK);
    assert_int_equal(read(reader, buf, sizeof buf - 1), 7);
    assert_string_equal(buf, "through");
    assert_int_equal(stat(temp_at("pipe"), &s), 0);
    assert_true(S_ISFIFO(s.st_mode));
    assert_int_equal(rg_outfile_open(&o, temp_at("pipe"), &e), RG_OK);
    rg_outfile_abort(&o);
    assert_int_equal(access(temp_at("pipe"), F_OK), 0);
    close(reader);
    remove(temp_at("pipe"));

    write_file(temp_at("real"), "old", 3);
    assert_int_equal(chmod(temp_at("real"), 0640), 0);
    assert_int_equal(symlink("real", temp_at("link")), 0);
    assert_int_equal(rg_outfile_try(temp_at("link"), &e), RG_OK);
    assert_int_equal(rg_outfile_open(&o, temp_at("link"), &e), RG_OK);
    fputs("new", o.f);
    assert_int_equal(rg_outfile_commit(&o, &e), RG_OK);
    assert_int_equal(lstat(temp_at("link"), &s), 0);
    assert_true(S_ISLNK(s.st_mode));
    assert_int_equal(stat(temp_at("real"), &s), 0);
    assert_int_equal(s.st_mode & 07777, 0640);
    char *text = read_all(temp_at("real"), NULL);
    assert_string_equal(text, "new");
    free(text);
    remove(temp_at("link"));
    remove(temp_at("real"));
    assert_int_equal(temp_entries(), before);
}

typedef struct parts {
    char *a, *b, *c;
} parts;

static void layout(parts *p, rg_arena *r)
{
    p->a = rg_arena_take(r, 1);
    p->b = rg_arena_take(r, 100);
    p->c = rg_arena_take(r, 64);
}

static void arena_is_laid_out_twice(void **state)
{
    (void)state;
    parts p;
    rg_arena r = {0};
    layout(&p, &r);
    assert_null(p.a);
    assert_null(p.c);
    assert_int_equal(r.used, 64 + 128 + 64);
    const size_t bytes = r.used;
    char *base = rg_big_alloc(bytes);
    assert_non_null(base);
    r = (rg_arena){.base = base};
    layout(&p, &r);
    assert_int_equal(r.used, bytes);
    assert_ptr_equal(p.a, base);
    assert_true(p.b >= p.a + 1 && p.c >= p.b + 100 && p.c + 64 <= base + bytes);
    assert_int_equal((uintptr_t)p.b % 64, 0);
    assert_int_equal((uintptr_t)p.c % 64, 0);
    for (size_t i = 0; i < bytes; i++) assert_int_equal(base[i], 0);
    memset(base, 1, bytes);
    rg_big_free(base, bytes);
    rg_big_free(NULL, 5);
}

static void big_blocks(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4096, (2u << 20) - 1, 2u << 20, (2u << 20) + 1, 5u << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = rg_big_alloc(sizes[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % (2u << 20), 0);
        if (sizes[i]) p[0] = p[sizes[i] - 1] = 1;
        rg_big_free(p, sizes[i]);
    }
    assert_null(rg_big_alloc(SIZE_MAX)); /* the rounding would wrap */
    assert_null(rg_big_alloc(SIZE_MAX - (4u << 20)));
}

static void memory_is_known(void **state)
{
    (void)state;
    const char *source = NULL;
    const uint64_t a = rg_mem_available(&source);
    const uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    assert_non_null(source);
    assert_true(a > 0 && a <= total);
    assert_true(rg_mem_available(NULL) > 0);
}

static void error_lines_are_one_line(void **state)
{
    (void)state;
    rg_err e = {0};
    assert_int_equal(rg_fail(&e, RG_E_FILE, "%s: bad", "a\nb\r\033[31m\tc\x7f"), RG_E_FILE);
    assert_int_equal(e.code, RG_E_FILE);
    assert_string_equal(e.msg, "a?b??[31m?c?: bad");
    rg_fail(&e, RG_E_FILE, "%s", "\xc3\xbc stays"); /* UTF-8 is text */
    assert_string_equal(e.msg, "\xc3\xbc stays");
    char longer[2 * RG_ERR_MAX];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    rg_fail(&e, RG_E_USAGE, "%s", longer);
    assert_int_equal(strlen(e.msg), RG_ERR_MAX - 1);
    assert_int_equal(rg_fail(NULL, RG_E_NOMEM, "nobody listens"), RG_E_NOMEM);
}

static void isa_names(void **state)
{
    (void)state;
    for (int i = 0; i < RG_ISA_COUNT; i++) assert_int_equal(rg_isa_from_name(rg_isa_names[i]), i);
    assert_int_equal(rg_isa_from_name("sse9"), -1);
    assert_true(rg_isa_best() < RG_ISA_COUNT);
    assert_true(strlen(rg_cpu_name()) > 0);
    assert_ptr_equal(rg_cpu_name(), rg_cpu_name());
    assert_true(rg_now_ns() <= rg_now_ns());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cursor_reads_little_endian),
        cmocka_unit_test(cursor_stays_inside), cmocka_unit_test(files_are_mapped),
        cmocka_unit_test(outfile_appears_whole_or_not_at_all),
        cmocka_unit_test(outfile_failures_leave_nothing), cmocka_unit_test(outfile_writes_to_what_is_no_file),
        cmocka_unit_test(arena_is_laid_out_twice), cmocka_unit_test(big_blocks),
        cmocka_unit_test(memory_is_known), cmocka_unit_test(error_lines_are_one_line),
        cmocka_unit_test(isa_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
