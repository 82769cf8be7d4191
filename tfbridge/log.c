//go:build cgo && linux

// TensorFlow logs before main starts, when the environment can no longer be changed and no API of its own has been called.
// Programs look up symbols in themselves before they look into shared libraries, so these definitions take the place of the
// library's: its default log sink's Send, to which the level that was asked for is added. In a library other than an
// executable, or in a TensorFlow that names things differently, they are never called and TensorFlow logs as it always does.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "run.h"

// tsl::TFDefaultLogSink::Send(tsl::TFLogEntry const&); an entry starts with its severity.
#define SEND "_ZN3tsl16TFDefaultLogSink4SendERKNS_10TFLogEntryE"
void cambium_send(void *sink, const int *entry) __asm__(SEND);

// absl::SetMinLogLevel(absl::LogSeverityAtLeast): newer parts of TensorFlow log through Abseil.
#define SET_MIN_LOG_LEVEL "_ZN4absl12lts_2023080214SetMinLogLevelENS0_18LogSeverityAtLeastE"

enum { FATAL = 3 };
static int log_level = FATAL;

// chosen reports whether the user has chosen a level in the environment, where TensorFlow looks for it.
static int chosen(void) { return getenv("TF_CPP_MIN_LOG_LEVEL") != NULL; }

void cambium_send(void *sink, const int *entry) {
	void (*send)(void *, const int *);
	if (*entry < __atomic_load_n(&log_level, __ATOMIC_RELAXED) && !chosen()) return;
	*(void **)&send = dlsym(RTLD_NEXT, SEND);
	if (send) send(sink, entry);
}

void cambium_set_log_level(int level) {
	void (*set)(int);
	__atomic_store_n(&log_level, level, __ATOMIC_RELAXED);
	*(void **)&set = dlsym(RTLD_DEFAULT, SET_MIN_LOG_LEVEL);
	if (set && !chosen()) set(level);
}
