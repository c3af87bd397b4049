/* The command line: help names everything, wrong words are one line and exit code 2. */
#include "run_program.h"

#include <sched.h>
#include <sys/stat.h>

/* Rows of a .def file: the text between RG_NAME( and the end of its line. */
typedef void row_fn(char **field, int n);

/* Splits at commas outside quotes, in place; drops quotes and outer spaces. */
static int fields(char *s, char **f, int max)
{
    int n = 0;
    bool quoted = false;
    f[n++] = s;
    for (; *s; s++) {
        if (*s == '"' && s[-1] != '\\') quoted = !quoted;
        if (*s == ',' && !quoted && n < max) {
            *s = 0;
            f[n++] = s + 1;
        }
    }
    for (int i = 0; i < n; i++) {
        f[i] += strspn(f[i], " \"");
        for (size_t k = strlen(f[i]); k && strchr(" \"", f[i][k - 1]);) f[i][--k] = 0;
    }
    return n;
}

static int each_row(const char *file, const char *macro, row_fn *fn)
{
    char path[1024], start[32], *save = NULL, *field[16];
    char *text = read_all(project_file(path, sizeof path, file), NULL);
    int rows = 0;
    snprintf(start, sizeof start, "%s(", macro);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, start, strlen(start)) != 0) continue;
        rows++;
        fn(field, fields(line + strlen(start), field, 9));
    }
    free(text);
    return rows;
}

static char command[16][32], command_id[16][32];
static int n_commands;

static void note_command(char **f, int n)
{
    assert_true(n >= 2 && n_commands < 16);
    snprintf(command_id[n_commands], sizeof command_id[0], "%s", f[0]);
    snprintf(command[n_commands++], sizeof command[0], "%s", f[1]);
}

static int read_commands(void **state)
{
    (void)state;
    return each_row("tools/cli/commands.def", "RG_COMMAND", note_command) >= 6 ? 0 : -1;
}

static char *help_of[16];
static int options_seen;

static bool has_word(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || strchr(" |", p[-1])) && (!p[n] || strchr(" |", p[n]))) return true;
    return false;
}

static void option_is_named(char **f, int n)
{
    assert_int_equal(n, 9); /* kind, field, short, long, meta, low, high, commands, help */
    const bool ignored = strcmp(f[0], "IGNORED") == 0;
    for (int i = 0; i < n_commands; i++) {
        const bool takes = has_word(f[7], command_id[i]) ||
            (has_word(f[7], "ENGINE_CMDS") && strstr("RUN PROFILE EVAL", command_id[i]));
        char name[64];
        snprintf(name, sizeof name, "%s ", f[3]);
        if (takes && !ignored && !strstr(help_of[i], name))
            fail_msg("'ridge %s --help' does not name %s", command[i], f[3]);
        if (takes && !ignored && strcmp(f[2], "NULL") != 0) {
            snprintf(name, sizeof name, "  %s, %s", f[2], f[3]);
            if (!strstr(help_of[i], name)) fail_msg("'ridge %s --help' does not name %s", command[i], f[2]);
        }
        options_seen += takes;
    }
}

