//go:build cgo && linux

// TensorFlow logs before main starts, when the environment can no longer be changed and no API of its own has been called.
// Programs look up symbols in themselves before they look into shared libraries, so these definitions take the place of the
// library's: its default log sink's Send, to which the level that was asked for is added. In a library other than an
// executable, or in a TensorFlow that names things differently, they are never called and TensorFlow logs as it always does.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

// Parts of TensorFlow carry an Abseil of their own, which nothing outside can set; all of them write whole messages to stderr:
// "I0000 00:00:1795508482.349360    1952 file.cc:401] text". So stderr becomes a stream that drops those below the level
// and passes everything else on.

#ifdef __GLIBC__
static const char severities[] = "IWEF";

// severity_of returns the severity of a message of Abseil's, -1 for any other text.
static int severity_of(const char *text, size_t n) {
	static const char first[] = "WARNING: All log messages before absl";
	const char *s;
	int i;
	if (n >= sizeof first - 1 && !memcmp(text, first, sizeof first - 1)) return 0;
	if (n < 14 || !(s = strchr(severities, text[0])) || text[5] != ' ' || text[8] != ':' || text[11] != ':') return -1;
	for (i = 1; i < 5; i++) {
		if (text[i] < '0' || text[i] > '9') return -1;
	}
	return (int)(s - severities);
}

static ssize_t pass_on(void *unused, const char *text, size_t n) {
	int severity = severity_of(text, n);
	size_t done = 0;
	(void)unused;
	if (severity >= 0 && severity < __atomic_load_n(&log_level, __ATOMIC_RELAXED)) return (ssize_t)n;
	while (done < n) {
		ssize_t m = write(STDERR_FILENO, text + done, n - done);
		if (m < 0 && errno == EINTR) continue;
		if (m <= 0) return (ssize_t)done;
		done += (size_t)m;
	}
	return (ssize_t)n;
}

static void filter_stderr(void) {
	static int once;
	cookie_io_functions_t functions = {.write = pass_on};
	FILE *filtered;
	if (__atomic_exchange_n(&once, 1, __ATOMIC_RELAXED)) return;
	filtered = fopencookie(NULL, "w", functions);
	if (!filtered) return;
	setvbuf(filtered, NULL, _IONBF, 0);
	stderr = filtered;
}
#else
static void filter_stderr(void) {}
#endif

void cambium_set_log_level(int level) {
	void (*set)(int);
	if (chosen()) level = atoi(getenv("TF_CPP_MIN_LOG_LEVEL"));
	__atomic_store_n(&log_level, level, __ATOMIC_RELAXED);
	*(void **)&set = dlsym(RTLD_DEFAULT, SET_MIN_LOG_LEVEL);
	if (set) set(level);
	filter_stderr();
}
