/* XXH64 against its published values, and in pieces of any size. */
#include "testing.h"

#include "base/hash64.h"

static void published_values(void **state)
{
    (void)state;
    assert_true(rg_hash64_of("", 0, 0) == 0xef46db3751d8e999ull);
    assert_true(rg_hash64_of("a", 1, 0) == 0xd24ec4f1a98c6e5bull);
    assert_true(rg_hash64_of("abc", 3, 0) == 0x44bc2cf5ad770999ull);
    assert_true(rg_hash64_of("abc", 3, 1) != rg_hash64_of("abc", 3, 0));
    static const char text[] = "Nobody inspects the spammish repetition"; /* more than one stripe of 32 */
    assert_true(rg_hash64_of(text, sizeof text - 1, 0) == 0xfbcea83c8a378bf1ull);
}

static void pieces_make_no_difference(void **state)
{
    (void)state;
    rg_rng rng = {5};
    unsigned char p[500];
    for (size_t i = 0; i < sizeof p; i++) p[i] = (unsigned char)rng_u64(&rng);
    for (int round = 0; round < 200; round++) {
        const size_t n = (size_t)rng_in(&rng, 0, sizeof p);
        rg_hash64 h;
        rg_hash64_start(&h, 9);
        for (size_t i = 0; i < n;) {
            size_t k = (size_t)rng_in(&rng, 0, 70);
            if (k > n - i) k = n - i;
            rg_hash64_add(&h, p + i, k);
            i += k;
        }
        assert_true(rg_hash64_end(&h) == rg_hash64_of(p, n, 9));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values), cmocka_unit_test(pieces_make_no_difference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