static void help_names_everything(void **state)
{
    (void)state;
    for (int i = 0; i < n_commands; i++) {
        output a = ridge(command[i], "--help", NULL), b = ridge("help", command[i], NULL),
               c = ridge(command[i], "-m", "nothing", "-h", NULL);
        expect_ok(&a);
        expect_ok(&b);
        expect_ok(&c);
        assert_string_equal(a.out, b.out);
        assert_string_equal(a.out, c.out);
        assert_int_equal(a.n_err, 0);
        assert_non_null(strstr(a.out, "Examples"));
        int wrapped = 0;
        for (const char *line = a.out; *line;) { /* fits a terminal; an option takes two lines at most */
            const size_t n = strcspn(line, "\n");
            wrapped = n > 35 && strspn(line, " ") == 35 ? wrapped + 1 : 0;
            if (n > 100 || wrapped > 1)
                fail_msg("'ridge %s --help': a line of %zu characters, %d more of the same option: %.*s",
                    command[i], n, wrapped, (int)n, line);
            line += n + (line[n] == '\n');
        }
        help_of[i] = a.out;
        a.out = NULL;
        done(&a), done(&b), done(&c);
    }
    each_row("tools/cli/options.def", "RG_OPT", option_is_named);
    assert_true(options_seen > 50);
    /* a command tells what an option does there, not what it does elsewhere */
    for (int i = 0; i < n_commands; i++) {
        const char *o = strstr(help_of[i], "  -o, --output ");
        const bool writes = strcmp(command[i], "synth") == 0 || strcmp(command[i], "quantize") == 0;
        if (o) o += strcspn(o, "\n") > 35 ? 35 : 0;
        if (o && writes != (strncmp(o, "the file (.gguf) or directory", 29) == 0))
            fail_msg("ridge %s --help: %.60s", command[i], o);
        for (int c = 0; o && c < n_commands; c++) {
            char also[600];
            snprintf(also, sizeof also, "%s:", command[c]);
            if (strstr(o, also) && strcspn(o, "\n") > (size_t)(strstr(o, also) - o))
                fail_msg("ridge %s --help explains -o of %s", command[i], command[c]);
        }
    }
    for (int i = 0; i < n_commands; i++) free(help_of[i]);
}

static void overview_and_version(void **state)
{
    (void)state;
    char path[1024], want[64];
    char *version = read_all(project_file(path, sizeof path, "VERSION"), NULL);
    version[strcspn(version, "\n")] = 0;
    snprintf(want, sizeof want, "ridge %s\ntokenizers: patterns of Unicode 1", version);
    free(version);
    output o = ridge("--version", NULL);
    expect_ok(&o);
    assert_memory_equal(o.out, want, strlen(want));
    done(&o);
    static const char *const ask[] = {"--help", "-h", "help"};
    for (int i = 0; i < 3; i++) {
        o = ridge(ask[i], NULL);
        expect_ok(&o);
        for (int c = 0; c < n_commands; c++) assert_non_null(strstr(o.out, command[c]));
        assert_non_null(strstr(o.out, "130 interrupted"));
        done(&o);
    }
    o = ridge(NULL, NULL); /* no command: the overview, as an error */
    assert_int_equal(o.code, 2);
    assert_int_equal(o.n_out, 0);
    assert_non_null(strstr(o.err, "usage: ridge"));
    done(&o);
}

static void wrong_words(void **state)
{
    (void)state;
    expect_error(ridge("sing", NULL), 2, "sing", "no such command", NULL);
    expect_error(ridge("help", "sing", NULL), 2, "sing", NULL);
    expect_error(ridge("profiel", NULL), 2, "the nearest is profile", NULL);
    expect_error(ridge("--hlep", NULL), 2, "the nearest is --help", NULL);
    expect_error(ridge("run", "--temprature", "1", NULL), 2, "the nearest is --temp;", NULL);
    expect_error(ridge("run", "--temprature=1", NULL), 2, "--temprature: no such option", NULL);
    expect_error(ridge("bench", "--dtpye", "f16", NULL), 2, "the nearest is --dtype;", NULL);
    expect_error(ridge("synth", "--shape", "tinyllama", "-o", "x", NULL), 2, "tinyllama-1.1b", NULL);
    expect_error(ridge("profile", "--temp", "1", NULL), 2, "but of run;", NULL);
    for (int i = 0; i < n_commands; i++) {
        expect_error(ridge(command[i], "--no-such-option", NULL), 2, "--no-such-option", "--help", NULL);
        /* a missing value, or not an option here */
        expect_error(ridge(command[i], "-o", NULL), 2, "-o", NULL);
    }
    expect_error(ridge("run", "--shape", "x", NULL), 2, "--shape", "not an option", NULL);
    expect_error(ridge("profile", "--temp", "1", NULL), 2, "--temp", "not an option", NULL);
    expect_error(ridge("run", "-m", NULL), 2, "-m", "needs a value", NULL);
    expect_error(ridge("run", "--temp", NULL), 2, "--temp", "needs a value", NULL);
    expect_error(ridge("run", "--quiet=yes", NULL), 2, "--quiet", "no value", NULL);
    expect_error(ridge("run", "-mmodel", NULL), 2, "-mmodel", NULL);
    expect_error(ridge("run", "surplus", NULL), 2, "surplus", "unexpected argument", NULL);
    expect_error(ridge("profile", "surplus", NULL), 2, "surplus", NULL);
}

