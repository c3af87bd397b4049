/* A checkpoint that is cut short while it is mapped: one line that names it and exit code 3, not a death by
 * SIGBUS. */
#include "run_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static void rest(void) { nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); }

/* Whether the process has mapped the file. */
static bool maps(pid_t pid, const char *file)
{
    char path[64], line[1024];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && !found && fgets(line, sizeof line, f)) found = strstr(line, file) != NULL;
    if (f) fclose(f);
    return found;
}

/* The program waits for its prompt with the model mapped but not yet read: that is when the file shrinks. */
static void cut_while_mapped(const char *model, const char *file, off_t keep)
{
    int in[2], err[2], status = 0;
    char message[2048] = "";
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(err), 0);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(err[1], 2);
        close(in[0]), close(in[1]), close(err[0]), close(err[1]);
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execl(
            getenv("RIDGE_BIN"), "ridge", "run", "-m", model, "-f", "-", "-n", "4", "--quiet", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    close(in[0]);
    close(err[1]);
    for (int ms = 0; !maps(pid, file) && ms < 20000; ms += 2) rest();
    assert_true(maps(pid, file));
    assert_int_equal(truncate(file, keep), 0);
    assert_int_equal(write(in[1], "hello", 5), 5);
    close(in[1]);
    size_t n = 0;
    for (ssize_t got; n < sizeof message - 1 && (got = read(err[0], message + n, sizeof message - 1 - n)) > 0;
         n += (size_t)got)
        message[n + (size_t)got] = 0;
    close(err[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 3 || !strstr(message, file) ||
        !strstr(message, "cut short"))
        fail_msg(
            "status %#x, expected exit code 3 and a line that names %s: %s", (unsigned)status, file, message);
}

static void cut_files_are_named(void **state)
{
    (void)state;
    if (!getenv("RIDGE_BIN")) fail_msg("RIDGE_BIN is not set: run this test through ctest");
    signal(SIGPIPE, SIG_IGN);
    char gguf[256], dir[256], file[300];
    snprintf(gguf, sizeof gguf, "%s", scratch("cut.gguf"));
    snprintf(dir, sizeof dir, "%s", scratch("cut"));
    const char *dims = "hidden=256,layers=2,heads=4,kv_heads=2,ffn=512,vocab=512,ctx=64";
    output o = ridge("synth", "--dims", dims, "--dtype", "f16", "-o", gguf, NULL);
    expect_ok(&o);
    done(&o);
    o = ridge("synth", "--dims", dims, "--dtype", "f16", "-o", dir, NULL);
    expect_ok(&o);
    done(&o);
    cut_while_mapped(gguf, gguf, 65536);
    snprintf(file, sizeof file, "%s/model.safetensors", dir);
    cut_while_mapped(dir, file, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cut_files_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
