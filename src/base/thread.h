/*
 * Threads that no signal interrupts: signals are main's. A handler that ran on a thread inside a sync would end it with EINTR, and what that
 * sync covers would be in doubt.
 *
 * Layer: base. Thread: any. Owns: nothing.
 */
#ifndef LT_BASE_THREAD_H
#define LT_BASE_THREAD_H

#include <pthread.h>

#include "base/err.h"

/* As pthread_create: 0 or an errno. Only what the thread itself does wrong (SIGSEGV and its kind, SIGABRT) is left open in it. */
int thread_start(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg) LT_MUST_CHECK;

#endif