static void wrong_values(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        /* command, option, value */
        {"run", "-t", "0"},
        {"run", "-t", "-1"},
        {"run", "-t", "1025"},
        {"run", "-t", "two"},
        {"run", "-t", "2x"},
        {"run", "-t", ""},
        {"run", "-t", "1.5"},
        {"run", "-t", "99999999999999999999"},
        {"run", "-n", "-2"},
        {"profile", "-n", "0"},
        {"run", "-c", "0"},
        {"run", "-ub", "0"},
        {"run", "--temp", "-1"},
        {"run", "--temp", "nan"},
        {"run", "--temp", "hot"},
        {"run", "--temp", "1e999"},
        {"run", "--top-p", "1.5"},
        {"run", "--min-p", "-0.1"},
        {"run", "--top-k", "-1"},
        {"run", "--repeat-penalty", "0"},
        {"run", "--dtype", "q5"},
        {"run", "--dtype", "F16"},
        {"run", "--dtype", "f16,f32"},
        {"run", "-ctk", "q4_0"},
        {"run", "-ctv", "bf16"},
        {"run", "-fa", "maybe"},
        {"run", "--isa", "sse"},
        {"run", "--kernel", "fast"},
        {"run", "--act", "q7"},
        {"run", "--pin", "perhaps"},
        {"profile", "-o", "xml"},
        {"profile", "-r", "0"},
        {"profile", "--counters", "some"},
        {"profile", "--dtype", "f16,q5"},
        {"run", "-s", "-4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *c = cases[i];
        expect_error(ridge(c[0], "-m", tiny_model(), "-p", "7", c[1], c[2], NULL), 2, c[1], "expected", NULL);
    }
    expect_error(ridge("run", "-m", tiny_model(), "--top-p", "0", NULL), 2, "--top-p", NULL);
    expect_error(ridge("profile", "-m", tiny_model(), "--dtype", ",", NULL), 2, "--dtype", "empty", NULL);
    expect_error(ridge("profile", "-m", tiny_model(), "-B", "1-65", NULL), 2, "-B", "65 runs", NULL);
    expect_error(ridge("run", "-m", tiny_model(), "-p", "a", "-f", "b", NULL), 2, "-p", "-f", NULL);
    expect_error(ridge("run", "-m", tiny_model(), "-t", "2", "-tb", "1", NULL), 4, "-tb", NULL);
    expect_error(ridge_with(&(run_opts){.env = {"RIDGE_ISA=mmx"}}, "run", "-m", tiny_model(), NULL), 2,
        "RIDGE_ISA", "mmx", NULL);
    if (system("grep -qw amx_tile /proc/cpuinfo") != 0)
        expect_error(ridge("run", "-m", tiny_model(), "--isa", "amx", NULL), 4, "--isa amx",
            "the best level here is", NULL);
    expect_error(ridge("profile", "-m", tiny_model(), "-p", "0", NULL), 2, "-p", NULL);
    expect_error(ridge("run", "--color=red", NULL), 2, "--color", "on, off, auto", NULL);
    expect_error(ridge("run", "-cnv", "-no-cnv", NULL), 2, "-no-cnv", NULL);
}

