/* base_test: the headers cmocka wants before its own, in the order it wants them. */
#ifndef TESTS_BASE_BASE_TEST_H
#define TESTS_BASE_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

#endif
