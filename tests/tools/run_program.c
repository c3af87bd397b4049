/* Starts the program, with limits, and collects its output. */
#include "run_program.h"
#include "tempdir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { MAX_ARGS = 64, TIMEOUT_MS = 120000 };

const char *scratch(const char *name)
{
    static char path[64][256];
    static int turn;
    char *p = path[turn++ % 64];
    snprintf(p, sizeof path[0], "%s/%s", temp_dir(), name);
    return p;
}

static void child(const run_opts *o, const char *const *args, const char *out, const char *err)
{
    const char *bin = getenv("RIDGE_BIN");
    const int in = open(o->in_path ? o->in_path : "/dev/null", O_RDONLY);
    const int fo = open(o->out_path ? o->out_path : out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
              fe = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (in < 0 || fo < 0 || fe < 0 || dup2(in, 0) < 0 || dup2(fo, 1) < 0 || dup2(fe, 2) < 0) _exit(126);
    close(in), close(fo), close(fe);
    if (o->closed_out) close(1);
    /* nothing of ours into the user's cache, nothing of theirs into the test */
    setenv("XDG_CACHE_HOME", temp_dir(), 1);
    setenv("OMP_WAIT_POLICY", "passive", 1);
    for (int i = 0; i < 4 && o->env[i]; i++) putenv((char *)(uintptr_t)o->env[i]);
    execv(bin, (char *const *)(uintptr_t)args);
    _exit(127);
}

static size_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static int wait_for(pid_t pid, const run_opts *o, const char *out)
{
    int status;
    bool sent = !o->sigint_after_ms && !o->sigint_after_bytes;
    for (int ms = 0;; ms++) {
        const pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid) break;
        if (!sent &&
            ((o->sigint_after_ms && ms >= o->sigint_after_ms) ||
                (o->sigint_after_bytes && size_of(out) >= o->sigint_after_bytes))) {
            kill(pid, SIGINT);
            sent = true;
        }
        if (ms > TIMEOUT_MS) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            fail_msg("the program did not end within %d s", TIMEOUT_MS / 1000);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static output run_args(const run_opts *o, const char *const *args)
{
    output r = {0};
    const char *out = scratch("stdout"), *err = scratch("stderr");
    if (!getenv("RIDGE_BIN")) fail_msg("RIDGE_BIN is not set: run this test through ctest");
    unlink(out);
    unlink(err);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) child(o, args, out, err);
    assert_true(pid > 0);
    r.code = wait_for(pid, o, out);
    r.out = o->out_path ? calloc(1, 1) : read_all(out, &r.n_out);
    r.err = read_all(err, &r.n_err);
    if (getenv("RIDGE_TEST_VERBOSE")) {
        print_message("$");
        for (int i = 0; args[i]; i++) print_message(" %s", args[i]);
        print_message("\n-> %d, %zu bytes\n%s", r.code, r.n_out, r.err);
    }
    if (r.code == 126 || r.code == 127) fail_msg("cannot run %s", args[0]);
    if (strstr(r.err, "Sanitizer") || strstr(r.err, "runtime error"))
        fail_msg("sanitizer report:\n%s", r.err);
    return r;
}

static void gather(const char **args, const char *first, va_list ap)
{
    int n = 0;
    args[n++] = getenv("RIDGE_BIN");
    for (const char *a = first; a; a = va_arg(ap, const char *)) {
        assert_true(n < MAX_ARGS - 1);
        args[n++] = a;
    }
    args[n] = NULL;
}

output ridge(const char *first, ...)
{
    const char *args[MAX_ARGS];
    va_list ap;
    va_start(ap, first);
    gather(args, first, ap);
    va_end(ap);
    return run_args(&(run_opts){0}, args);
}

output ridge_with(const run_opts *o, const char *first, ...)
{
    const char *args[MAX_ARGS];
    va_list ap;
    va_start(ap, first);
    gather(args, first, ap);
    va_end(ap);
    run_opts now = *o;
    output r = run_args(&now, args);
    for (int i = 0; i < 3 && now.sigint_after_ms && r.code == 130 && r.n_out == 0; i++) {
        done(&r);
        now.sigint_after_ms *= 3;
        r = run_args(&now, args);
    }
    return r;
}

void done(output *o)
{
    free(o->out);
    free(o->err);
    *o = (output){0};
}

static size_t count_lines(const char *s)
{
    size_t n = 0;
    for (; *s; s++) n += *s == '\n';
    return n;
}

void expect_error(output o, int code, ...)
{
    va_list ap;
    if (o.code != code) fail_msg("exit code %d, expected %d: %s", o.code, code, o.err);
    if (count_lines(o.err) != 1 || strncmp(o.err, "ridge", 5) != 0)
        fail_msg("not one line of 'ridge ...': '%s'", o.err);
    if (o.n_out) fail_msg("prints on standard output: %.200s", o.out);
    va_start(ap, code);
    for (const char *text; (text = va_arg(ap, const char *));)
        if (!strstr(o.err, text)) fail_msg("no '%s' in '%s'", text, o.err);
    va_end(ap);
    done(&o);
}

void expect_ok(const output *o)
{
    if (o->code != 0) fail_msg("exit code %d: %s", o->code, o->err);
}

void write_bytes(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f) fail_msg("cannot write %s", path);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

const char *tiny_model(void)
{
    const char *path = scratch("tiny");
    if (!file_exists(path)) {
        output o = ridge("synth", "--dims", "hidden=64,layers=2,heads=4,kv_heads=2,ffn=96,vocab=512,ctx=256",
            "--dtype", "f32", "-o", path, NULL);
        expect_ok(&o);
        done(&o);
    }
    return scratch("tiny");
}

const char *copy_of_tiny(const char *name)
{
    char cmd[600];
    const char *to = scratch(name);
    snprintf(cmd, sizeof cmd, "rm -rf '%s' && cp -r '%s' '%s'", to, tiny_model(), to);
    assert_int_equal(system(cmd), 0);
    return to;
}

const char *machine_file(void)
{
    const char *shared = getenv("RIDGE_TEST_MACHINE"), *path = scratch("machine.json");
    if (shared && file_exists(shared)) return shared;
    if (!file_exists(path)) {
        output o = ridge("machine", "--quick", "--save", path, NULL);
        /* a noisy machine still writes its file */
        if (o.code != 0 && o.code != 7) fail_msg("machine: exit code %d: %s", o.code, o.err);
        done(&o);
        assert_true(file_exists(path));
    }
    return path;
}

int schema_check(const char *schema, const char *file)
{
    char cmd[1500];
    snprintf(cmd, sizeof cmd, "python3 '%s/tests/check_json.py' '%s/%s.schema.json' '%s'", RIDGE_SOURCE_DIR,
        RIDGE_SCHEMAS, schema, file);
    const int rc = system(cmd);
    const int code = WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
    return code == 127 ? 77 : code; /* no python3 */
}