/* Flags that make no sense here are noted and change nothing; values may follow an equals sign. */
static void other_spellings(void **state)
{
    (void)state;
    output a = ridge("run", "-m", tiny_model(), "--temp", "0", "-n", "8", "-p", "x", "--quiet", NULL);
    expect_ok(&a);
    assert_int_equal(a.n_err, 0);
    output b = ridge("run", "-m", tiny_model(), "-ngl", "99", "-sm", "none", "-mg", "0", "--temp=0",
        "--predict=8", "--prompt=x", "-fa", "auto", "-no-cnv", "--color", "off", NULL);
    expect_ok(&b);
    assert_string_equal(a.out, b.out);
    assert_non_null(strstr(b.err, "-ngl is ignored"));
    assert_non_null(strstr(b.err, "load time"));
    done(&a);
    done(&b);
}

/* Threads that wait for each other are refused where they would run, with what limits them. */
static void more_threads_than_processors(void **state)
{
    (void)state;
    static const char *const commands[][2] = {{"run", "-p"}, {"profile", "-p"}, {"bench", "-p"},
        {"eval", "-p"}, {"machine", "--save"}, {"quantize", "-o"}};
    char many[32];
    snprintf(many, sizeof many, "%ld", sysconf(_SC_NPROCESSORS_CONF) + 1);
    if (atoi(many) > 1024) return;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_error(ridge(commands[i][0], "-t", many, commands[i][1], scratch("never"), NULL), 2, "-t", many,
            "processor", "--oversubscribe", NULL);
    assert_false(file_exists(scratch("never")));
    output o = ridge("run", "-m", tiny_model(), "-t", many, "--oversubscribe", "-p", "x", "-n", "2", NULL);
    expect_ok(&o);
    done(&o);
}

/* The default stays within the processors that the process may use, and so does pinning. */
static void affinity_is_kept(void **state)
{
    (void)state;
    cpu_set_t was, one;
    assert_int_equal(sched_getaffinity(0, sizeof was, &was), 0);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &was)) last--;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    output o = ridge("run", "-m", tiny_model(), "-p", "x", "-n", "2", NULL);
    output p = ridge("profile", "-m", tiny_model(), "-p", "4", "-n", "2", "-r", "1", "--machine",
        machine_file(), "-o", "json", NULL);
    output t = ridge("run", "-m", tiny_model(), "-t", "2", "-p", "x", NULL);
    assert_int_equal(sched_setaffinity(0, sizeof was, &was), 0);
    expect_ok(&o);
    assert_non_null(strstr(o.err, " 1 threads"));
    char want[64];
    snprintf(want, sizeof want, "1 thread pinned to cpu %d\"", last);
    if (!strstr(p.out, want)) fail_msg("no '%s' in %.2000s", want, p.out);
    expect_error(t, 2, "may use 1 processor (", "use -t 1", NULL);
    done(&o), done(&p);
}

/* How a cgroup of v1 and of v2 gets room for one processor: its place, then files and what they hold. */
typedef struct limit {
    const char *root, *set[2][2];
} limit;

static bool put_file(const char *dir, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r+");
    const bool set = f && fputs(text, f) >= 0;
    return f && fclose(f) == 0 && set;
}

/* In a cgroup of this test's own there is one thread, and two are refused with these words. */
static void one_processor_of(const limit *all, const char *words)
{
    char dir[200], cmd[1600], procs[300];
    bool made = false;
    for (int i = 0; i < 2 && !made; i++) {
        snprintf(dir, sizeof dir, "%s/ridge-test-%d", all[i].root, (int)getpid());
        if (mkdir(dir, 0777) != 0) continue;
        made = true;
        for (int k = 0; k < 2 && all[i].set[k][0]; k++)
            made = made && put_file(dir, all[i].set[k][0], all[i].set[k][1]);
        if (!made) rmdir(dir);
    }
    if (!made) {
        print_message("SKIPPED: no cgroup with one processor can be made here (needs root)\n");
        return;
    }
    snprintf(procs, sizeof procs, "%s/cgroup.procs", dir);
    snprintf(cmd, sizeof cmd, "echo $$ >'%s' && exec '%s' run -m '%s' -p x -n 2 2>'%s' >/dev/null", procs,
        getenv("RIDGE_BIN"), tiny_model(), scratch("quota.txt"));
    const int rc = system(cmd);
    snprintf(cmd, sizeof cmd, "echo $$ >'%s' && exec '%s' run -m '%s' -t 2 -p x -n 2 2>'%s' >/dev/null",
        procs, getenv("RIDGE_BIN"), tiny_model(), scratch("quota2.txt"));
    const int two = system(cmd);
    for (int i = 0; i < 50 && rmdir(dir) != 0; i++) usleep(20000);
    char *said = read_all(scratch("quota.txt"), NULL), *refused = read_all(scratch("quota2.txt"), NULL);
    if (rc != 0 || !strstr(said, " 1 threads")) fail_msg("%d: %s", rc, said);
    if (two == 0 || !strstr(refused, words)) fail_msg("%d: %s", two, refused);
    free(said);
    free(refused);
}

static void limits_of_cgroups_are_kept(void **state)
{
    (void)state;
    static const limit quota[] = {{"/sys/fs/cgroup/cpu", {{"cpu.cfs_quota_us", "100000"}}},
        {"/sys/fs/cgroup", {{"cpu.max", "100000 100000"}}}},
                       cpuset[] = {{"/sys/fs/cgroup/cpuset", {{"cpuset.cpus", "0"}, {"cpuset.mems", "0"}}},
                           {"/sys/fs/cgroup", {{"cpuset.cpus", "0"}}}};
    one_processor_of(quota, "the cgroup's CPU quota");
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) one_processor_of(cpuset, "its cpuset");
}

/* A folder without config.json that holds GGUF files is no checkpoint: which one is meant? */
static void folders_of_gguf_files(void **state)
{
    (void)state;
    char path[400];
    assert_int_equal(mkdir(scratch("ggufs"), 0777), 0);
    static const char *const files[] = {
        "b.gguf", "a-00001-of-00002.gguf", "a-00002-of-00002.gguf", "notes.txt"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch("ggufs"), files[i]);
        write_bytes(path, "x", 1);
    }
    output o = ridge("run", "-m", scratch("ggufs"), NULL);
    assert_null(strstr(o.err, "a-00002-of-00002.gguf"));
    expect_error(o, 3, "name one", "a-00001-of-00002.gguf", "b.gguf", NULL);
    assert_int_equal(mkdir(scratch("nothing"), 0777), 0);
    expect_error(ridge("run", "-m", scratch("nothing"), NULL), 3, "config.json", NULL);
}

/* Told before anything is measured. */
static void pictures_into_a_file(void **state)
{
    (void)state;
    write_bytes(scratch("pics"), "x", 1);
    expect_error(ridge("profile", "--svg", scratch("pics"), NULL), 3, "expected a folder", NULL);
    expect_error(ridge("bench", "--html", "", NULL), 3, "needs a name", NULL);
    expect_error(ridge("profile", "--html", scratch(""), NULL), 3, "is a directory", NULL);
    char name[400];
    memset(name, 'x', 300);
    snprintf(name + 300, 10, ".svg");
    expect_error(ridge("profile", "--svg", name, NULL), 3, "cannot write", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(help_names_everything),
        cmocka_unit_test(overview_and_version), cmocka_unit_test(wrong_words), cmocka_unit_test(wrong_values),
        cmocka_unit_test(other_spellings), cmocka_unit_test(more_threads_than_processors),
        cmocka_unit_test(affinity_is_kept), cmocka_unit_test(limits_of_cgroups_are_kept),
        cmocka_unit_test(folders_of_gguf_files), cmocka_unit_test(pictures_into_a_file)};
    return cmocka_run_group_tests(tests, read_commands, NULL);
}
